/**
 * What crosses a process boundary, as plain types: workflow code imports these and nothing of zod.
 * Sizes are bytes, times are ISO 8601 in UTC, durations are seconds, unless a name says otherwise.
 */

import type { GuestFields } from './field-types.ts';
import type { Amounts, Dom0Policy, Holding, LedgerAudit, NetworkAccess, Owner, PoolFacts } from './capacity-types.ts';
import type { NightRecord } from './nights.ts';
import type { OperationKind } from './operations.ts';

export type { OperationKind };

/** How many backups are kept: the last ones, and the last of each of so many hours, days, weeks, months and years that have one. */
export type Retention = GuestFields['backup']['retention'];

/**
 * What is done when a guest's domain has ended and nobody asked for that. `always`: it is started again. `on-crash`: only when it crashed; one
 * that was shut down from inside stays off. `never`: it stays off.
 */
export type RestartPolicy = 'always' | 'on-crash' | 'never';

/** How a domain ended, as its xl said: by a shutdown from inside, or by a crash. */
export type DomainEnd = 'shutdown' | 'crash';

/** What a dom0's worker tells a guest. */
export interface DomainGone {
  readonly order: string;
  /** Not known when nobody watched, or when it was ended from outside. */
  readonly how?: DomainEnd;
  /** Xen has started it again by itself. */
  readonly isBack?: true;
}

/** How Xen runs a guest. */
export type GuestType = 'pv' | 'pvh';

/** An order after the plan's defaults: all that is known before a dom0 is asked. */
export interface GuestOrder extends GuestFields {
  /** Host name in the guest. Default: the name. A guest ordered by billing is named after its order; its host name is the customer's. */
  readonly hostname?: string;
  /** Id of the customer in the provider's billing: for keeping a customer's guests on different dom0s. */
  readonly customer?: string;
  readonly access: GuestFields['access'] & {
    /** The hash of root's password, sealed for each dom0 that may get the order: only that dom0 can open its box. By the dom0's name. */
    readonly sealedPassword?: Readonly<Record<string, string>>;
  };
}

/** An order whose dom0 may be left to placement. */
export type UnplacedOrder = Omit<GuestOrder, 'dom0'> & { readonly dom0?: string };

/** A guest's IPv6 address, beside its IPv4 one. */
export interface GuestIpv6 {
  /** `2001:db8:0:1:192:0:2:10`; the prefix is of 64 bits. */
  readonly address: string;
  readonly gateway: string;
}

/** Where a guest sits in its network. */
export interface GuestNetwork {
  readonly ip: string;
  readonly netmask: string;
  readonly gateway: string;
  readonly bridge: string;
  /** Upper case, colons. */
  readonly mac: string;
  /** Where the network has a /64. */
  readonly ipv6?: GuestIpv6;
}

/** An order with everything decided, as the dom0 planned it. Steps take this. */
export interface GuestSpec extends Omit<GuestOrder, 'network' | 'access'> {
  readonly network: GuestNetwork;
  readonly access: Omit<GuestOrder['access'], 'passwordHash'>;
}

/** Names a guest on a dom0: what undo steps and small operations need. */
export interface GuestRef {
  readonly name: string;
  readonly order: string;
  readonly dom0: string;
}

/** Names an order that did not become a guest: what it began to make for all guests of its distribution counts as its own. */
export interface OrderRef extends GuestRef {
  readonly dist?: string;
}

/** The steps of provisioning, in order. */
export const PROVISION_STEPS = [
  'reserve',
  'plan',
  'golden',
  'create-image',
  'cfg-fix',
  'boot',
  'sysctl-wallclock',
  'lvm-migration',
  'autostart',
  'nightly-backup',
  'seal',
] as const;

export type StepState = 'pending' | 'running' | 'done' | 'failed' | 'undone' | 'undo-failed';

/** One step of an operation, as a person sees it. */
export interface StepProgress {
  readonly name: string;
  readonly state: StepState;
  readonly startedAt?: string;
  readonly seconds?: number;
  /** What came of it, in words. */
  readonly summary?: string;
}

/** Where an operation stands. */
export interface OperationProgress {
  readonly steps: readonly StepProgress[];
  /** What it waits for, when it waits for something outside (a dom0 that does not answer). */
  readonly waiting?: string;
}

