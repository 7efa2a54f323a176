/**
 * Calls to ledgers: the workflows of dom0s and of networks. A process makes only a few calls to each of them at a time. If a ledger is busy, or between
 * two runs, the call is repeated.
 */
import { isGrpcServiceError } from '@temporalio/client';
import type { Answer, QueryName, Signature, UpdateName, WorkflowName } from '../contract/typed-names.ts';
import { Gate, UPDATES_AT_ONCE } from '../system/gate.ts';
import { sentAgain, untilTakenByLedger, type Tries } from './lost-updates.ts';
import { query, update, updateWithStart, type Caller, type StartOf } from './workflow-calls.ts';

/** Gates of the whole process, by the ledger's workflow id. Queries have their own, so that they do not wait behind a rush of reservations. */
const [updates, queries] = [new Gate(UPDATES_AT_ONCE), new Gate(UPDATES_AT_ONCE)];

export function queryLedger<S extends Signature>(client: Caller, id: string, name: QueryName<S>, ...args: Parameters<S>): Answer<S> {
  return queries.pass(id, () => untilNotBusy(() => query(client, id, name, ...args)));
}

export function updateLedger<S extends Signature>(client: Caller, id: string, name: UpdateName<S>, ...args: Parameters<S>): Answer<S> {
  return updates.pass(id, () => untilNotBusy(() => untilTakenByLedger(() => update(client, id, name, ...args))));
}

/** Like `updateLedger`; if the ledger does not run, it is started. */
export function updateLedgerWithStart<W extends Signature, S extends Signature>(
  client: Caller,
  workflow: WorkflowName<W>,
  start: StartOf<W>,
  name: UpdateName<S>,
  ...args: Parameters<S>
): Answer<S> {
  return updates.pass(start.workflowId, () => untilNotBusy(() => updateWithStart(client, workflow, start, name, args)));
}

/** Many wait for the same ledger: they come back at different times. */
const TRIES: Tries = { most: 20, pauseMs: (tried) => 100 + Math.random() * 200 * tried };

/** Whether the workflow is busy: gRPC's RESOURCE_EXHAUSTED, or UNAVAILABLE with a message that says so (without it, Temporal is away). */
function isBusy(error: unknown): boolean {
  if (!isGrpcServiceError(error)) return error instanceof Error && error.cause !== undefined && isBusy(error.cause);
  const code: number = error.code;
  return code === 8 || (code === 14 && /update was aborted|query cleared/.test(error.details));
}

/** Asks again while the workflow is busy. */
function untilNotBusy<T>(ask: () => Promise<T>): Promise<T> {
  return sentAgain(ask, isBusy, TRIES);
}
