/** A connection to guestflow: starts and watches work. It does not check orders: that code takes the command line longer to load than all of this. */
import type { Capacity, LedgerAudit, NetworkState } from '../contract/capacity.ts';
import type { GuestflowError } from '../contract/errors.ts';
import { guestWorkflowId } from '../contract/names.ts';
import type { Dom0State } from '../contract/dom0.ts';
import type { GuestOrder, GuestRef, GuestStatus, OrderAnswer, UnplacedOrder } from '../contract/guest.ts';
import type { OperationResult } from '../contract/guest-requests.ts';
import type { OperationKind } from '../contract/operations.ts';
import type { GuestUsage } from '../contract/usage.ts';
import type { GoldenRenewal, RenewalWish } from '../contract/golden.ts';
import type { OperationProgress } from '../contract/progress.ts';
import type { Dom0TaskName, Dom0TaskParameters } from '../contract/workflow-inputs.ts';
import { findEndpoint, type EndpointOptions } from './config.ts';
import { auditLedger, drainDom0, readCapacity, readDom0 } from './dom0s/ledger.ts';
import { findDom0, loseDom0, type LostDom0 } from './dom0s/lost.ts';
import { listDom0s } from './dom0s/names.ts';
import { renewGolden } from './dom0s/renew.ts';
import { runDom0Task } from './dom0s/tasks.ts';
import { listGuests, type GuestRow, type ListFilter } from './guests/list.ts';
import { exists, readProgress, readStatus, type GuestProgress } from './guests/look.ts';
import { nextBackup, readNights, type Night } from './guests/nights.ts';
import { adoptGuest } from './guests/adopt.ts';
import { orderOfCopy, type CopyWish } from './guests/copy.ts';
import { cancelOperation, operate, type OperateOptions } from './guests/operate.ts';
import { orderGuest } from './guests/order.ts';
import { placeOrder, type PlacedOrder, type PlaceOptions } from './guests/place.ts';
import { readUsage } from './guests/usage.ts';
import { failureOf, waitFor, waitForOrder, watch, type WaitOptions, type WatchOptions } from './guests/watch.ts';
import { addNetwork, listNetworks, readNetwork, type NetworkOrder } from './networks.ts';
import { openSession, type Session } from './session.ts';

/** A connection to guestflow. Every method throws `GuestflowError`. */
export interface Guestflow {
  /** The Temporal UI, where it is known. */
  readonly uiUrl: string | undefined;
  /** The page of a guest's workflow in the Temporal UI. */
  guestUrl(name: string): string | undefined;
  /** Orders a guest; returns when the order is taken, which is long before the guest is there. The same order again gets the same answer. */
  order(order: GuestOrder): Promise<OrderAnswer>;
  /** Like `order`. If the order names no dom0, it chooses one and reserves the order's part of it first. */
  place(order: UnplacedOrder, options?: PlaceOptions): Promise<PlacedOrder>;
  /** Takes a guest over that is on its dom0, and that this Temporal does not know; returns when that was taken. */
  adopt(guest: GuestRef): Promise<OrderAnswer>;
  /** The order of a guest that is made from a backup of another one. It is not given yet. */
  orderOfCopy(of: string, wish: CopyWish): Promise<GuestOrder>;
  status(name: string): Promise<GuestStatus>;
  /** The status, and the progress of the operation that runs. If none runs: how the guest was provisioned. */
  progress(name: string): Promise<GuestProgress>;
  /** The progress again and again, until nothing is being done on the guest. */
  watch(name: string, options?: WatchOptions): AsyncGenerator<GuestProgress, void>;
  /** Waits until nothing is being done on the guest. `failureOf` tells whether its order has failed. */
  waitFor(name: string, options?: WaitOptions): Promise<GuestStatus>;
  /** Waits until the order of a guest is carried out, or has failed. Its first backup, which follows, is not waited for. */
  waitForOrder(name: string, options?: WaitOptions): Promise<GuestStatus>;
  /** Why the order has failed, with what was undone and what is left; undefined if there is a guest. */
  failureOf(status: GuestStatus): Promise<GuestflowError | undefined>;
  /** Whether there is or was a guest of that name. */
  exists(name: string): Promise<boolean>;
  /** What a guest has used, as its dom0 has counted it. */
  usage(name: string): Promise<GuestUsage>;
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
  /** What a dom0 has to sell, has sold, and what is left. */
  capacity(host: string): Promise<Capacity>;
  /** Has a dom0's ledger compared with what is there, now. */
  auditLedger(host: string): Promise<LedgerAudit>;
  networks(): Promise<NetworkState[]>;
  network(cidr: string): Promise<NetworkState>;
  /** Adds a network beside those of the dom0s' settings, or changes one. */
  addNetwork(network: NetworkOrder): Promise<void>;
  dom0State(host: string): Promise<Dom0State>;
  /** Takes no new guests on a dom0, or takes them again. */
  drain(host: string, on: boolean): Promise<void>;
  /** Declares a dom0 lost, for good; refused while its worker is alive. */
  lose(host: string, silentMs?: number): Promise<LostDom0>;
  /** A dom0 that was declared lost is there again. */
  found(host: string): Promise<void>;
  /** Runs a small task on a dom0; the type of its result is the task's own. */
  dom0Task<T>(host: string, task: Dom0TaskName, parameters?: Dom0TaskParameters): Promise<T>;
  /** Makes golden images of a dom0 anew, and waits for that. */
  renewGolden(host: string, wish: RenewalWish, onProgress?: (progress: OperationProgress) => void): Promise<GoldenRenewal[]>;
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
    order: (order) => orderGuest(session, order),
    place: (order, options) => placeOrder(session, order, options),
    adopt: (guest) => adoptGuest(session, guest),
    status: (name) => readStatus(session, name),
    progress: (name) => readProgress(session, name),
    watch: (name, watching) => watch(session, name, watching),
    waitFor: (name, watching) => waitFor(session, name, watching),
    waitForOrder: (name, watching) => waitForOrder(session, name, watching),
    failureOf: (status) => failureOf(session, status),
    exists: (name) => exists(session, name),
    usage: async (name) => readUsage(session, await readStatus(session, name)),
    list: (filter) => listGuests(session, filter),
    orderOfCopy: (of, wish) => orderOfCopy(session, of, wish),
    operate: (name, kind, operation) => operate(session, name, kind, operation),
    cancel: (name) => cancelOperation(session, name),
    nextBackup: (name) => nextBackup(session, name),
    nights: (name) => readNights(session, name),
    dom0s: () => listDom0s(session),
    capacity: (host) => readCapacity(session, host),
    auditLedger: (host) => auditLedger(session, host),
    networks: () => listNetworks(session),
    network: (cidr) => readNetwork(session, cidr),
    addNetwork: (network) => addNetwork(session, network),
    dom0State: (host) => readDom0(session, host),
    drain: (host, on) => drainDom0(session, host, on),
    lose: (host, silentMs) => loseDom0(session, host, silentMs),
    found: (host) => findDom0(session, host),
    dom0Task: (host, task, parameters) => runDom0Task(session, host, task, parameters),
    renewGolden: (host, wish, onProgress) => renewGolden(session, host, wish, onProgress),
    close: () => session.close(),
  };
}

function urlOf(session: Session, name: string): string | undefined {
  const { uiUrl, namespace } = session.endpoint;
  return uiUrl === undefined ? undefined : `${uiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(guestWorkflowId(name))}`;
}
