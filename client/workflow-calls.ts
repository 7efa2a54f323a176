/** Calls to workflows, by the names of `contract/`, which say what is sent and what comes back. Each workflow that clients start runs on the control queue. */
import { WithStartWorkflowOperation, type Client, type WorkflowOptions, type WorkflowUpdateHandle } from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import { defined } from '../contract/defined.ts';
import { CONTROL_QUEUE } from '../contract/names.ts';
import type { Answer, QueryName, Signature, SignalName, UpdateName, WorkflowName } from '../contract/typed-names.ts';
import { untilStartedAndTaken } from './lost-updates.ts';

/** The part of a client that calls to workflows need. */
export type Caller = Pick<Client, 'workflow'>;

/** How a workflow is started, beside its type. */
export interface StartOf<S extends Signature>
  extends
    Pick<WorkflowOptions, 'workflowId'>,
    Partial<
      Pick<
        WorkflowOptions,
        'workflowIdReusePolicy' | 'typedSearchAttributes' | 'memo' | 'staticSummary' | 'staticDetails' | 'workflowExecutionTimeout'
      >
    > {
  readonly input: Parameters<S>;
}

export function query<S extends Signature>(client: Caller, id: string, name: QueryName<S>, ...args: Parameters<S>): Answer<S> {
  return client.workflow.getHandle(id).query<ReturnType<S>, Parameters<S>>(name, ...args);
}

/** Sends an update, and waits for its result. If the update is lost on its way, the caller must send it again: `Session.call` does. */
export function update<S extends Signature>(client: Caller, id: string, name: UpdateName<S>, ...args: Parameters<S>): Answer<S> {
  // The SDK's types tell updates without arguments from others, which is nothing at run time.
  return client.workflow.getHandle(id).executeUpdate<ReturnType<S>, [unknown]>(name, { args: args as unknown as [unknown] });
}

/** Like `update`, but returns as soon as the update is taken; its result is waited for later. The same `updateId` again is the same update. */
export function startUpdate<S extends Signature>(
  client: Caller,
  id: string,
  name: UpdateName<S>,
  updateId: string,
  ...args: Parameters<S>
): Promise<WorkflowUpdateHandle<ReturnType<S>>> {
  const options = { args: args as unknown as [unknown], updateId, waitForStage: 'ACCEPTED' } as const;
  return client.workflow.getHandle(id).startUpdate<ReturnType<S>, [unknown]>(name, options);
}

/** Sends an update to a workflow. If the workflow does not run, it is started. */
export function updateWithStart<W extends Signature, S extends Signature>(
  client: Caller,
  workflow: WorkflowName<W>,
  { input, ...start }: StartOf<W>,
  name: UpdateName<S>,
  args: Parameters<S>,
  updateId?: string,
): Answer<S> {
  return untilStartedAndTaken(() =>
    client.workflow.executeUpdateWithStart<Workflow, ReturnType<S>, Parameters<S>>(name, {
      args,
      ...defined({ updateId }),
      // Made anew for each try: the SDK takes each only once.
      startWorkflowOperation: new WithStartWorkflowOperation<Workflow>(workflow, {
        ...start,
        args: input,
        taskQueue: CONTROL_QUEUE,
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    }),
  );
}

export function signal<S extends Signature>(client: Caller, id: string, name: SignalName<S>, ...args: Parameters<S>): Promise<void> {
  return client.workflow.getHandle(id).signal<Parameters<S>>(name, ...args);
}

/** Starts a workflow. @throws WorkflowExecutionAlreadyStartedError when one of this id runs */
export function start<S extends Signature>(
  client: Caller,
  workflow: WorkflowName<S>,
  { input, ...how }: StartOf<S>,
): Promise<{ result(): Answer<S> }> {
  return client.workflow.start<Workflow>(workflow, { ...how, args: input, taskQueue: CONTROL_QUEUE }) as Promise<{ result(): Answer<S> }>;
}

/** Runs a workflow to its end. */
export async function execute<S extends Signature>(client: Caller, workflow: WorkflowName<S>, { input, ...start }: StartOf<S>): Answer<S> {
  return (await client.workflow.execute<Workflow>(workflow, { ...start, args: input, taskQueue: CONTROL_QUEUE })) as ReturnType<S>;
}

/**
 * Workflow ids of all that run of a type, sorted. A list from Temporal's visibility store: it may be a second old.
 *
 * @param also further terms of the query, each with its ` AND `. Default: none
 */
export async function runningIds(client: Caller, workflow: string, also = ''): Promise<string[]> {
  const ids: string[] = [];
  const list = client.workflow.list({ query: `WorkflowType = '${workflow}' AND ExecutionStatus = 'Running'${also}` });
  for await (const { workflowId } of list) ids.push(workflowId);
  return ids.sort();
}
