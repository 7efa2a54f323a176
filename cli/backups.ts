/** `guestflow backups`: a guest's last backups, and what came of its nights. */
import type { Night } from '../client/index.ts';
import { backupPlace } from '../contract/backup-place.ts';
import { formatSize } from '../contract/sizes.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { printJson, printLine, printTable, type Io } from './io.ts';

export async function showBackups(io: Io, name: string, options: ServerOptions): Promise<undefined> {
  const [{ backups }, nights] = await withGuestflow(options, (flow) => Promise.all([flow.status(name), flow.nights(name)]));
  if (options.json) {
    printJson(io, { backups, nights });
    return undefined;
  }
  if (backups.length === 0) printLine(io, `no backups of ${name}`);
  else
    printTable(
      io,
      ['ID', 'TAKEN', 'SIZE', 'STATE', 'ENGINE', 'PATH'],
      backups.map((backup) => [backup.id, backup.takenAt, formatSize(backup.bytes), backup.state, backup.engine, backupPlace(backup)]),
    );
  if (nights.length === 0) return undefined;
  printLine(io, '');
  printTable(
    io,
    ['NIGHT', 'STATE', 'BACKUP', 'WHY'],
    nights.map(({ due, backup = '', ...night }) => [due, stateOf(night), backup, night.reason ?? '']),
  );
  return undefined;
}

function stateOf({ state, lateMinutes }: Pick<Night, 'state' | 'lateMinutes'>): string {
  return lateMinutes === undefined ? state : `${state}, ${lateMinutes} minutes late`;
}
