/** A kind of guest: what its cfg says, how it answers, how scripts get into it. Steps know no kind. */
import type { AccessPart } from '../../../contract/access-parts.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { ImageResult } from '../../../contract/step-results.ts';
import type { RunResult } from '../../../system/run.ts';
import type { Origin } from '../images/make-personal.ts';
import type { Ref } from '../marks.ts';

/** Which disks a guest's cfg names: its image files, or those that the storage has for it; of its rescue system, that one's disk, then the guest's own. */
export type DiskKind = 'image' | 'volume' | 'rescue';

/** What a cfg is to say. */
export interface CfgWish {
  readonly spec: GuestSpec;
  readonly disks: DiskKind;
  /** `destroy` until the guest has answered once: with `restart`, a guest that panics at boot would be restarted for ever. */
  readonly onCrash: 'destroy' | 'restart';
  /** Of a change: what the guest was before, or is changed to if it is undone. What guestflow has set by it may have to go. */
  readonly other?: GuestSpec;
}

/** A new cfg that is not in place yet. */
export interface CfgDraft {
  readonly bytes: Buffer;
  /** The settings that differ from the file from which it was made. */
  readonly changed: readonly string[];
}

/** The cfg of a rescue system. */
export interface RescueCfg {
  readonly bytes: Buffer;
  /** What the guest's root disk is called in it, like `xvdb`. */
  readonly root: string;
  /** The differences between the toolstack's reading of it and what it is to say, in words. */
  readonly misread: (config: unknown) => string[];
}

/** A guest's answer; undefined if it does not answer yet. */
export type Answer = { readonly kernel: string; readonly rootDevice: string } | undefined;

/** A fixed script that the guest's root runs. */
export interface GuestScript {
  readonly script: string;
  /** For the script's standard input, where values go. */
  readonly input?: string;
  /** Milliseconds. */
  readonly timeoutMs: number;
  /** Exit codes that count as success. 255 is ssh's own: it could not log in. Default: 0. */
  readonly okCodes?: readonly number[];
}

/** `isUp`: it came up, and by what that shows. If it is not up: what keeps it from that, where the console shows such a thing. */
export type ConsoleSight = { readonly isUp: true; readonly what: string } | { readonly isUp: false; readonly what?: string };

export interface GuestKind {
  /** Makes the guest's first image, or finds it made. */
  makeImage(spec: GuestSpec): Promise<ImageResult>;
  /**
   * Gives the system on a device, which is a copy of another one's, the identity of this guest. Nothing may have the device open.
   */
  makePersonal(spec: GuestSpec, device: string, origin: Origin): Promise<void>;
  /**
   * Sets a part of the access, as the spec has it, in the system on a device that nothing has open. What it replaces is kept for the undo until
   * `forgetAccess`.
   *
   * @param change id of the change
   * @throws InvalidInput when the system is not as one is
   */
  changeAccess(spec: GuestSpec, device: string, part: AccessPart, change: string): Promise<void>;
  /** Undo of `changeAccess`. If that change has changed nothing, or is over, it only wipes what was kept. */
  undoAccess(ref: Ref, device: string, change: string): Promise<void>;
  /**
   * Takes over from the guest's root disk how it is known: its host key, and whether guestflow's key opens it. The guest must be off.
   *
   * @param isJustMade by guestflow: no tenant has written to it. Default: one has, who may have done anything to it, and is given it back as it is
   * @throws ToolFailed when what was just made is not as guestflow makes it
   */
  recognise(spec: GuestSpec, device: string, isJustMade?: true): Promise<void>;
  /** Wipes what a change has kept for its undo. */
  forgetAccess(ref: Ref): Promise<void>;
  /** A cfg with nothing of an operator's in it, for a guest that was not made by xen-create-image. */
  bareCfg(): Buffer;
  /** Makes the wished cfg from another one. Settings that are not ours stay as they are there. */
  draftCfg(base: Buffer, wish: CfgWish): CfgDraft;
  /** The whole cfg of a trial of the guest: small, without a network, ended by whatever ends it. */
  trialCfg(spec: GuestSpec): Buffer;
  /**
   * The cfg of the guest's rescue system, made from the guest's own: all that an operator wrote there counts, and every disk in it is there, too.
   *
   * @throws ToolFailed, ChangeError when the guest's own cannot be made into one
   */
  rescueCfg(base: Buffer, spec: GuestSpec): RescueCfg;
  /** What a console shows of a system that starts. */
  readConsole(text: string): ConsoleSight;
  /** The differences between the toolstack's reading of a cfg and what was wished, in words. */
  misread(config: unknown, wish: CfgWish): string[];
  /** Whether guestflow's key was removed from the guest: from then on only its tenant can log in. */
  isSealed(ref: Ref): Promise<boolean>;
  /** Asks the guest over the network, with guestflow's key. */
  greet(ref: Ref, ip: string): Promise<Answer>;
  /** Whether the guest shows its own host key at the address. This is the answer of a sealed guest, which has no key of ours. */
  identify(ref: Ref, ip: string): Promise<Answer>;
  /** The same of its rescue system. */
  identifyRescue(ref: Ref, ip: string): Promise<Answer>;
  /** Runs a script in the guest. @throws GuestDidNotAnswer, ToolError */
  run(spec: GuestSpec, script: GuestScript): Promise<RunResult>;
  /** Removes guestflow's key from dom0, after it was removed from the guest. */
  dropKey(ref: Ref): Promise<void>;
}
