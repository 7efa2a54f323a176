/**
 * Names that cross a process boundary: queues, workflow ids, search attributes, and what workflows are asked, with the types of it.
 * Imports types and what makes names of strings, so that workflow code can use it.
 */
import type { Lease, LeaseRequest, Ledger, LedgerAudit, NetworkAccess, NetworkJoin, NetworkState, Owner } from './capacity.ts';
import type { GoldenRenewal } from './golden.ts';
import type { NightRecord, NightRequest } from './nights.ts';
import { queryName, signalName, updateName, workflowName } from './typed-names.ts';
import type { Dom0State, ReserveAnswer, Registration, ReserveRequest } from './dom0.ts';
import type { Dom0Lost, DomainGone, GuestOrder, GuestRef, GuestStatus, OrderAnswer } from './guest.ts';
import type { OperationRequest, OperationResult } from './guest-requests.ts';
import type { OperationProgress } from './progress.ts';
import type { BillingOrderInput, Dom0TaskInput, GuestInput, NetworkInput } from './workflow-inputs.ts';

/** Task queue of all workflows and of the activities that talk to Temporal itself. */
export const CONTROL_QUEUE = 'control';

/** Task queue for the short steps on one dom0. */
export function dom0Queue(host: string): string {
  return `dom0:${host}`;
}

/** Task queue for long copies on one dom0 (image, migration, backup, wipe), with one or two slots. */
export function dom0BulkQueue(host: string): string {
  return `dom0:${host}:bulk`;
}

/** Workflow id of a guest, for as long as it lives. */
export function guestWorkflowId(name: string): string {
  return `guest/${name}`;
}

/** Workflow id of one operation on a guest; `id` tells operations of one kind apart. */
export function operationWorkflowId(name: string, kind: string, id: string): string {
  return `guest/${name}/${kind}/${id}`;
}

/** Workflow id of a dom0's ledger. */
export function dom0WorkflowId(host: string): string {
  return `dom0/${host}`;
}

/** Workflow id of the renewal of a dom0's golden images: one at a time runs there. */
export function renewalWorkflowId(host: string): string {
  return `${dom0WorkflowId(host)}/renew`;
}

/** Workflow id of what billing wants of one order. */
export function billingWorkflowId(order: string): string {
  return `order/${order}`;
}

/** Workflow id of an address range's leases. */
export function networkWorkflowId(cidr: string): string {
  return `network/${cidr}`;
}

/** Workflow id of a sign-in ticket that was used. */
export function ticketWorkflowId(id: string): string {
  return `ticket/${id}`;
}

/** Schedule id of a guest's nightly backup. */
export function nightlyScheduleId(name: string): string {
  return `nightly/${name}`;
}

/** Search attributes, all of type Keyword. They are never encrypted: nothing private belongs here. */
export const SEARCH_ATTRIBUTES = {
  guest: 'GuestflowGuest',
  dom0: 'GuestflowDom0',
  plan: 'GuestflowPlan',
  phase: 'GuestflowPhase',
  order: 'GuestflowOrder',
  /** Of a guest: a mark of its customer, by which a customer's guests are found (`client/customers.ts`). Never the id itself. */
  customer: 'GuestflowCustomer',
} as const;

/** Workflow types. Those that are started by other workflows only have their types there. */
export const WORKFLOWS = {
  guest: workflowName<(input: GuestInput) => void>('guest'),
  provisionGuest: 'provisionGuest',
  powerGuest: 'powerGuest',
  backupGuest: 'backupGuest',
  pruneGuest: 'pruneGuest',
  protectBackup: 'protectBackup',
  adoptGuest: 'adoptGuest',
  proveBackup: 'proveBackup',
  restoreGuest: 'restoreGuest',
  restoreElsewhere: 'restoreElsewhere',
  reinstallGuest: 'reinstallGuest',
  rescueGuest: 'rescueGuest',
  unrescueGuest: 'unrescueGuest',
  undoRestore: 'undoRestore',
  keepRestored: 'keepRestored',
  removeGuest: 'removeGuest',
  nightlyBackup: workflowName<(guest: GuestRef) => NightRecord>('nightlyBackup'),
  suspendGuest: 'suspendGuest',
  resumeGuest: 'resumeGuest',
  changePlan: 'changePlan',
  resizeGuest: 'resizeGuest',
  changeAccess: 'changeAccess',
  terminateGuest: 'terminateGuest',
  undeleteGuest: 'undeleteGuest',
  billingOrder: workflowName<(input: BillingOrderInput) => void>('billingOrder'),
  network: workflowName<(input: NetworkInput) => void>('network'),
  notify: 'notify',
  spendTicket: 'spendTicket',
  watch: workflowName<() => void>('watch'),
  dom0: workflowName<(initial: Dom0State) => void>('dom0'),
  dom0Task: workflowName<(input: Dom0TaskInput) => unknown>('dom0Task'),
} as const;

