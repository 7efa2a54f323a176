/** The port of a toolstack, which makes and controls domains. A driver stands behind it; steps see neither a tool nor its letters for states. */
import type { DomainEnd } from '../../../contract/guest.ts';
import type { DomainRow, PreflightRow } from '../../../contract/dom0.ts';
import type { Traffic } from '../../../contract/usage.ts';
import type { Limits } from '../../../system/run.ts';
import type { Thing } from '../inventory/thing.ts';
import type { DomainRef, Owner, Ref } from '../marks.ts';

/** The machine as its hypervisor tells it. Memory in MiB. */
export interface MachineFacts {
  readonly xenVersion: string;
  readonly totalMemoryMiB: number;
  readonly freeMemoryMiB: number;
  readonly cpus: number;
}

/** The toolstack's reading of a cfg file, without acting on it. */
export interface CfgReading {
  readonly config: unknown;
  /** What it says of the file: that a setting was dropped or misread, or how it has read one. */
  readonly warnings: readonly string[];
}

/** A guest's cfg file. */
export interface CfgFile {
  readonly path: string;
  readonly bytes: Buffer;
  /** By its header; undefined if it has no header of ours. */
  readonly owner: Owner | undefined;
}

/** A tool and its arguments. */
export interface CommandLine {
  readonly tool: string;
  readonly args: readonly string[];
}

/** The toolstack of a dom0. What changes a domain takes its id: its name may belong to another domain by then. */
export interface Toolstack {
  facts(): Promise<MachineFacts>;
  /** Rows of the preflight. */
  preflight(): Promise<PreflightRow[]>;
  /** All domains, dom0 among them, and those that are ending. */
  domains(): Promise<DomainRow[]>;
  /** The domain of exactly this name. */
  find(name: string): Promise<DomainRow | undefined>;
  /** The guest's domain, or its other one of that name. @throws NotOurs if a domain of its name has no cfg of this order */
  findOwn(ref: DomainRef): Promise<DomainRow | undefined>;
  /**
   * @throws ToolFailed when a domain of this name is left, ending ones included. One that is taken apart has often lost its name and is not found
   * here: what it still holds of disks, the storage sees.
   */
  mustBeOff(name: string): Promise<void>;

  /**
   * Makes and starts a domain, and returns when it exists. If the call is cancelled, a domain may be left behind.
   *
   * @param options `cfg`: path of the cfg that it is made from. Default: the guest's own
   */
  create(name: string, options?: Limits & { readonly cfg?: string }): Promise<void>;
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
  /** Sets a domain's memory to so many MiB; the guest follows in its own time. False: the domain was started with a lower limit. */
  setMemory(id: number, mib: number): Promise<boolean>;
  /** Sets how many of its vcpus are online; the guest follows in its own time. */
  setVcpus(id: number, count: number): Promise<void>;
  /** Its vcpus: the limit with which it was started, and how many are online. */
  vcpus(id: number): Promise<{ readonly room: number; readonly online: number }>;
  /** What a domain's vifs have counted since they were made, by their numbers; nothing of a domain that is not there. */
  traffic(id: number): Promise<Readonly<Record<string, Traffic>>>;
  /** The last lines of its console; empty if no log is kept. */
  console(name: string, lines?: number): Promise<string>;
  /**
   * The command line that attaches its standard input and output to a domain's console. It writes a byte to descriptor 3 once it has it.
   *
   * @throws HostNotReady when the tool is not there
   */
  consoleCommand(id: number): Promise<CommandLine>;
  /** Row of the preflight: whether consoles are kept. */
  consoleLog(): Promise<PreflightRow>;
  /** Removes the log of its console, so that the next one begins with the next domain of this name. */
  forgetConsole(name: string): Promise<void>;
  /** How its domain ended last; undefined if that is unknown. */
  howEnded(name: string): Promise<DomainEnd | undefined>;

  cfgPath(name: string): string;
  /** The guest's cfg; undefined if there is none. */
  readCfg(name: string): Promise<CfgFile | undefined>;
  /** All files from which a guest may be made, ours or not. */
  cfgs(): Promise<CfgFile[]>;
  /** Has the toolstack read a file without acting. @throws ToolFailed if it cannot read the file */
  tryCfg(path: string): Promise<CfgReading>;
  /** What the toolstack prints about a file, even about one that it refuses. */
  saidOfCfg(path: string): Promise<readonly string[]>;
  /** Puts the guest's cfg in place, whole. */
  placeCfg(name: string, bytes: Uint8Array): Promise<void>;
  /** Removes what killed attempts to place the cfg have left beside it. */
  clearHalfCfg(name: string): Promise<void>;
  /** Removes the guest's cfg, and the link to it before. */
  removeCfg(name: string): Promise<void>;

  /** Has the guest start with its dom0. @returns the link. @throws NotOurs when something else has its place */
  enableAutostart(name: string): Promise<string>;
  /** Undo of `enableAutostart`. A link that is not ours stays. */
  disableAutostart(ref: Ref): Promise<void>;
  /** Whether something is in the place of the guest's link. */
  hasAutostart(name: string): Promise<boolean>;

  /**
   * Puts the guest's saved memory aside, where no boot of the dom0 restores it: its disks will be newer, or the guest is to stay off.
   *
   * @returns where it was
   */
  putSavedAside(ref: DomainRef): Promise<string[]>;
  /** Overwrites and removes what was put aside of the guest. */
  wipeAside(ref: DomainRef, signal: AbortSignal): Promise<void>;
  /** Overwrites and removes all saved memory of the guest, slowly, so that other guests can use the disks. */
  wipeSaved(ref: DomainRef): Promise<void>;

  /**
   * Domains, cfg files, links to them, and saved memory, whole or half made.
   *
   * @param guest only what concerns a guest of this name. Default: all.
   */
  things(guest?: string): Promise<Thing[]>;
}
