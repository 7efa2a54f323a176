/**
 * That retention may not remove a backup: a file beside its record, which itself stays as it was written. That the file is there is what counts, whatever is
 * in it: a damaged one must not let the backup go.
 */
import type { StoredBackup } from '../../../contract/backup.ts';

export function protectionName(id: string): string {
  return `${id}.protected.json`;
}

/** For people: since when. */
export function protectionText({ id, guest }: StoredBackup, now: Date): string {
  return `${JSON.stringify({ format: 1, id, guest, protectedAt: now.toISOString() })}\n`;
}

/** The backup as its protection says. What its record says of that counts for nothing. */
export function withProtection<T extends StoredBackup>({ isProtected: _claimed, ...backup }: T, isProtected: boolean): T {
  return { ...backup, ...(isProtected ? { isProtected } : {}) } as T;
}
