/** Wipes a device with zeros. */
import { defined } from '../../../../contract/defined.ts';
import { checkedPath } from '../../tools/arguments.ts';
import type { Host } from '../../../../system/host.ts';
import { paced, type Pace } from '../../../../system/pace.ts';

const ZERO_STEP_BYTES = 256 * 2 ** 20;
const DAY_MS = 24 * 60 * 60 * 1000;
const FLUSH_LIMIT_MS = 10 * 60 * 1000;

/** Which part of a device is wiped, and how. */
export interface Wipe {
  /** The device's size: for `onProgress`, and for what is left of it. */
  readonly bytes: number;
  /** Only from there on. Default: all of it. */
  readonly offset?: number;
  /** Default: as fast as the device can. */
  readonly pace?: Pace;
  readonly signal?: AbortSignal;
  /** Told the bytes that are done. */
  readonly onProgress?: (doneBytes: number) => void;
  /** Told from time to time up to where the zeros are safely on the disk: from there a wipe that was cut short may go on. */
  readonly checkpoint?: { readonly everyBytes: number; readonly reached: (bytes: number) => Promise<void> };
}

/**
 * Writes zeros over a whole device, so that the next user of its space reads nothing of it. The kernel refuses this while a file system on the device is
 * mounted in dom0, but not while a guest uses it: call `closedVolumes` before.
 */
export async function zeroVolume(host: Host, device: string, wipe: Wipe): Promise<void> {
  const { bytes, offset = 0, pace, signal, checkpoint } = wipe;
  const step = pace === undefined ? (checkpoint?.everyBytes ?? Infinity) : pacedStep(pace.bytesPerSecond);
  let kept = offset;
  for (let at = offset; at < bytes; at += step) {
    const isLast = at + step >= bytes;
    // The last part has no length, so that it reaches the device's very end.
    const part = [...(at === 0 && isLast ? [] : ['--offset', String(at)]), ...(isLast ? [] : ['--length', String(step)])];
    const work = (): Promise<void> => zeroPart(host, device, wipe, part);
    await (pace === undefined ? work() : paced(pace, isLast ? bytes - at : step, work, signal));
    if (checkpoint === undefined || isLast || at + step - kept < checkpoint.everyBytes) continue;
    kept = at + step;
    await flushDevice(host, device, signal);
    await checkpoint.reached(kept);
  }
}

/** Gives the blocks behind `offset` back to the thin pool. They read as zeros then. */
export async function discardFrom(host: Host, device: string, offset: number, signal?: AbortSignal): Promise<void> {
  await host.run('blkdiscard', ['--offset', String(offset), checkedPath('device', device)], { timeoutMs: DAY_MS, ...defined({ signal }) });
}

/** Flushes a device: what was written to it is on the disk afterwards, not only in the disk's cache. */
async function flushDevice(host: Host, device: string, signal?: AbortSignal): Promise<void> {
  await host.run('sync', ['--', checkedPath('device', device)], { timeoutMs: FLUSH_LIMIT_MS, ...defined({ signal }) });
}

/** About a second's worth, in whole extents. */
function pacedStep(bytesPerSecond: number): number {
  const extent = 4 * 2 ** 20;
  return Math.min(ZERO_STEP_BYTES, Math.max(1, Math.floor(bytesPerSecond / extent)) * extent);
}

async function zeroPart(host: Host, device: string, { bytes, signal, onProgress }: Wipe, part: readonly string[]): Promise<void> {
  // In steps, because one request for the whole device could be neither cancelled nor followed.
  await host.run('blkdiscard', ['--zeroout', '--verbose', '--step', String(ZERO_STEP_BYTES), ...part, checkedPath('device', device)], {
    timeoutMs: DAY_MS,
    ...defined({ signal }),
    onOutput: (text) => {
      const last = /Zero-filled (\d+) bytes from the offset (\d+)\s*$/.exec(text);
      if (last !== null) onProgress?.(Math.min(bytes, Number(last[1]) + Number(last[2])));
    },
  });
}
