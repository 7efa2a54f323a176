/**
 * For processes of tests, by `--import`, which their worker threads inherit: workflows run without two services of the SDK's that took three quarters of
 * the workflow thread's time.
 *
 * - Each call into a workflow has a watchdog, an operating system's thread that is started and joined each time. A workflow that never ends its task is
 *   noticed by the test's own time limit.
 * - Each promise of a workflow notes its stack for `__stack_trace`, which no test asks for. Only from Node 24 on: before, `AsyncLocalStorage` in a context of
 *   `vm`, on which the SDK's cancellation scopes stand, works only while such a hook is there.
 *
 * Plain JavaScript: a worker thread loads it before anything that could read TypeScript.
 */
import v8 from 'node:v8';
import { Script } from 'node:vm';

const { runInContext } = Script.prototype;
Script.prototype.runInContext = function withoutWatchdog(context, { timeout: _, ...options } = {}) {
  return runInContext.call(this, context, options);
};

if (Number(process.versions.node.split('.', 1)[0]) >= 24) v8.promiseHooks.createHook = () => () => undefined;
