/** What `dom0 prepare` is made of: verbs that look at a bare Debian, say what they would change, change it, and undo it. */
import type { Host } from '../system/host.ts';

/** What the operator asks for. */
export interface Wishes {
  /** The bridge, and the interface that becomes its port. Absent: no bridge is made. */
  readonly bridge?: { readonly name: string; readonly port: string };
  /** The volume group, and the devices that it is made of. Absent: none is made. */
  readonly volumeGroup?: { readonly name: string; readonly devices: readonly string[] };
  /** Memory that dom0 keeps, MiB. Absent: what Xen or GRUB's settings say. */
  readonly dom0MemoryMiB?: number;
  /** Who says that the host is still reached over its new bridge. Default: `login`. */
  readonly confirm: 'login' | 'gateway';
}

/** What a verb found. `change`: what it would do, line by line; a line that begins with + or - is one of a file. */
export interface Finding {
  readonly state: 'there' | 'change' | 'not asked';
  readonly found: string;
  readonly changes: readonly string[];
}

/** What happens, for whoever watches. The operator's machine gets each as a line of JSON. */
export type PrepareEvent =
  | { readonly event: 'step'; readonly step: string; readonly state: 'begins' | 'done' | 'undone' | 'undo failed'; readonly text?: string }
  /** The bridge is up, and stays when `reachedFile` is there within `seconds`. */
  | { readonly event: 'awaits login'; readonly reachedFile: string; readonly seconds: number };

/** Of one run. */
export interface Job {
  readonly host: Host;
  readonly wishes: Wishes;
  readonly signal: AbortSignal;
  readonly emit: (event: PrepareEvent) => void;
  /** Registers the undo of the next change. It is called before the change, so that one that fails half-way is undone, too. */
  readonly onUndo: (what: string, undo: () => Promise<void>) => void;
}

/** One thing that a dom0 needs. */
export interface Verb {
  readonly name: string;
  /** Looks; changes nothing. Refuses (`InvalidInput`, `HostNotReady`, `NotOurs`) what it could not do. */
  look(job: Pick<Job, 'host' | 'wishes'>): Promise<Finding>;
  /** Does what `look` said; may be run again after it was killed anywhere. */
  do(job: Job): Promise<void>;
}

/** One row of a plan. */
export interface PlanRow extends Finding {
  readonly step: string;
}

/** What came of a run. */
export interface PrepareReport {
  readonly rows: readonly PlanRow[];
  /** Why the host must be booted again before guests can be made. */
  readonly reboot?: string;
}

export function there(found: string): Finding {
  return { state: 'there', found, changes: [] };
}

export function change(found: string, changes: readonly string[]): Finding {
  return { state: 'change', found, changes };
}

export function notAsked(found: string): Finding {
  return { state: 'not asked', found, changes: [] };
}
