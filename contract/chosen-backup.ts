/** Which backup somebody means, who names it, or a time, or neither. Pure. */
import { isGood, type BackupRecord } from './backup.ts';

/** `backup`: its id. `at`: the last one of this time or before (ISO 8601). Neither: the last one. */
export interface WantedBackup {
  readonly backup?: string;
  readonly at?: string;
}

/** A backup that another dom0 has taken. */
export interface ForeignWish extends WantedBackup {
  /** Of this guest. */
  readonly name: string;
  /** Of this order. Default: the only one that has backups there. */
  readonly order?: string;
}

/** The verified backup that is meant, or in words why there is none. */
export function chosenBackup(
  backups: readonly BackupRecord[],
  { backup, at }: WantedBackup,
): { readonly found: BackupRecord } | { readonly whyNone: string; readonly field: keyof WantedBackup } {
  const usable = backups.filter(isGood);
  const found = usable.findLast(({ id, takenAt }) => (backup === undefined ? at === undefined || takenAt <= at : id === backup));
  if (found !== undefined) return { found };
  const first = usable[0];
  const there = first === undefined ? 'there is none' : `the first of ${usable.length} is ${first.id}`;
  const wanted = backup === undefined ? `verified backup${at === undefined ? '' : ` of ${at} or before`}` : `verified backup ${backup}`;
  return { whyNone: `the guest has no ${wanted}: ${there}`, field: backup === undefined ? 'at' : 'backup' };
}
