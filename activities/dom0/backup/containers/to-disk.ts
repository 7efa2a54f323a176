/** Writes the content of a backup to a disk, or counts it, by dd. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { lineReader } from '../../../../system/lines.ts';
import { checkedPath } from '../../tools/arguments.ts';
import type { Container } from '../port.ts';

/** For what reads or writes a whole disk. */
export const DAY_MS = 24 * 60 * 60 * 1000;

/** What dd says of how far it is. It says so every second, and at its end. */
const COPIED = /^(\d+) bytes? /;

/** A device that reads as zeros, to which no zeros are written; or nowhere. */
export type DiskOrNone = { readonly device: string } | undefined;

/**
 * @returns how many bytes the content has
 * @throws ToolError if it cannot be read to its end
 */
export async function copyTo(to: DiskOrNone, container: Pick<Container, 'feed'>, onProgress: (bytes: number) => void): Promise<number> {
  let bytes = 0;
  const said = lineReader((line) => {
    bytes = Number(COPIED.exec(line)?.[1] ?? bytes);
    onProgress(bytes);
  });
  const target = to === undefined ? ['of=/dev/null'] : [`of=${checkedPath('device', to.device)}`];
  const conversion = to === undefined ? [] : ['conv=sparse,notrunc,fsync'];
  const args = [...target, 'bs=1M', 'iflag=fullblock', ...conversion, 'status=progress'];
  await container.feed({ tool: 'dd', args, onStderr: (text) => said.push(text) }, { sink: () => undefined });
  return bytes;
}

/** @throws BackupUnusable unless so many bytes came out of it */
export function mustHave({ title }: Pick<Container, 'title'>, contentBytes: number, found: number): void {
  if (found !== contentBytes) throw unlike(title, `holds ${String(found)} bytes, and must hold ${String(contentBytes)}`);
}

/** The error of a backup, or of what was restored from it, that is not what was saved. */
export function unlike(title: string, what: string): GuestflowError {
  return new GuestflowError('BackupUnusable', `${title} ${what}`);
}
