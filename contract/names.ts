/**
 * Names that cross a process boundary: queues, workflow ids, updates, queries, search attributes.
 * Free of imports, so that workflow code can use it.
 */

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

/** Workflow id of what billing wants of one order. */
export function billingWorkflowId(order: string): string {
  return `order/${order}`;
}

/** Workflow id of an address range's leases. */
export function networkWorkflowId(cidr: string): string {
  return `network/${cidr}`;
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
} as const;

/** Workflow types. */
export const WORKFLOWS = {
  guest: 'guest',
  provisionGuest: 'provisionGuest',
  powerGuest: 'powerGuest',
  backupGuest: 'backupGuest',
  terminateGuest: 'terminateGuest',
  nightlyBackup: 'nightlyBackup',
  suspendGuest: 'suspendGuest',
  resumeGuest: 'resumeGuest',
  changePlan: 'changePlan',
  retireGuest: 'retireGuest',
  reviveGuest: 'reviveGuest',
  billingOrder: 'billingOrder',
  network: 'network',
  notify: 'notify',
  dom0: 'dom0',
  dom0Task: 'dom0Task',
} as const;

/** Updates of the `guest` workflow. */
export const GUEST_UPDATES = {
  /** Takes the order: `(order: GuestOrder) → OrderAnswer`. The same order again gets the same answer; another one is refused. */
  order: 'order',
  /** Runs one operation and returns its result: `(request: OperationRequest) → OperationResult`. */
  operate: 'operate',
  /** Cancels the operation that runs: `() → {cancelled: string | undefined}`. */
  cancel: 'cancel',
} as const;

/** Queries of the `guest` workflow and of operations. */
export const QUERIES = {
  /** `guest` → `GuestStatus`. */
  status: 'status',
  /** operations → `OperationProgress`. */
  progress: 'progress',
  /** `dom0` → `Dom0State`. */
  ledger: 'ledger',
  /** `dom0` → `{capacity: Capacity, owners: {guest, order}[]}`. */
  capacity: 'capacity',
  /** `network` → `NetworkState`. */
  leases: 'leases',
  /** `network`: `(mac: string) → string | undefined`, the guest that has it, or had it lately. */
  macHolder: 'macHolder',
} as const;

/** Updates of the `dom0` workflow. */
export const DOM0_UPDATES = {
  /** The dom0 worker says what it found: `(registration: Registration) → void`. Refused (`Busy`) when another machine is registered, unless it is the one that is replaced.. */
  register: 'register',
  /** Promises capacity to a guest: `(request: ReserveRequest) → PromiseAnswer`. */
  reserve: 'reserve',
  /** Gives it back: `({guest, order}) → void`. */
  release: 'release',
  /** Takes no new guests, or takes them again: `(on: boolean) → void`. */
  drain: 'drain',
  /** Reaches another network: `(access: NetworkAccess) → void`. */
  attach: 'attach',
  /** Compares the ledger with what is there, now: `() → LedgerAudit`. */
  audit: 'audit',
} as const;

/** Updates of the `network` workflow. */
export const NETWORK_UPDATES = {
  /** A dom0 or an operator says what the network is: `(join: NetworkJoin) → void`. */
  join: 'join',
  /** Leases an address: `(request: LeaseRequest) → Lease`. The same order again gets the same lease. */
  lease: 'lease',
  /** Gives it back: `({guest, order}) → void`. */
  release: 'release',
  /** Something else answers at a guest's address: marks it, and leases the next one: `({guest, order, ip, dom0}) → Lease`. */
  replace: 'replace',
  /** Another network's guest has this guest's MAC: gives it another one: `({guest, order, mac}) → Lease`. Asked again, that one. */
  changeMac: 'changeMac',
} as const;

/** Signals of the `guest` workflow. */
export const GUEST_SIGNALS = {
  /** A night's backup is due: `(NightRequest)`. Answered by `NIGHT_SIGNALS.answer`. */
  night: 'night',
  /** Its domain has ended, and nobody asked for that: `(DomainGone)`. */
  domainGone: 'domainGone',
} as const;

/** Signals of the `nightlyBackup` workflow. */
export const NIGHT_SIGNALS = {
  /** The guest says what came of the night: `(NightRecord)`. */
  answer: 'answer',
} as const;