export type GuestPhase =
  'ordered' | 'provisioning' | 'running' | 'stopped' | 'suspended' | 'terminating' | 'gone' | 'failed' | 'needs-cleanup';

/** What another plan means for a guest. A disk only grows. */
export interface PlanChange {
  readonly plan: string;
  readonly memoryBytes: number;
  readonly vcpus: number;
  /** Room to grow from the next start on. Default: none. */
  readonly maxMemoryBytes?: number;
  readonly maxVcpus?: number;
  readonly diskBytes: number;
  /** Whether the guest may be restarted for what Xen cannot change while it runs. */
  readonly mayRestart: boolean;
}

export interface OperationRequest {
  readonly kind: OperationKind;
  /** Id of the request: the same id again is the same request. */
  readonly id: string;
  /** `terminate`: without the grace period. */
  readonly now?: boolean;
  /** `changePlan`. */
  readonly change?: PlanChange;
}

export interface OperationResult {
  readonly kind: OperationKind;
  readonly phase: GuestPhase;
  readonly backup?: BackupRecord;
  readonly pruned?: Pruned;
  readonly graceUntil?: string;
}

/** The answer to an order. */
export interface OrderAnswer {
  readonly workflowId: string;
  readonly runId: string;
  readonly name: string;
  readonly order: string;
}

/** An error as it is kept in a guest's state. */
export interface ErrorSummary {
  readonly type: string;
  readonly message: string;
  readonly step?: string;
  /** Workflow id of the operation that failed. */
  readonly operation?: string;
}

/** All that is known of a guest. */
export interface GuestStatus {
  readonly name: string;
  /** Host name in the guest, where its order gave one. Default: the name. */
  readonly hostname?: string;
  readonly order: string;
  readonly dom0: string;
  readonly plan: string;
  readonly phase: GuestPhase;
  readonly orderedAt: string;
  readonly spec?: GuestSpec;
  /** The operation that runs. */
  readonly operation?: { readonly kind: string; readonly workflowId: string; readonly startedAt: string };
  /** What waits behind it. */
  readonly queued: readonly string[];
  readonly warnings: readonly string[];
  readonly backups: readonly BackupRecord[];
  /** Its last nights, oldest first. Undefined: none has come yet. */
  readonly nights?: readonly NightRecord[];
  readonly scheduleId?: string;
  readonly steps?: readonly StepProgress[];
  readonly wallclock?: WallclockResult;
  readonly error?: ErrorSummary;
  /** What an undo that could not finish has left on the dom0; of a guest that lives on, which undos those were. */
  readonly leftovers: readonly string[];
  readonly graceUntil?: string;
  /** Until when the backups of a guest that is gone are kept. */
  readonly backupsUntil?: string;
  /** The phase it was terminated in, to which `undelete` brings it back. */
  readonly retiredFrom?: GuestPhase;
  /** Days for which the removal that could not finish was to keep the backups: cleaning up keeps them, too. */
  readonly removalKeepsDays?: number;
  /** When it was started again because its domain was gone: those of the last hour. */
  readonly restarts?: readonly string[];
  /** When it will be. */
  readonly restartAt?: string;
  /** It is left stopped then, instead. */
  readonly leavesStopped?: true;
}

/** One row of what a dom0 needs. */
export interface PreflightRow {
  readonly row: string;
  readonly state: 'ok' | 'missing' | 'warning';
  readonly found: string;
  /** The command that mends it. */
  readonly mend?: string;
}

export interface PreflightReport {
  readonly host: string;
  readonly checkedAt: string;
  readonly ok: boolean;
  readonly rows: readonly PreflightRow[];
}

