/** Before the workflow tests: the bundle of the workflows as they are now, where `controlOptions()` finds it. */
import { bundleWorkflows } from '../worker/bundle.ts';

export async function setup(): Promise<void> {
  await bundleWorkflows();
}
