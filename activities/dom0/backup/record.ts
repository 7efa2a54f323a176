/** The record beside a backup: JSON that a person can read, with a checksum of its own, so that a change of any byte is noticed. */
import { createHash } from 'node:crypto';
import type { StoredBackup } from '../../../contract/backup.ts';

function sumOf(backup: object): string {
  return createHash('sha256').update(JSON.stringify(backup)).digest('hex');
}

export function recordText(backup: StoredBackup): string {
  return `${JSON.stringify({ ...backup, recordSha256: sumOf(backup) }, undefined, 2)}\n`;
}

/** The backup that a record describes; undefined if the record is not, byte for byte, what was written. */
export function readRecord(text: string): StoredBackup | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const { recordSha256: _sum, ...rest } = found as StoredBackup & { recordSha256?: unknown };
  return recordText(rest) === text ? rest : undefined;
}
