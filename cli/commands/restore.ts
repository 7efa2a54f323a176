/** `guestflow restore`: of a guest that exists, by an operation; from a directory of backups, without Temporal. */
import { InvalidArgumentError, type Command } from 'commander';
import { defined } from '../../contract/defined.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { withWaiting, type Context, type WaitingOptions } from '../context.ts';
import { bundledReader } from '../repository/bundled-reader.ts';
import { OF_TARGET, withRestoring } from '../repository/commands.ts';
import type { RestoreOptions } from '../repository/options.ts';

interface Options extends WaitingOptions, Omit<RestoreOptions, 'json'> {
  readonly at?: string;
  readonly as?: string;
  readonly order?: string;
  readonly ip?: string;
  readonly dom0?: string;
  readonly wait: boolean;
}

/** A time as people write it: a date alone is the begin of that day, without a zone it is UTC. */
function timeOf(text: string): string {
  const isPlain = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?$/.test(text);
  const at = new Date(isPlain ? `${text.replace(' ', 'T')}${text.length > 10 ? 'Z' : ''}` : text);
  if (Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('It is no time: write 2026-11-23, 2026-11-23T02:00 (UTC) or 2026-11-23T02:00:00+01:00.');
  return at.toISOString();
}

/** @throws InvalidInput for an option that means nothing without another, or beside it */
function mustGoTogether({ as, order, ip, dom0, wait, repository }: Options): void {
  const refuse = (field: string, why: string): never => {
    throw new GuestflowError('InvalidInput', `--${field} ${why}`, { field });
  };
  if (as !== undefined) return repository === undefined ? undefined : refuse('as', 'does not go with --repository');
  if (order !== undefined) refuse('order', 'goes with --as');
  if (ip !== undefined) refuse('ip', 'goes with --as');
  if (dom0 !== undefined && repository !== undefined) refuse('dom0', 'does not go with --repository');
  if (!wait) refuse('no-wait', 'goes with --as');
}

export function registerRestore(program: Command, context: Context): void {
  const { io } = context;
  withRestoring(
    withWaiting(
      program
        .command('restore')
        .summary("bring back a guest's disk, or files of it")
        .description(
          `Brings the root disk of a guest back from a backup. It is made and compared while the guest goes on; then the guest is stopped, and started from it. If it does not answer, it gets the disk back that it had. That disk is kept for the grace period of its plan, at least a day: \`guestflow undo-restore\` brings it back.

With --as, the guest stays as it is, and another one is made from the backup, on the same dom0, or with --dom0 on another one that has the backups in one of its foreignRepositories: with a file system UUID, host key, machine-id, host name and address of its own. Who could log in to the first can log in to it.

With --dom0 alone, a guest whose dom0 is lost (\`guestflow dom0 lost\`) is made on another one as itself, from one of the foreignRepositories there: with its name, order, address, MAC, keys and plan. Nobody may answer at its address. If that fails, it is lost as before.

With --repository, what is in a directory of backups is brought back on this machine, as root and without Temporal: the whole file system onto a block device or into a new file, or with --file single files. A device that is in use or too small is refused, and one that is not empty without --overwrite. Files are read by an unprivileged process that can see nothing else; what cannot be read is named, and makes the exit code 1.`,
        )
        .argument('<NAME>')
        .option('--at <TIME>', 'the last backup of this time or before (UTC, if it says no zone; default: the last one)', timeOf)
        .option('--as <NEW>', 'make another guest of this name from the backup')
        .option('--order <ID>', 'with --as: its order (default: manual-NEW)')
        .option('--ip <ADDRESS>', 'with --as: its address (default: the next free one)')
        .option(
          '--dom0 <HOST>',
          'make it on this dom0, from a directory of backups there: with --as another guest, without it the guest itself, whose dom0 is lost',
        )
        .option('--no-wait', 'with --as: return as soon as the order is taken'),
    ),
  ).action(
    context.action(async (name: string, options: Options) => {
      const { repository, at, backup } = options;
      if (at !== undefined && (backup !== undefined || repository !== undefined))
        throw new GuestflowError('InvalidInput', `--at does not go with --${backup === undefined ? 'repository' : 'backup'}`, {
          field: 'at',
        });
      mustGoTogether(options);
      if (repository !== undefined) return (await import('../repository/restore.ts')).restoreFrom(io, name, options, bundledReader);
      const alone = OF_TARGET.find((option) => options[option] !== undefined);
      if (alone !== undefined)
        throw new GuestflowError('InvalidInput', `--${alone} goes with --repository: a guest is restored in its place`, {
          field: alone,
          mend: 'name the directory of backups: --repository DIR, on the machine that has it',
        });
      if (options.as !== undefined) return (await import('../restore-as.ts')).restoreAs(io, name, { ...options, as: options.as });
      const { operate } = await import('../operate.ts');
      const { dom0 } = options;
      return operate(io, name, dom0 === undefined ? 'restore' : 'restoreElsewhere', options, defined({ backup, at, dom0 }));
    }),
  );
}
