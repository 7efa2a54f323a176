/** e2fsprogs and mkswap: file systems on devices and in image files, never mounted. */
import { GuestflowError } from '../../../contract/errors.ts';
import { checkedPath } from './arguments.ts';
import type { Host } from '../../../system/host.ts';
import { ToolError, type Limits } from '../../../system/run.ts';
import { defined } from '../../../contract/defined.ts';

/** What a file system's superblock says. */
export interface FsInfo {
  readonly uuid: string;
  /** `clean`, `not clean`, … */
  readonly state: string;
  readonly features: readonly string[];
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  /** Errors that a kernel has recorded since the file system was last checked. */
  readonly errors: number;
}

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** e2fsck: 0 nothing to do, 1 mended. 4 and above: errors are left. 2 asks for a reboot, which cannot be meant here. */
const CHECKED = [0, 1] as const;

function limited(limits: Limits): { timeoutMs: number; signal?: AbortSignal } {
  return { timeoutMs: limits.timeoutMs ?? HOUR_MS, ...defined({ signal: limits.signal }) };
}

/** Checks a file system from end to end and mends what is safe to mend. ToolError when errors are left. Time limit 1 h by default. */
export async function checkFs(host: Host, device: string, limits: Limits = {}): Promise<void> {
  await host.run('e2fsck', ['-f', '-p', checkedPath('device', device)], { ...limited(limits), okCodes: CHECKED });
}

/**
 * Brings a file system to where nothing of it is only in its journal, and mends the counters that are stale then.
 *
 * @throws ToolError of code 4 and above when a person is needed
 */
export async function preenFs(host: Host, device: string, limits: Limits = {}): Promise<void> {
  await host.run('e2fsck', ['-p', checkedPath('device', device)], { ...limited(limits), okCodes: CHECKED });
}

/** Reads all of a file system's own structure, and changes nothing. ToolError unless there is nothing to mend. */
export async function verifyFs(host: Host, device: string, limits: Limits = {}): Promise<void> {
  await host.run('e2fsck', ['-f', '-n', checkedPath('device', device)], limited(limits));
}

/** Grows a file system to its device's size. It must have been checked. */
export async function growFs(host: Host, device: string, limits: Limits = {}): Promise<void> {
  await resize(host, [checkedPath('device', device)], limits);
}

/** Shrinks a file system to `bytes`, a multiple of 1 KiB, moving what is behind. It must have been checked; refused when its content does not fit. */
export async function shrinkFs(host: Host, device: string, bytes: number, limits: Limits = {}): Promise<void> {
  await resize(host, [checkedPath('device', device), `${String(Math.floor(bytes / 1024))}K`], limits);
}

/**
 * The least size in bytes to which resize2fs can shrink a file system, by its own estimate. It changes nothing. The file system must have been checked.
 */
export async function leastFsBytes(host: Host, device: string, limits: Limits = {}): Promise<number> {
  const { stdout } = await host.run('resize2fs', ['-P', checkedPath('device', device)], limited(limits));
  const blocks = /^Estimated minimum size of the filesystem: (\d+)$/m.exec(stdout)?.[1];
  if (blocks === undefined) throw new GuestflowError('ToolFailed', `resize2fs does not say how small the file system on ${device} can be`);
  return Number(blocks) * (await fsInfo(host, device)).blockSize;
}

/**
 * Ended in the middle, resize2fs leaves a file system that nothing can be sure to mend: a cancel is heeded before it and after it, and its time
 * limit is one that no disk comes near. Time limit 24 h by default.
 */
async function resize(host: Host, args: readonly string[], { timeoutMs = DAY_MS, signal }: Limits): Promise<void> {
  signal?.throwIfAborted();
  await host.run('resize2fs', args, { timeoutMs });
  signal?.throwIfAborted();
}

/**
 * Brings a snapshot of a running guest's file system to what the guest had fsynced.
 *
 * Without it, tools that read the file system themselves (dump) miss what is only in the journal, and say nothing.
 */
export async function replayJournal(host: Host, device: string, limits: Limits = {}): Promise<void> {
  const path = checkedPath('device', device);
  try {
    await host.run('e2fsck', ['-E', 'journal_only', '-p', path], { ...limited(limits), okCodes: CHECKED });
  } catch (error) {
    // e2fsck before 1.45 has no such option; 16 is "usage".
    if (!(error instanceof ToolError) || error.code !== 16) throw error;
    await host.run('e2fsck', ['-p', path], { ...limited(limits), okCodes: CHECKED });
  }
}

/** `dumpe2fs -h`. */
export function parseFsInfo(text: string): FsInfo {
  const field = (name: string): string => {
    const found = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1];
    if (found === undefined) throw new GuestflowError('ToolFailed', `dumpe2fs does not say "${name}"`);
    return found.trim();
  };
  return {
    uuid: field('Filesystem UUID'),
    state: field('Filesystem state'),
    features: field('Filesystem features')
      .split(/\s+/)
      .filter((feature) => feature !== ''),
    blockSize: Number(field('Block size')),
    blocks: Number(field('Block count')),
    freeBlocks: Number(field('Free blocks')),
    // Said only when there is one.
    errors: Number(/^FS Error count:\s*(\d+)$/m.exec(text)?.[1] ?? 0),
  };
}

export async function fsInfo(host: Host, device: string): Promise<FsInfo> {
  return parseFsInfo((await host.run('dumpe2fs', ['-h', checkedPath('device', device)])).stdout);
}

/** Gives a file system an identity of its own. */
export async function newUuid(host: Host, device: string): Promise<void> {
  await host.run('tune2fs', ['-U', 'random', checkedPath('device', device)], { timeoutMs: HOUR_MS });
}

export async function makeSwap(host: Host, device: string): Promise<void> {
  await host.run('mkswap', ['-q', checkedPath('device', device)]);
}