/** What a dom0 has, as its own tools say. */
export interface Dom0Facts {
  readonly host: string;
  /** What tells the machine from others that say they are this dom0. Its registration says it, a look at its tools does not. */
  readonly machine?: string;
  readonly seenAt: string;
  readonly xenVersion: string;
  readonly memoryBytes: number;
  readonly memoryFreeBytes: number;
  readonly cpus: number;
  /** Where guests' disks are made; the first one unless an order says otherwise. None: it is not there. */
  readonly pools: readonly PoolFacts[];
  readonly imageDirFreeBytes: number;
  readonly network: NetworkAccess & { readonly exclude?: readonly string[] };
  /** Addresses in the cfg files of this dom0, with the guest's name. */
  readonly addresses: readonly { readonly ip: string; readonly guest: string }[];
  readonly workerVersion: string;
  /** Public key that passwords for this dom0 are sealed with (X25519, base64url). */
  readonly passwordKey?: string;
  readonly domains: readonly DomainRow[];
  /** Default: `DEFAULT_POLICY`. */
  readonly policy?: Dom0Policy;
  /** What takes memory, vcpus and disk there, ours and not. dom0 itself is not among it. */
  readonly holdings?: readonly Holding[];
}

/** A dom0's worker says what it found. */
export interface Registration extends Dom0Facts {
  /** The machine whose place it takes, as the ledger has it: given only when no worker of that machine asks for work any more. */
  readonly replaces?: string;
}

/** `running`: it runs, or could. `ending`: it has shut down, or is being taken apart; until it has gone it holds memory and disks. */
export type DomainState = 'running' | 'paused' | 'ending' | 'crashed';

/** A domain on a dom0, ours or not. */
export interface DomainRow {
  readonly name: string;
  readonly id: number;
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly state: DomainState;
  readonly cpuSeconds: number;
}

/** What a guest takes from a dom0. */
export interface ReserveRequest extends Owner, Amounts {
  /** Where its disks are to be. Default: the dom0's first pool. */
  readonly pool?: string;
  readonly plan?: string;
  readonly customer?: string;
  /** Not where another guest of this customer is. */
  readonly apart?: boolean;
  /** Set in the undo of a change: the guest had this before, so it is not refused. */
  readonly restores?: boolean;
}

/** The answer to a reservation: the networks that the dom0 reaches, its own first. */
export interface ReserveAnswer {
  readonly networks: readonly NetworkAccess[];
}

export interface LeasedAddress {
  readonly ip: string;
  readonly netmask: string;
  readonly gateway: string;
  readonly bridge: string;
  readonly mac: string;
  readonly ipv6?: GuestIpv6;
}

/** A dom0's ledger. */
export interface Dom0State {
  readonly host: string;
  readonly facts?: Dom0Facts;
  readonly drained: boolean;
  readonly promised: readonly (ReserveRequest & { readonly since: string })[];
  /** Networks that an operator has added, beside the one of its settings. */
  readonly networks?: readonly NetworkAccess[];
  /** What the last audit came to. */
  readonly audit?: LedgerAudit;
}

export interface GoldenResult {
  readonly dist: string;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly createdAt: string;
  /** It was there already. */
  readonly reused: boolean;
}

export interface ImageResult {
  readonly directory: string;
  readonly bytes: number;
  readonly reused: boolean;
}

export interface CfgResult {
  readonly path: string;
  readonly changed: readonly string[];
  /** sha256 of the file. */
  readonly sha256: string;
}

/** What came of changing a guest while it runs. */
export interface AdjustResult {
  readonly isDone: boolean;
  /** Why it needs a restart, when it is not done. */
  readonly reason?: string;
}

export interface BootResult {
  readonly domainId: number;
  /** Seconds from `xl create` until the guest answered. */
  readonly seconds: number;
  readonly rootDevice: string;
  readonly kernel: string;
  /** Why a sealed guest counts as started that did not answer. */
  readonly warning?: string;
}

export interface WallclockResult {
  /** `set`: the key is persistent and live. `not needed`: this kernel has none. */
  readonly independentWallclock: 'set' | 'not needed';
  readonly kernel: string;
  readonly clocksource: string;
  readonly timeDaemon: string;
  /** Guest's clock minus dom0's. */
  readonly skewSeconds: number;
  /** Lines of console or kernel log that say `Time went backwards`. */
  readonly wentBackwards: readonly string[];
}

export interface VolumesResult {
  readonly root: string;
  readonly swap: string;
  readonly copiedBytes: number;
}

/** What a backup is made with. `blocks`: the used blocks of the file system. `dump`: dump(8), where it can be trusted. */
export type BackupEngine = 'blocks' | 'dump';

