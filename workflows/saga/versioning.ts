/** Each workflow type declares its versioning behaviour, for workers that are part of a worker deployment. */
import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';

/**
 * Declares what happens to running workflows of a type when a new version of the worker is deployed.
 *
 * A worker without a deployment must not name a behaviour: the server answers "versioning behavior cannot be specified without deployment
 * options being set with versioned mode" to every workflow task, and the workflow hangs (server 1.32). Hence the look at the worker.
 *
 * @param behavior `PINNED`: ends with the code it began with, for short runs. `AUTO_UPGRADE`: goes on with the new code; changes are patched.
 */
export function declareVersioning(behavior: 'PINNED' | 'AUTO_UPGRADE', workflow: (...args: never[]) => Promise<unknown>): void {
  setWorkflowOptions(() => {
    const deployment = workflowInfo().currentDeploymentVersion?.deploymentName ?? '';
    return deployment === '' ? {} : { versioningBehavior: behavior };
  }, workflow);
}
