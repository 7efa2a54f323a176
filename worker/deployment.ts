/** Which version of a worker deployment a control worker is. */
import type { WorkerDeploymentOptions } from '@temporalio/worker';
import { buildIdOf, DEFAULT_DEPLOYMENT } from '../contract/deployment.ts';
import { GuestflowError } from '../contract/errors.ts';

/**
 * The version of a worker deployment, from `GUESTFLOW_DEPLOYMENT` and `GUESTFLOW_BUILD_ID`; undefined when neither is set.
 *
 * @throws GuestflowError `InvalidInput` when only one of them is.
 */
export function deploymentOptions(env: NodeJS.ProcessEnv = process.env): WorkerDeploymentOptions | undefined {
  const deploymentName = env['GUESTFLOW_DEPLOYMENT'] ?? '';
  const buildId = env['GUESTFLOW_BUILD_ID'] ?? '';
  if (deploymentName === '' && buildId === '') return undefined;
  if (deploymentName === '' || buildId === '') {
    const field = deploymentName === '' ? 'GUESTFLOW_DEPLOYMENT' : 'GUESTFLOW_BUILD_ID';
    throw new GuestflowError(
      'InvalidInput',
      `${field} is not set: a versioned worker needs both GUESTFLOW_DEPLOYMENT and GUESTFLOW_BUILD_ID.`,
      { field },
    );
  }
  // Each workflow declares its own behaviour; the server requires a default for those that do not.
  return { version: { deploymentName, buildId }, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' };
}

/**
 * The version that a function's package is. Its build id is the package's own, and no setting can name another: a version that was rolled out under
 * another id would wait for workers that never come, without a word.
 *
 * @param manifest the package's `package.json`.
 * @throws GuestflowError `InvalidInput` when the environment names another build id, or the package has none.
 */
export function functionVersion(manifest: string, env: NodeJS.ProcessEnv = process.env): { deploymentName: string; buildId: string } {
  const buildId = buildIdOf(manifest);
  const wanted = env['GUESTFLOW_BUILD_ID'] ?? '';
  const field = 'GUESTFLOW_BUILD_ID';
  if (buildId === undefined)
    throw new GuestflowError('InvalidInput', "the function's package has no build id", {
      field,
      mend: 'make it with npm run package:lambda',
    });
  if (wanted !== '' && wanted !== buildId)
    throw new GuestflowError('InvalidInput', `GUESTFLOW_BUILD_ID is ${wanted}, and the function's package is of build ${buildId}`, {
      field,
      value: wanted,
      mend: 'unset the variable: the package knows its own',
    });
  const deploymentName = env['GUESTFLOW_DEPLOYMENT'] ?? '';
  return { deploymentName: deploymentName === '' ? DEFAULT_DEPLOYMENT : deploymentName, buildId };
}
