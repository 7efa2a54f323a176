/** The backups that a guest lists. */
import { expect, it } from 'vitest';
import type { BackupRecord } from '../../../../contract/backup.ts';
import { withNewest } from '../../../../workflows/guest/operations/backup.ts';

it('are the last thirty, and all that are protected', () => {
  const backupOf = (number: number): BackupRecord =>
    ({ id: String(number), ...([3, 7].includes(number) ? { isProtected: true } : {}) }) as BackupRecord;
  let backups: BackupRecord[] = [];
  for (let number = 1; number <= 40; number += 1) backups = withNewest(backups, backupOf(number));
  expect(backups.map(({ id }) => Number(id))).toEqual([3, 7, ...Array.from({ length: 30 }, (_, index) => index + 11)]);
});