/** Updates of the `guest` workflow. */
export const GUEST_UPDATES = {
  /** Takes the order. The same order again gets the same answer; another one is refused. */
  order: updateName<(order: GuestOrder) => OrderAnswer>('order'),
  /** Runs one operation and returns its result. */
  operate: updateName<(request: OperationRequest) => OperationResult>('operate'),
  /** Cancels the operation that runs, and returns its kind. */
  cancel: updateName<() => { cancelled?: string }>('cancel'),
} as const;

/** Queries, by the workflow that answers. */
export const QUERIES = {
  /** `guest`. */
  status: queryName<() => GuestStatus>('status'),
  /** Operations on a guest. */
  progress: queryName<() => OperationProgress>('progress'),
  /** `dom0`: all of it. */
  ledger: queryName<() => Dom0State>('ledger'),
  /** `dom0`: what it has to sell, and for whom something is reserved. */
  capacity: queryName<() => Ledger>('capacity'),
  /** `dom0`: the answer to a reservation, if the ledger holds exactly that one; else undefined. */
  reserved: queryName<(request: ReserveRequest) => ReserveAnswer | undefined>('reserved'),
  /** `network`. */
  leases: queryName<() => NetworkState>('leases'),
  /** `network`: the guest that has this MAC, or had it lately. */
  macHolder: queryName<(mac: string) => string | undefined>('macHolder'),
} as const;

/** Updates of the `dom0` workflow. */
export const DOM0_UPDATES = {
  /** The dom0 worker says what it found. Refused (`Busy`) when another machine is registered, unless it is the one that is replaced. */
  register: updateName<(registration: Registration) => void>('register'),
  /** Reserves capacity for a guest. */
  reserve: updateName<(request: ReserveRequest) => ReserveAnswer>('reserve'),
  /** Gives it back. */
  release: updateName<(owner: Owner) => void>('release'),
  /** Takes no new guests, or takes them again. */
  drain: updateName<(on: boolean) => void>('drain'),
  /** An operator says that it is lost, for good, or that it was found again. Its guests are told. */
  lost: updateName<(isLost: boolean) => void>('lost'),
  /** Reaches another network. */
  attach: updateName<(access: NetworkAccess) => void>('attach'),
  /** What came of renewing golden images. */
  renewed: updateName<(outcomes: readonly GoldenRenewal[]) => void>('renewed'),
  /** Compares the ledger with what is there, now. */
  audit: updateName<() => LedgerAudit>('audit'),
} as const;

/** Updates of the `network` workflow. */
export const NETWORK_UPDATES = {
  /** A dom0 or an operator says what the network is. */
  join: updateName<(join: NetworkJoin) => void>('join'),
  /** Leases an address. The same order again gets the same lease. */
  lease: updateName<(request: LeaseRequest) => Lease>('lease'),
  /** Gives it back. */
  release: updateName<(owner: Owner) => void>('release'),
  /** Something else answers at a guest's address: marks it, and leases the next one. */
  replace: updateName<(request: Owner & { readonly ip: string; readonly dom0: string }) => Lease>('replace'),
  /** Another network's guest has this guest's MAC: gives it another one. Asked again, that one. */
  changeMac: updateName<(request: Owner & { readonly mac: string }) => Lease>('changeMac'),
} as const;

/** Signals of the `guest` workflow. */
export const GUEST_SIGNALS = {
  /** A night's backup is due. Answered by `NIGHT_SIGNALS.answer`. */
  night: signalName<(request: NightRequest) => void>('night'),
  /** Its domain has ended, and nobody asked for that. */
  domainGone: signalName<(end: DomainGone) => void>('domainGone'),
  /** Its dom0 is lost, or was found again. */
  dom0Lost: signalName<(what: Dom0Lost) => void>('dom0Lost'),
} as const;

/** Signals of the `nightlyBackup` workflow. */
export const NIGHT_SIGNALS = {
  /** The guest says what came of the night. */
  answer: signalName<(night: NightRecord) => void>('answer'),
} as const;
