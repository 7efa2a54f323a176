/** A connection to guestflow: what starts and watches work. What checks orders is not in here: it costs the command line more to load than all of this. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Capacity, LedgerAudit, NetworkState } from '../contract/capacity-types.ts';
import { GuestflowError, isErrorType } from '../contract/errors.ts';
import { GUEST_UPDATES, guestWorkflowId } from '../contract/names.ts';
import type {
  Dom0State,
  GuestOrder,
  GuestStatus,
  OperationKind,
  OperationRequest,
  OperationResult,
  OrderAnswer,
  PlanChange,
} from '../contract/types.ts';
import { findEndpoint, type EndpointOptions } from './config.ts';
import {
  auditLedger,
  drainDom0,
  mustBeServed,
  readCapacity,
  readDom0,
  runDom0Task,
  type Dom0TaskName,
  type Dom0TaskParameters,
} from './dom0.ts';
import { listDom0s, listGuests, type GuestRow, type ListFilter } from './listing.ts';
import { addNetwork, listNetworks, readNetwork, type NetworkOrder } from './networks.ts';
import { startOperation } from './operations.ts';
import { placeOrder } from './orders.ts';
import { placeAndReserve, type OrderToReserve, type PlaceOptions } from './placement.ts';
import { isSettled, readProgress, readStatus, type GuestProgress } from './progress.ts';
import { readNights, type Night } from './nights.ts';
import { nextBackup } from './schedule.ts';
import { ANSWER_MS, openSession, type Session } from './session.ts';

/** How an operation is asked for. */
export interface OperateOptions {
  /** Id of the request: the same id again is the same request, and gets the same answer. Default: a new one. */
  readonly id?: string;
  /** `terminate`: without the grace period. Default: false. */
  readonly now?: boolean;
  /** `changePlan`: what to. */
  readonly change?: PlanChange;
}

/** A control worker that is being restarted does not end a long wait. */
const WORKER_MAY_BE_AWAY_MS = 120_000;

/** How a guest is watched. */
export interface WatchOptions {
  /** Ends the watching; what is watched goes on. */
  readonly signal?: AbortSignal;
  /** Default: 1 000. */
  readonly intervalMs?: number;
}

/** A connection to guestflow. Every method throws `GuestflowError`. */
export interface Guestflow {
  /** The Temporal UI, where it is known. */
  readonly uiUrl: string | undefined;
  /** The page of a guest's workflow in the Temporal UI. */
  guestUrl(name: string): string | undefined;
  /** Orders a guest; returns when the order is taken, which is long before the guest is there. The same order again gets the same answer. */
  order(order: GuestOrder): Promise<OrderAnswer>;
  status(name: string): Promise<GuestStatus>;
  /** The status, and what the operation that runs is doing; when none runs, how the guest was provisioned. */
  progress(name: string): Promise<GuestProgress>;
  /** The progress again and again, until nothing is being done on the guest. */
  watch(name: string, options?: WatchOptions): AsyncGenerator<GuestProgress, void>;
  /** Waits until nothing is being done on the guest. `failureOf` tells whether its order came to something. */
  waitFor(name: string, options?: WatchOptions & { readonly onProgress?: (progress: GuestProgress) => void }): Promise<GuestStatus>;
  /** Why there is no guest, with what was undone and what is left; undefined when there is one. */
  failureOf(status: GuestStatus): Promise<GuestflowError | undefined>;
  /** Whether there is or was a guest of that name. */
  exists(name: string): Promise<boolean>;
  list(filter?: ListFilter): Promise<GuestRow[]>;
  /** Runs an operation and returns its result, however long it takes. It waits behind the one that runs. */
  operate(name: string, kind: OperationKind, options?: OperateOptions): Promise<OperationResult>;
  /** Cancels the operation that runs; it is undone. Returns its kind, or undefined when none ran. */
  cancel(name: string): Promise<string | undefined>;
  /** When the next nightly backup begins (ISO 8601); undefined when its Schedule is paused. */
  nextBackup(name: string): Promise<string | undefined>;
  /** The last nights of a guest, oldest first: done, failed, skipped, overlapped, late, and those that were missed. */
  nights(name: string): Promise<Night[]>;
  dom0s(): Promise<string[]>;
  /** Chooses a dom0 for an order that names none, and reserves its part there. Give the order with that dom0 next. */
  place(order: OrderToReserve, options?: PlaceOptions): Promise<string>;
  /** What a dom0 has to sell, has sold, and what is left. */
  capacity(host: string): Promise<Capacity>;
  /** Has a dom0's ledger compared with what is there, now. */
  auditLedger(host: string): Promise<LedgerAudit>;
  networks(): Promise<NetworkState[]>;
  network(cidr: string): Promise<NetworkState>;
  /** Adds a network beside those of the dom0s' settings, or changes one. */
  addNetwork(network: NetworkOrder): Promise<void>;
  /** Throws Unreachable when no worker serves that dom0. */
  mustBeServed(host: string): Promise<void>;
  dom0State(host: string): Promise<Dom0State>;
  /** Takes no new guests on a dom0, or takes them again. */
  drain(host: string, on: boolean): Promise<void>;
  /** Runs a small task on a dom0; the type of its result is the task's own. */
  dom0Task<T>(host: string, task: Dom0TaskName, parameters?: Dom0TaskParameters): Promise<T>;
  close(): Promise<void>;
}

