/** What makes domains of guests and rules them. A driver stands behind this; steps see no tool, and no letters of one. */
import type { DomainEnd, DomainRow, PreflightRow } from '../../../contract/types.ts';
import type { Limits } from '../../../system/run.ts';
import type { Thing } from '../inventory/thing.ts';
import type { Owner, Ref } from '../marks.ts';

/** The machine as its hypervisor tells it. Memory in MiB. */
export interface MachineFacts {
  readonly xenVersion: string;
  readonly totalMemoryMiB: number;
  readonly freeMemoryMiB: number;
  readonly cpus: number;
}

/** What the toolstack makes of a cfg file that it reads without acting. */
export interface CfgReading {
  readonly config: unknown;
  /** What it says of the file: that a setting was dropped or misread, or how it has read one. */
  readonly warnings: readonly string[];
}

/** A guest's cfg file. */
export interface CfgFile {
  readonly path: string;
  readonly bytes: Buffer;
  /** By its header. Undefined: it carries none of ours. */
  readonly owner: Owner | undefined;
}

/** The toolstack of a dom0. Domains are named by their id where something is done to them: a name may be another's by then. */
export interface Toolstack {
  facts(): Promise<MachineFacts>;
  /** Rows of the preflight. */
  preflight(): Promise<PreflightRow[]>;
  /** All domains, dom0 among them, and those that are ending. */
  domains(): Promise<DomainRow[]>;
  /** The domain of exactly this name. */
  find(name: string): Promise<DomainRow | undefined>;
  /** The guest's domain. @throws NotOurs when one of its name has no cfg of this order */
  findOwn(ref: Ref): Promise<DomainRow | undefined>;
  /**
   * @throws ToolFailed when a domain of this name is left, ending ones included. One that is taken apart has often lost its name and is not found
   * here: what it still holds of disks, the storage sees.
   */
  mustBeOff(name: string): Promise<void>;

  /** Makes and starts a domain of the guest's cfg, and returns when it exists. One that was ended may leave a domain behind. */
  create(name: string, limits?: Limits): Promise<void>;
  /** Asks the guest to shut down, and returns at once: whether it was asked. One without the right drivers cannot be; one that has ended is unknown. */
  askToShutDown(id: number): Promise<boolean>;
  /** Ends a domain as if its power was cut. */
  destroy(id: number): Promise<void>;
  pause(id: number): Promise<void>;
  unpause(id: number): Promise<void>;
  /**
   * Waits until no domain of this name, or of this id, is left.
   *
   * @param limitMs milliseconds to wait at most
   * @returns whether it has gone
   */
  awaitGone(name: string, limitMs: number, id?: number): Promise<boolean>;
  /** Has a domain's memory become so many MiB, in its own time. False: it was started with less room than that. */
  setMemory(id: number, mib: number): Promise<boolean>;
  /** Has so many of its vcpus on, in its own time. */
  setVcpus(id: number, count: number): Promise<void>;
  /** Its vcpus: how many it was started with room for, and how many are on. */
  vcpus(id: number): Promise<{ readonly room: number; readonly online: number }>;
  /** The last lines of its console; empty where none is kept. */
  console(name: string, lines?: number): Promise<string>;
  /** How its domain ended last, where that is known. */
  howEnded(name: string): Promise<DomainEnd | undefined>;

  cfgPath(name: string): string;
  /** The guest's cfg; undefined: there is none. */
  readCfg(name: string): Promise<CfgFile | undefined>;
  /** All files that a guest may be made of, ours or not. */
  cfgs(): Promise<CfgFile[]>;
  /** Has the toolstack read a file without acting. @throws ToolFailed when it makes nothing of it */
  tryCfg(path: string): Promise<CfgReading>;
  /** What it says of a file, one that it refuses included. */
  saidOfCfg(path: string): Promise<readonly string[]>;
  /** Puts the guest's cfg in place, whole. */
  placeCfg(name: string, bytes: Uint8Array): Promise<void>;
  /** Removes what killed attempts to place the cfg have left beside it. */
  clearHalfCfg(name: string): Promise<void>;
  /** Removes the guest's cfg, and the link to it before. */
  removeCfg(name: string): Promise<void>;

  /** Has the guest start with its dom0. @returns the link. @throws NotOurs when something else has its place */
  enableAutostart(name: string): Promise<string>;
  /** Undo of it. What is not ours stays. */
  disableAutostart(ref: Ref): Promise<void>;
  /** Whether there is something in the place of the guest's link. */
  hasAutostart(name: string): Promise<boolean>;

  /**
   * Puts the guest's saved memory aside, where no boot of the dom0 restores it: from now on its disks are newer, or it is to stay off.
   *
   * @returns where it was
   */
  putSavedAside(ref: Ref): Promise<string[]>;
  /** Overwrites and removes what was put aside of the guest. */
  wipeAside(ref: Ref, signal: AbortSignal): Promise<void>;
  /** Overwrites and removes all saved memory of the guest. It leaves the disks to the guests. */
  wipeSaved(ref: Ref): Promise<void>;

  /**
   * What is ours or a guest's: domains, cfg files, links to them, saved memory; whole and half.
   *
   * @param guest only what concerns a guest of this name. Default: all.
   */
  things(guest?: string): Promise<Thing[]>;
}
