/** The record beside a backup: JSON that a person can read, with a checksum of its own, so that a change of any byte is noticed. */
import { createHash } from 'node:crypto';
import type { StoredBackup } from '../../../contract/backup.ts';

/** What tells one record from another: the checksum that it holds of itself. */
export function sumOf(backup: object): string {
  return createHash('sha256').update(JSON.stringify(backup)).digest('hex');
}

/** A text with its own checksum: of a backup's record, or of its proof. */
export function recordText(backup: object): string {
  return `${JSON.stringify({ ...backup, recordSha256: sumOf(backup) }, undefined, 2)}\n`;
}

/** The backup that a record describes; undefined if the record is not, byte for byte, what was written. */
export function readRecord(text: string): StoredBackup | undefined {
  return readSummed(text) as StoredBackup | undefined;
}

/** What a text with its own checksum holds; undefined if it is not, byte for byte, what was written. */
export function readSummed(text: string): object | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const { recordSha256: _sum, ...rest } = found as { recordSha256?: unknown };
  return recordText(rest) === text ? rest : undefined;
}
