/** A kind of guest: what its cfg says, how it answers, how scripts get into it. Steps know no kind. */
import type { GuestSpec, ImageResult } from '../../../contract/types.ts';
import type { RunResult } from '../../../system/run.ts';
import type { Ref } from '../marks.ts';

/** Which disks a guest's cfg names: its image files, or those that the storage has for it. */
export type DiskKind = 'image' | 'volume';

/** What a cfg is to say. */
export interface CfgWish {
  readonly spec: GuestSpec;
  readonly disks: DiskKind;
  /** `destroy` until the guest has answered once: with `restart`, one that panics at boot would loop for ever. */
  readonly onCrash: 'destroy' | 'restart';
}

/** A cfg that was made, and is not in place yet. */
export interface CfgDraft {
  readonly bytes: Buffer;
  /** The settings that differ from the file that it was made from. */
  readonly changed: readonly string[];
}

/** What a guest says when it is asked; undefined: nothing yet. */
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

export interface GuestKind {
  /** Makes the guest's first image, or finds it made. */
  makeImage(spec: GuestSpec): Promise<ImageResult>;
  /** The cfg as wished, made of another one: what is not ours to say stays as it is there. */
  draftCfg(base: Buffer, wish: CfgWish): CfgDraft;
  /** The points in which the toolstack's reading differs from what was wished, in words. */
  misread(config: unknown, wish: CfgWish): string[];
  /** Whether guestflow's key has left the guest: it is its tenant's alone from there on. */
  isSealed(ref: Ref): Promise<boolean>;
  /** Asks the guest over the network, by guestflow's key. */
  greet(ref: Ref, ip: string): Promise<Answer>;
  /** Whether the guest shows its own host key at the address. It has no key of ours any more: this is its answer. */
  identify(ref: Ref, ip: string): Promise<Answer>;
  /** Runs a script in the guest. @throws GuestDidNotAnswer, ToolError */
  run(spec: GuestSpec, script: GuestScript): Promise<RunResult>;
  /** Takes guestflow's key off dom0, after it has left the guest. */
  dropKey(ref: Ref): Promise<void>;
}
