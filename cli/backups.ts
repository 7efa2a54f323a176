/** `guestflow backups`: a guest's last backups, and what came of its nights. */
import type { Night } from '../client/index.ts';
import { backupPlace } from '../contract/backup-place.ts';
import { defined } from '../contract/defined.ts';
import { GuestflowError } from '../contract/errors.ts';
import { formatSize } from '../contract/sizes.ts';
import type { BackupRecord } from '../contract/backup.ts';
import type { GuestInventory } from '../contract/dom0.ts';
import { going, retain } from '../workflows/backups/retention.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { printJson, printLine, printTable, type Io } from './io.ts';

export async function showBackups(io: Io, name: string, options: ServerOptions): Promise<undefined> {
  const [{ backups, proveAt, firstBackupAt }, nights] = await withGuestflow(options, (flow) =>
    Promise.all([flow.status(name), flow.nights(name)]),
  );
  if (options.json) {
    printJson(io, { backups, nights, ...defined({ proveAt, firstBackupAt }) });
    return undefined;
  }
  if (backups.length === 0) printLine(io, `no backups of ${name}`);
  else
    printTable(
      io,
      ['ID', 'TAKEN', 'SIZE', 'STATE', 'PROOF', 'AS', 'ENGINE', 'PATH', 'REMARK'],
      backups.map((backup) => [
        ...[
          backup.id,
          backup.takenAt,
          formatSize(backup.bytes),
          backup.isProtected === true ? `${backup.state}, protected` : backup.state,
          proofOf(backup),
          backup.consistency,
          backup.engine,
          backupPlace(backup),
        ],
        remarkOf(backup),
      ]),
    );
  if (firstBackupAt !== undefined)
    printLine(io, `there is none yet; unless the first one is being taken, the next attempt is at ${firstBackupAt}`);
  if (proveAt !== undefined) printLine(io, `the next proof is due at ${proveAt}`);
  if (nights.length === 0) return undefined;
  printLine(io, '');
  printTable(
    io,
    ['NIGHT', 'STATE', 'BACKUP', 'WHY'],
    nights.map(({ due, backup = '', ...night }) => [due, stateOf(night), backup, night.reason ?? '']),
  );
  return undefined;
}

/** What retention keeps, by which rule, and what would go. Changes nothing. */
export async function showPrune(io: Io, name: string, options: ServerOptions): Promise<undefined> {
  const { backups, verdicts } = await withGuestflow(options, async (flow) => {
    const { dom0, order, spec } = await flow.status(name);
    if (spec === undefined) throw new GuestflowError('Busy', `${name} was not provisioned: there is nothing to prune`);
    const inventory = await flow.dom0Task<GuestInventory>(dom0, 'inspect', { guest: { name, order, dom0 } });
    return { backups: inventory.backups, verdicts: retain(inventory.backups, spec.backup.retention, spec.os.timezone) };
  });
  const bytesOf = new Map(backups.map(({ id, bytes }) => [id, bytes]));
  const rows = verdicts.map((verdict) => ({ ...verdict, bytes: bytesOf.get(verdict.id) ?? 0 }));
  const ids = going(verdicts);
  const bytes = ids.reduce((sum, id) => sum + (bytesOf.get(id) ?? 0), 0);
  if (options.json) {
    printJson(io, { guest: name, backups: rows, going: ids, bytes });
    return undefined;
  }
  if (rows.length > 0)
    printTable(
      io,
      ['ID', 'TAKEN', 'SIZE', 'KEPT BY'],
      rows.map((row) => [row.id, row.takenAt, formatSize(row.bytes), row.keptBy.length === 0 ? '– (goes)' : row.keptBy.join(', ')]),
    );
  printLine(io, `${ids.length} of ${rows.length} backups of ${name} would go, ${formatSize(bytes)}; nothing was changed`);
  return undefined;
}

/** When it was last tried to start from it, and how long that took. */
function proofOf({ proof }: BackupRecord): string {
  return proof === undefined ? '' : `${proof.outcome} ${proof.at}${proof.seconds === 0 ? '' : ` in ${proof.seconds} s`}`;
}

function remarkOf({ warnings = [], proof }: BackupRecord): string {
  return [...warnings, ...(proof === undefined || proof.outcome === 'proven' ? [] : [proof.what.split('\n', 1)[0]])].join('; ');
}

function stateOf({ state, lateMinutes }: Pick<Night, 'state' | 'lateMinutes'>): string {
  return lateMinutes === undefined ? state : `${state}, ${lateMinutes} minutes late`;
}
