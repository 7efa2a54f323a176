/** What a guest has used. Plain types: workflow code imports them. */

/** Bytes at a guest's vifs, with their Ethernet headers. */
export interface Traffic {
  /** To the guest. */
  readonly inBytes: number;
  /** From the guest, also what was dropped on the way. */
  readonly outBytes: number;
}

/** The traffic of one month. */
export interface MonthTraffic extends Traffic {
  /** `2026-01`, by UTC. */
  readonly month: string;
}

/** What a guest has used, and what it has now. */
export interface GuestUsage {
  /** When its traffic was first counted (ISO 8601). Undefined: it is not counted yet. */
  readonly since?: string;
  /** The last months with traffic, the newest first. */
  readonly months: readonly MonthTraffic[];
  /** Bytes of all its disks on the dom0: root, swap, and one that is kept beside them. */
  readonly diskBytes: number;
  /** What its domain has now; 0 while it is off. */
  readonly memoryBytes: number;
  readonly vcpus: number;
}
