/** Small tasks on a dom0 that are not operations on a guest. */
import { randomBytes } from 'node:crypto';
import { dom0WorkflowId, WORKFLOWS } from '../../contract/names.ts';
import type { Dom0TaskName, Dom0TaskParameters } from '../../contract/workflow-inputs.ts';
import type { Session } from '../session.ts';
import { execute } from '../workflow-calls.ts';
import { mustBeServed } from './workers.ts';

/** Seconds that a task may take; `prepare` installs packages. */
const TASK_SECONDS: Partial<Record<Dom0TaskName, number>> = { prepare: 900, clean: 86_400 };
const USUAL_TASK_SECONDS = 60;

/**
 * Runs a task on a dom0 and returns its result.
 *
 * @throws GuestflowError Unreachable when no worker serves that dom0
 */
export async function runDom0Task<T>(session: Session, host: string, task: Dom0TaskName, parameters: Dom0TaskParameters = {}): Promise<T> {
  await mustBeServed(session, host);
  const seconds = TASK_SECONDS[task] ?? USUAL_TASK_SECONDS;
  const work = (): Promise<unknown> =>
    execute(session.client, WORKFLOWS.dom0Task, {
      workflowId: `${dom0WorkflowId(host)}/${task}/${randomBytes(4).toString('hex')}`,
      input: [{ host, task, ...parameters }],
      workflowExecutionTimeout: seconds * 1000,
      staticSummary: `${task} on dom0 ${host}`,
    });
  return (await session.call(`${task} on dom0 ${host}`, work, (seconds + 10) * 1000)) as T;
}
