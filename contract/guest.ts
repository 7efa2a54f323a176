/** A guest: its order, what was decided of it, and what is known of it; what may be asked for it: `guest-requests.ts`. Plain types: workflow code imports them. */
import type { GuestFields } from './field-types.ts';
import type { BackupRecord } from './backup.ts';
import type { GoldenOfGuest } from './golden.ts';
import type { NightRecord } from './nights.ts';
import type { StepProgress } from './progress.ts';
import type { WallclockResult } from './step-results.ts';

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
  /** The dom0 that tells it. A guest that lives on another one by now does not heed it. Default: its own. */
  readonly dom0?: string;
  /** Not known when nobody watched, or when it was ended from outside. */
  readonly how?: DomainEnd;
  /** Xen has started it again by itself. */
  readonly isBack?: true;
}

/** How Xen runs a guest. */
export type GuestType = 'pv' | 'pvh';

/** A backup of a guest, by which another one is made. */
export interface GuestOrigin {
  readonly guest: string;
  readonly order: string;
  /** Id of the backup. */
  readonly backup: string;
  /** The dom0 that took it, if that is another one than the order's: it lies in one of the order's dom0's `foreignRepositories`. */
  readonly dom0?: string;
  /** It is this guest's own: its disk stays the machine that it was. Default: another machine is made of it. */
  readonly isItself?: true;
}

/** An order after the plan's defaults: all that is known before a dom0 is asked. */
export interface GuestOrder extends GuestFields {
  /** Host name in the guest. Default: the name. A guest ordered by billing is named after its order; its host name is the customer's. */
  readonly hostname?: string;
  /** Id of the customer in the provider's billing: for keeping a customer's guests on different dom0s. */
  readonly customer?: string;
  /** Its disk is made from this backup, and not from an image. Only `guestflow restore --as` and whoever may restore can ask for it. */
  readonly origin?: GuestOrigin;
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

export type GuestPhase =
  | 'ordered'
  | 'provisioning'
  | 'running'
  | 'stopped'
  | 'suspended'
  | 'rescue'
  | 'terminating'
  | 'gone'
  | 'failed'
  | 'needs-cleanup'
  | 'lost';

/** What a guest's spec says of the system on its disk: it goes where the disk goes. */
export type SystemOfDisk = Pick<GuestSpec, 'os' | 'access' | 'hostname'>;

/** A disk beside a guest's root disk that can take its place: one that was made from a backup, or the root disk of before a restore. */
export type SpareRole = 'restored' | 'former';

/** A disk of a guest that is kept beside the one that it has: that of before a restore, or a restored one that was taken back. */
export interface KeptDisk {
  readonly role: SpareRole;
  /** Id of the backup that was restored; '' after a reinstall. */
  readonly backup: string;
  /** When that backup was taken. */
  readonly takenAt: string;
  readonly diskBytes: number;
  /** It is wiped and removed then. */
  readonly keptUntil: string;
  /** After a reinstall: the system on it. */
  readonly system?: SystemOfDisk;
  /** The golden image that it was made of. */
  readonly golden?: GoldenOfGuest;
}

/** The disk of a guest's rescue system. */
export interface RescueDisk {
  /** When it was started (ISO 8601). */
  readonly since: string;
  readonly diskBytes: number;
}

/** The answer to an order. */
export interface OrderAnswer {
  readonly workflowId: string;
  readonly runId: string;
  readonly name: string;
  readonly order: string;
}

/** A guest is told that its dom0 is lost, or that it was found again. */
export interface Dom0Lost {
  readonly dom0: string;
  /** When an operator said so (ISO 8601). Undefined: it was found again. */
  readonly since?: string;
}

/** What a guest knows of the loss of its dom0. */
export interface LostGuest {
  readonly since: string;
  /** The phase in which it was, to which it returns if the dom0 is found again. */
  readonly from: GuestPhase;
  /** It was: what is left is to return. */
  readonly isFound?: true;
  /** The dom0 on which it is being restored. What is made there is this guest's. */
  readonly to?: string;
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
  /** Id of its customer, where its order gave one. */
  readonly customer?: string;
  readonly order: string;
  readonly dom0: string;
  readonly plan: string;
  readonly phase: GuestPhase;
  readonly orderedAt: string;
  readonly spec?: GuestSpec;
  /** The golden image that its system was made of, when it was ordered or installed anew. Undefined: it was made of a backup, or it is not known. */
  readonly golden?: GoldenOfGuest;
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
  /** After a restore: the other disk. */
  readonly kept?: KeptDisk;
  /** The disk of its rescue system: it runs from that, or what is left of it could not be removed. */
  readonly rescue?: RescueDisk;
  /** It has no backup yet: when the next attempt at its first one is made by itself. */
  readonly firstBackupAt?: string;
  /** When it is next proven that it can be restored from its last backup. */
  readonly proveAt?: string;
  /** Until when the backups of a guest that is gone are kept. */
  readonly backupsUntil?: string;
  /** The phase it was terminated in, to which `undelete` brings it back. */
  readonly retiredFrom?: GuestPhase;
  /** Its dom0 is lost, for good. */
  readonly lost?: LostGuest;
  /** Days for which the removal that could not finish was to keep the backups: cleaning up keeps them, too. */
  readonly removalKeepsDays?: number;
  /** When it was started again because its domain was gone: those of the last hour. */
  readonly restarts?: readonly string[];
  /** When it will be. */
  readonly restartAt?: string;
  /** It is left stopped then, instead. */
  readonly leavesStopped?: true;
}
