/** What a roll-out would do. */
import type { Compute } from './compute.ts';
import type { Deployment } from './versions.ts';

/** The steps, in order; each is a sentence. */
export function planOf({ name, current, versions }: Deployment, buildId: string, { functionArn }: Compute): string[] {
  const known = versions.find((version) => version.buildId === buildId);
  if (known?.functionArn !== undefined && known.functionArn !== functionArn)
    return [`refuse: build ${buildId} has the function ${known.functionArn} already`];
  const steps: string[] = [];
  if (versions.length === 0 && current === undefined) steps.push(`make the deployment ${name}, unless it is there`);
  if (known === undefined)
    steps.push(`make build ${buildId}, with the function ${functionArn}: Temporal asks AWS whether it may invoke it`);
  else if (known.functionArn === undefined)
    steps.push(`give build ${buildId} the function ${functionArn}: only long-lived workers have served it so far`);
  if (known?.serves !== true) steps.push('wait until its worker has polled');
  if (current === buildId) steps.push(`nothing more: build ${buildId} is current`);
  else
    steps.push(
      `make build ${buildId} current${current === undefined ? '' : ` in place of ${current}, which runs its operations to their end`}`,
    );
  for (const version of versions)
    if (version.drainage === 'drained' && version.buildId !== buildId) steps.push(`remove build ${version.buildId}: it is drained`);
  return steps;
}
