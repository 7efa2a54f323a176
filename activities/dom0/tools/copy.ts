/** Copies an image onto a device with qemu-img, which reads holes without reading them and writes them as zeros. */
import { checkedBytes, checkedPath } from './arguments.ts';
import type { Host } from '../../../system/host.ts';
import { defined } from '../../../contract/defined.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The last `(12.34/100%)` in a piece of qemu-img's output, as a share of 1. */
export function parseShare(text: string): number | undefined {
  const last = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)?.[1];
  return last === undefined ? undefined : Number(last) / 100;
}

/**
 * Copies `source` to the start of `device`. What the device has behind the image's end stays as it is: wipe it before.
 *
 * @param options `bytes`: size of the image, for `onProgress`, which is told the bytes that are done; `targetIsZero`: the whole device
 * reads as zeros, so that holes need not be written.
 */
export async function copyImage(
  host: Host,
  options: {
    readonly source: string;
    readonly device: string;
    readonly bytes: number;
    readonly targetIsZero: boolean;
    readonly signal?: AbortSignal;
    readonly onProgress?: (doneBytes: number) => void;
  },
): Promise<void> {
  const bytes = checkedBytes('size', options.bytes);
  // qemu-img's own default for the target is never to flush it.
  const how = ['-p', '-n', '-t', 'writeback', '-f', 'raw', '-O', 'raw', ...(options.targetIsZero ? ['--target-is-zero'] : [])];
  await host.run('qemu-img', ['convert', ...how, checkedPath('image', options.source), checkedPath('device', options.device)], {
    label: 'qemu-img convert',
    timeoutMs: DAY_MS,
    ...defined({ signal: options.signal }),
    onOutput: (text) => {
      const share = parseShare(text);
      if (share !== undefined) options.onProgress?.(Math.round(share * bytes));
    },
  });
}
