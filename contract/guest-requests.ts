/** What may be asked for a guest that is there, and what comes of it. Plain types: workflow code imports them. */
import type { BackupRecord, Pruned } from './backup.ts';
import type { GuestPhase, KeptDisk } from './guest.ts';
import type { OperationKind } from './operations.ts';

/** What another plan means for a guest. A disk only grows. */
export interface PlanChange {
  readonly plan: string;
  readonly memoryBytes: number;
  readonly vcpus: number;
  /** Room to grow from the next start on. Default: none. */
  readonly maxMemoryBytes?: number;
  readonly maxVcpus?: number;
  /** How much it sends at most, from the next start on: `100Mb/s`. Default: unlimited. */
  readonly rate?: string;
  readonly diskBytes: number;
  /** Whether the guest may be restarted for what Xen cannot change while it runs. */
  readonly mayRestart: boolean;
}

/** Another size of a guest's disk. */
export interface DiskChange {
  readonly diskBytes: number;
  /**
   * `live`: while the guest goes on, though guestflow cannot grow the file system in a sealed one. `offline`: the guest is stopped for it, and started
   * again. Default: a guest that is off stays off; a managed one that runs grows live; any other is refused.
   */
  readonly how?: 'live' | 'offline';
}

/** A new system on a guest's disk. What is left out stays as the guest has it. */
export interface Reinstall {
  readonly dist?: string;
  /** All public keys that root is to have. */
  readonly sshKeys?: readonly string[];
  /** The hash of root's password, sealed for the guest's dom0. */
  readonly sealedPassword?: Readonly<Record<string, string>>;
}

/** Who may log in to the rescue system of a guest. What is left out is as guestflow has set it for the guest last. */
export interface RescueAccess {
  /** All public keys that root is to have there. */
  readonly sshKeys?: readonly string[];
  /** The hash of root's password there, sealed for the guest's dom0. */
  readonly sealedPassword?: Readonly<Record<string, string>>;
}

/** Another access to a guest: who may log in as root, and under which name. */
export interface AccessChange {
  /** `setPassword`: its hash, sealed for the guest's dom0 (by that dom0's name) in the name of the guest's order. */
  readonly sealedPassword?: Readonly<Record<string, string>>;
  /** `setKeys`: all public keys that root is to have, as they are kept of an order. Empty: none. */
  readonly sshKeys?: readonly string[];
  /** `setHostname`: as it is kept of an order. */
  readonly hostname?: string;
  /**
   * `offline`: a guest that runs is stopped for it, and started again. Default: a managed guest goes on, a sealed one that runs is refused; one that is off
   * stays off.
   */
  readonly how?: 'offline';
}

export interface OperationRequest {
  readonly kind: OperationKind;
  /** Id of the request: the same id again is the same request. */
  readonly id: string;
  /** `terminate`: without the grace period. */
  readonly now?: boolean;
  /** `changePlan`. */
  readonly change?: PlanChange;
  /** `resize`. */
  readonly resize?: DiskChange;
  /** `reinstall`. */
  readonly reinstall?: Reinstall;
  /** `rescue`. */
  readonly rescue?: RescueAccess;
  /** `setPassword`, `setKeys`, `setHostname`. */
  readonly access?: AccessChange;
  /** `restore`, `restoreElsewhere`, `prove`, `protect`, `unprotect`: id of the backup. Default: the last one, of a restore the last one that `at` allows. */
  readonly backup?: string;
  /** `restoreElsewhere`: the dom0 that gets the guest. */
  readonly dom0?: string;
  /** `restore`, `restoreElsewhere`: no backup that was taken later than this (ISO 8601, UTC). Default: the last one. */
  readonly at?: string;
  /** `prove`: leave it for later when the dom0 has something else to do, or no room for it. */
  readonly whenIdle?: true;
}

/** What came of a resize. */
export interface Resized {
  readonly fromBytes: number;
  readonly diskBytes: number;
  readonly how: 'live' | 'offline';
  /** Size of the file system, as the guest says; only of one that was grown live. */
  readonly fileSystemBytes?: number;
  /** Why the file system was not grown with its disk: who has root in the guest runs resize2fs. */
  readonly left?: string;
}

export interface OperationResult {
  readonly kind: OperationKind;
  readonly phase: GuestPhase;
  /** `restoreElsewhere`: the one that it was restored from. */
  readonly backup?: BackupRecord;
  readonly pruned?: Pruned;
  /** `prove`: why it was left for later. */
  readonly leftForLater?: string;
  readonly graceUntil?: string;
  /** `restore`: the disk of before. */
  readonly kept?: KeptDisk;
  /** `resize`. A disk that became smaller has a `backup`, too. */
  readonly resized?: Resized;
}
