/** What a guest publishes of its backups: pure. */
import { isGood } from '../../contract/backup.ts';
import type { BackupHealth } from '../../contract/backup-health.ts';
import { defined } from '../../contract/defined.ts';
import type { GuestState } from './state.ts';

/** @param proveDays as its order says */
export function healthOf({ orderedAt, backups, nights, scheduleId }: GuestState, proveDays: number): BackupHealth {
  const newest = (times: readonly string[]): string | undefined => [...times].sort().at(-1);
  const lastAt = newest(backups.filter(isGood).map(({ takenAt }) => takenAt));
  const provenAt = newest(backups.filter(({ state }) => state === 'proven').map(({ takenAt }) => takenAt));
  const night = nights?.at(-1);
  return {
    since: orderedAt,
    ...defined({ lastAt, provenAt }),
    proveDays,
    unusable: backups.filter(({ state, takenAt }) => state === 'unusable' && (provenAt === undefined || takenAt > provenAt)).length,
    isNightly: scheduleId !== undefined,
    ...(night === undefined ? {} : { night: { due: night.due, state: night.state } }),
  };
}
