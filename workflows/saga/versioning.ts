/** Each workflow type declares its versioning behaviour, for workers that are part of a worker deployment. */
import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';

type Behavior = 'PINNED' | 'AUTO_UPGRADE';

/**
 * Declares what happens to running workflows of a type when a new version of the worker is deployed.
 *
 * A worker without a deployment must not name a behaviour: the server answers "versioning behavior cannot be specified without deployment
 * options being set with versioned mode" to every workflow task, and the workflow hangs (server 1.32). Hence the look at the worker.
 *
 * @param behavior `PINNED`: ends with the code it began with, for short runs. `AUTO_UPGRADE`: goes on with the new code; changes are patched.
 */
export function declareVersioning(behavior: Behavior, workflow: (...args: never[]) => Promise<unknown>): void {
  setWorkflowOptions(() => {
    const { versioningBehavior } = askedAtEachTask(behavior);
    return versioningBehavior === undefined ? {} : { versioningBehavior };
  }, workflow);
}

/**
 * The SDK (1.24) asks for the behaviour once, at the workflow's first task. When a worker replays what another one began, the task is that of the other one: a
 * worker without a deployment would name a behaviour, and one with a deployment would name none. So the SDK's record of it is made to ask at each task.
 */
function askedAtEachTask(behavior: Behavior): { readonly versioningBehavior?: Behavior | undefined } {
  return Object.defineProperty(getActivator(), 'versioningBehavior', {
    get: () => ((workflowInfo().currentDeploymentVersion?.deploymentName ?? '') === '' ? undefined : behavior),
    set: () => undefined,
    configurable: true,
  });
}