/**
 * Connects to Temporal: at `address`, else where its configuration says (`TEMPORAL_ADDRESS`, `temporal.toml`), else at the embedded server
 * of this state directory.
 *
 * @throws GuestflowError Unreachable
 */
export async function connect(options: EndpointOptions = {}): Promise<Guestflow> {
  const session = await openSession(await findEndpoint(options));
  return {
    uiUrl: session.endpoint.uiUrl,
    guestUrl: (name) => urlOf(session, name),
    order: (order) => placeOrder(session, order),
    status: (name) => readStatus(session, name),
    progress: (name) => readProgress(session, name),
    watch: (name, watching) => watch(session, name, watching),
    waitFor: (name, watching) => waitFor(session, name, watching),
    failureOf: (status) => failureOf(session, status),
    exists: (name) => exists(session, name),
    list: (filter) => listGuests(session, filter),
    operate: (name, kind, operation) => operate(session, name, kind, operation),
    cancel: (name) => cancel(session, name),
    nextBackup: (name) => nextBackup(session, name),
    nights: (name) => readNights(session, name),
    dom0s: () => listDom0s(session),
    place: (order, placing) => placeAndReserve(session, order, placing),
    capacity: (host) => readCapacity(session, host),
    auditLedger: (host) => auditLedger(session, host),
    networks: () => listNetworks(session),
    network: (cidr) => readNetwork(session, cidr),
    addNetwork: (network) => addNetwork(session, network),
    mustBeServed: (host) => mustBeServed(session, host),
    dom0State: (host) => readDom0(session, host),
    drain: (host, on) => drainDom0(session, host, on),
    dom0Task: (host, task, parameters) => runDom0Task(session, host, task, parameters),
    close: () => session.close(),
  };
}

/** Why an order came to nothing: the failure that its workflow ended with, which knows more than the guest's state. */
async function failureOf(session: Session, { name, phase, error, leftovers }: GuestStatus): Promise<GuestflowError | undefined> {
  const type = isErrorType(error?.type) ? error.type : 'ToolFailed';
  if (phase === 'needs-cleanup')
    return new GuestflowError('NeedsCleanup', error?.message ?? `guest ${name} needs cleaning up`, {
      leftovers,
      mend: `mend the cause, then: guestflow cleanup ${name}`,
    });
  if (phase === 'gone')
    return new GuestflowError('Busy', `guest ${name} is gone: it lived and was terminated`, { field: 'name', value: name });
  if (phase !== 'failed') return undefined;
  const known = new GuestflowError(type, error?.message ?? `guest ${name} failed`);
  const outcome: unknown = await session
    .call(`guest ${name}`, () => session.client.workflow.getHandle(guestWorkflowId(name)).result())
    .catch((failure: unknown) => failure);
  return outcome instanceof GuestflowError && outcome.type === known.type ? outcome : known;
}

async function* watch(
  session: Session,
  name: string,
  { signal, intervalMs = 1_000 }: WatchOptions = {},
): AsyncGenerator<GuestProgress, void> {
  let lastOperation: string | undefined;
  let lastAnswer: number | undefined;
  while (signal?.aborted !== true) {
    const progress = await readProgress(session, name, lastOperation).catch((error: unknown) => {
      if (
        lastAnswer !== undefined &&
        Date.now() - lastAnswer < WORKER_MAY_BE_AWAY_MS &&
        error instanceof GuestflowError &&
        error.type === 'Unreachable'
      )
        return undefined;
      throw error;
    });
    if (progress !== undefined) {
      lastAnswer = Date.now();
      lastOperation = progress.status.operation?.workflowId ?? lastOperation;
      yield progress;
      if (isSettled(progress.status)) return;
    }
    // An abort ends the sleep early: no error, the loop's condition sees it.
    await sleep(intervalMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

async function waitFor(session: Session, name: string, options: Parameters<Guestflow['waitFor']>[1] = {}): Promise<GuestStatus> {
  for await (const progress of watch(session, name, options)) {
    options.onProgress?.(progress);
    if (isSettled(progress.status)) return progress.status;
  }
  throw new GuestflowError('Cancelled', `guest ${name}: the wait was interrupted; the guest is not`);
}

async function exists(session: Session, name: string): Promise<boolean> {
  try {
    await session.call(`guest ${name}`, () => session.client.workflow.getHandle(guestWorkflowId(name)).describe());
    return true;
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'NotFound') return false;
    throw error;
  }
}

async function operate(
  session: Session,
  name: string,
  kind: OperationKind,
  { id, ...wish }: OperateOptions = {},
): Promise<OperationResult> {
  const request: OperationRequest = { kind, id: id ?? `${kind}-${randomBytes(6).toString('hex')}`, ...wish };
  const { client, connection } = session;
  // In one call: only its result says that it was lost.
  const perform = async (): Promise<OperationResult> => {
    const taken = await connection.withDeadline(Date.now() + ANSWER_MS, () => startOperation(client, name, request));
    return taken.result();
  };
  return session.call(`guest ${name}`, perform, Number.POSITIVE_INFINITY);
}

async function cancel(session: Session, name: string): Promise<string | undefined> {
  const handle = session.client.workflow.getHandle(guestWorkflowId(name));
  return (await session.call(`guest ${name}`, () => handle.executeUpdate<{ cancelled?: string }, []>(GUEST_UPDATES.cancel))).cancelled;
}

function urlOf(session: Session, name: string): string | undefined {
  const { uiUrl, namespace } = session.endpoint;
  return uiUrl === undefined ? undefined : `${uiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(guestWorkflowId(name))}`;
}
