/** New builds of the control worker's function, in the order that loses nothing: make it, see that it serves, then send work to it. */
import { GuestflowError } from '../../contract/errors.ts';
import { until } from '../../system/until.ts';
import { checkCompute, type Compute } from './compute.ts';
import type { Deployments, Deployment, Version } from './versions.ts';

export interface RollOut {
  readonly buildId: string;
  readonly compute: Compute;
  /** Told of each step. */
  readonly say: (what: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until a worker of the build must have polled. Default: 90 s, of which a cold start needs 3. */
  readonly serveMs?: number;
}

const SERVE_MS = 90_000;

/**
 * Makes a build current: new workflows, and those that go on with new code, are its from then on. Running operations stay with the build that they began with.
 *
 * @throws GuestflowError before anything is changed for those who work: InvalidInput, HostNotReady, Busy; Unreachable when no worker of this build polls
 */
export async function rollOut(
  deployments: Deployments,
  { buildId, compute, say, signal, serveMs = SERVE_MS }: RollOut,
): Promise<Deployment> {
  checkCompute(compute);
  const before = await deployments.look();
  await deployments.make();
  await deployments.makeVersion(buildId, compute);
  say(`build ${buildId} is known to Temporal, which can invoke ${compute.functionArn}`);
  const serves = await until(async () => (await deployments.version(buildId))?.serves === true, { everyMs: 500, limitMs: serveMs, signal });
  if (serves === undefined) throw await whyNobody(deployments, buildId, before, serveMs);
  say('its worker has polled for workflows and for activities');
  await deployments.setCurrent(buildId);
  say(`build ${buildId} is current${before.current === undefined || before.current === buildId ? '' : `; ${before.current} was`}`);
  await removeDrained(deployments, say);
  return deployments.look();
}

/**
 * Makes a former build current again.
 *
 * @param buildId default: the newest other one that has served
 * @throws GuestflowError NotFound when there is none; Unreachable when it has never served
 */
export async function rollBack(deployments: Deployments, buildId: string | undefined, say: (what: string) => void): Promise<Deployment> {
  const { current, versions } = await deployments.look();
  const former =
    buildId === undefined ? versions.find((one) => one.buildId !== current && one.serves) : versions.find((one) => one.buildId === buildId);
  if (former === undefined)
    throw new GuestflowError(
      'NotFound',
      buildId === undefined ? 'there is no former build that could serve' : `there is no build ${buildId}`,
      {
        field: 'build-id',
        mend: 'guestflow serverless plan shows the builds; a removed one must be rolled out again',
      },
    );
  mustServe(former);
  await deployments.setCurrent(former.buildId);
  say(`build ${former.buildId} is current again${current === undefined ? '' : `; ${current} was`}`);
  return deployments.look();
}

function mustServe({ buildId, serves }: Version): void {
  if (serves) return;
  throw new GuestflowError('Unreachable', `no worker of build ${buildId} has ever polled: workflows would hang`, {
    field: 'build-id',
    value: buildId,
    mend: 'see the log of its function, then: guestflow serverless roll-out',
  });
}

/** Removes versions that no workflow is pinned to. */
async function removeDrained(deployments: Deployments, say: (what: string) => void): Promise<void> {
  const { current, versions } = await deployments.look();
  for (const { buildId, drainage } of versions) {
    if (buildId === current || drainage === undefined) continue;
    if (drainage === 'draining') say(`build ${buildId} still has running operations: keep its function until a later roll-out removes it`);
    else {
      await deployments.remove(buildId);
      say(`build ${buildId} is drained and removed: its function may go`);
    }
  }
}

/** A build that polls under another id is the most usual reason. */
async function whyNobody(deployments: Deployments, buildId: string, before: Deployment, serveMs: number): Promise<GuestflowError> {
  const known = new Set(before.versions.filter(({ serves }) => serves).map((version) => version.buildId));
  const others = (await deployments.look()).versions.filter((version) => version.serves && !known.has(version.buildId));
  const [other] = others;
  if (other !== undefined)
    return new GuestflowError('InvalidInput', `the function is of build ${other.buildId}, not ${buildId}`, {
      field: 'build-id',
      value: buildId,
      mend: 'roll out with the package that was uploaded, or upload this one and publish a version',
    });
  return new GuestflowError('Unreachable', `no worker of build ${buildId} polled within ${serveMs / 1_000} s; what was current still is`, {
    field: 'function',
    mend: "see the function's log: it may not reach Temporal (TEMPORAL_ADDRESS, its key, its network), or end at its start",
  });
}