/** How the guest was when its snapshot was taken. `crash`: it ran, and its disk is as after a power cut. `stopped`: it had no domain. */
export type Consistency = 'crash' | 'stopped';

export interface BackupRecord {
  readonly id: string;
  readonly guest: string;
  readonly takenAt: string;
  /** Where it lies: of a directory on the dom0, the path. */
  readonly repository: string;
  /** Its name in there. */
  readonly key: string;
  readonly bytes: number;
  /** Bytes before compression. */
  readonly dumpedBytes: number;
  /** Of the file. */
  readonly sha256: string;
  readonly engine: BackupEngine;
  readonly seconds: number;
  /** `verified`: read back whole, and the same as what was written. `proven`: restored, and started from. */
  readonly state: 'taken' | 'verified' | 'proven';
  readonly consistency: Consistency;
  /** What somebody should know of it: why another engine was taken than was asked for, errors that the guest's kernel has recorded. */
  readonly warnings?: readonly string[];
  /** Nothing removes it but the end of the guest. */
  readonly isProtected?: true;
}

/** What came of looking which backups stay. */
export interface Pruned {
  /** Ids of those that are gone, oldest first. */
  readonly removed: readonly string[];
  /** Bytes of the disk that are free again. */
  readonly freedBytes: number;
  /** How many are there now. */
  readonly kept: number;
  /** Names of records that are not what was written: what they are of is not touched. */
  readonly damaged: readonly string[];
}

/** A file system as its superblock tells it. */
export interface SavedFileSystem {
  readonly uuid: string;
  readonly features: readonly string[];
  readonly blockSize: number;
  readonly blocks: number;
}

/** What lies beside a backup: enough to bring the guest back from, when nothing else of it is left. No secret is in it. */
export interface StoredBackup extends BackupRecord {
  /** Of this form. */
  readonly format: 1;
  readonly order: string;
  readonly dom0: string;
  /** Of what the engine wrote, before compression: in hexadecimal. */
  readonly streamSha256: string;
  /** Packages of the tools that made it, with their versions. */
  readonly tools: readonly string[];
  /** Why this engine. */
  readonly why: string;
  readonly fileSystem: SavedFileSystem;
  /** Sizes of the guest's disks in bytes. Swap is made anew. */
  readonly disks: { readonly root: number; readonly swap?: number };
  readonly spec: Omit<GuestSpec, 'access'> & { readonly access: Omit<GuestSpec['access'], 'sealedPassword'> };
  /** The guest's cfg, where there is one. */
  readonly cfg?: string;
  readonly endedAt: string;
}

/** Something on a dom0 that carries guestflow's mark, or lies in a place that only guestflow makes. */
export interface MarkedThing {
  /** `volume vg01/guest1-root`, `/etc/xen/guest1.cfg`, `domain guest1`, … */
  readonly what: string;
  /** Or `golden/DIST`: what is half made for every guest of a distribution. */
  readonly guest: string;
  /** `UNKNOWN_ORDER` when only its place tells whose it is. */
  readonly order: string;
}

/** Stands where an order's id would, which it cannot be: every step on a dom0 refuses it. */
export const UNKNOWN_ORDER = '?';

/** Stands before a distribution where a guest's name would, which it cannot be. */
export const GOLDEN = 'golden/';

/** What an audit of a dom0 found of one guest. */
export interface AuditRow {
  /** As in `MarkedThing`. */
  readonly guest: string;
  readonly order: string;
  /** On the dom0; and the Schedule of an orphan's backups. */
  readonly things: readonly string[];
  /** A workflow of that name claims it, and lives on this dom0. Without one it is an orphan. */
  readonly claimed: boolean;
  /** Why it is an orphan, or which phase the guest is in. */
  readonly reason: string;
}

/** What is on the dom0 of one guest. */
export interface GuestInventory {
  readonly domain?: DomainRow;
  readonly cfg?: string;
  readonly autostart: boolean;
  readonly imageDirectory?: string;
  readonly volumes: readonly { readonly name: string; readonly bytes: number; readonly device: string }[];
  readonly backups: readonly BackupRecord[];
  readonly console?: string;
}
