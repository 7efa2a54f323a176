/** A dom0: what it has, what is on it, and what of it is sold. Plain types: workflow code imports them. */
import type { Amounts, Dom0Policy, GoldenAge, Holding, LedgerAudit, NetworkAccess, NotRenewed, Owner, PoolFacts } from './capacity.ts';
import type { GuestNetwork } from './guest.ts';
import type { BackupRecord } from './backup.ts';

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
  /** Its golden tarballs. Missing: of a worker of an earlier version. */
  readonly golden?: readonly GoldenAge[];
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

/** What a network leases to a guest: where it sits in it. */
export type LeasedAddress = GuestNetwork;

/** A dom0's ledger. */
export interface Dom0State {
  readonly host: string;
  readonly facts?: Dom0Facts;
  readonly drained: boolean;
  /** When an operator said that it is lost, for good (ISO 8601). */
  readonly lost?: string;
  readonly promised: readonly (ReserveRequest & { readonly since: string })[];
  /** Networks that an operator has added, beside the one of its settings. */
  readonly networks?: readonly NetworkAccess[];
  /** What the last audit came to. */
  readonly audit?: LedgerAudit;
  /** Golden images that could not be renewed. Default: none. */
  readonly notRenewed?: readonly NotRenewed[];
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
