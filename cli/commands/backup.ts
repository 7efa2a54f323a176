/** Backups of a guest. */
import type { Command } from 'commander';
import { defined } from '../../contract/defined.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { withWaiting, type Context, type WaitingOptions } from '../context.ts';
import { bundledReader } from '../repository/bundled-reader.ts';
import { OF_REPOSITORY, pullCommand, serveCommand, withListing } from '../repository/commands.ts';
import type { ListOptions, PullOptions, ServeOptions } from '../repository/options.ts';

export interface BackupsOptions extends WaitingOptions, Omit<ListOptions, 'json'> {
  readonly prune?: true;
  readonly dryRun?: true;
  readonly protect?: string;
  readonly unprotect?: string;
}

/** The flags of `backups NAME` that change something. */
const CHANGES = ['prune', 'protect', 'unprotect'] as const;

/** The one of them that was said, if any. @throws InvalidInput when there are two, or they are for a repository alone */
function changeOf(options: BackupsOptions): (typeof CHANGES)[number] | undefined {
  const [said, other] = CHANGES.filter((flag) => options[flag] !== undefined);
  if (said !== undefined && other !== undefined)
    throw new GuestflowError('InvalidInput', `--${other} does not go with --${said}: ask for one after the other`, { field: other });
  if (said !== undefined && options.repository !== undefined)
    throw new GuestflowError('InvalidInput', `--${said} is for a guest: a repository alone does not know what its order keeps`, {
      field: said,
    });
  return said;
}

function registerTake(program: Command, context: Context): void {
  const { io } = context;
  withWaiting(
    program
      .command('backup')
      .summary('back a guest up now')
      .description('Takes one backup, without stopping the guest. A nightly one is taken anyway.')
      .argument('<NAME>'),
  ).action(
    context.action(async (name: string, options: WaitingOptions) => {
      const { operate } = await import('../operate.ts');
      return operate(io, name, 'backup', options);
    }),
  );
}

function registerProve(program: Command, context: Context): void {
  const { io } = context;
  withWaiting(
    program
      .command('prove')
      .summary('start a restored copy of a backup, to see that it can be restored from')
      .description(
        `Restores a backup onto disks beside the guest's own, compares all of it, and starts it in a domain without a network, with at most 1 GiB of memory. When it shows its login on its console, the backup is proven; the copy is removed in any case. The guest goes on meanwhile. It is done by itself every so many days, which its plan says (\`proveDays\`).

A backup that cannot be restored is marked unusable, and another one is taken at once. One that was restored and does not come up stays as it is: the guest itself may be no better.`,
      )
      .argument('<NAME>')
      .option('--backup <ID>', 'which one (default: the last one)'),
  ).action(
    context.action(async (name: string, options: WaitingOptions & { readonly backup?: string }) => {
      const { operate } = await import('../operate.ts');
      return operate(io, name, 'prove', options, defined({ backup: options.backup }));
    }),
  );
}

function registerList(program: Command, context: Context): void {
  const { io } = context;
  const backups = withWaiting(
    program
      .command('backups')
      .summary("list a guest's backups and nights")
      .description(
        'Lists the last backups of a guest, and what came of its last nights: done, failed, skipped, overlapped, late or missed, and why.',
      )
      .argument('[NAME]')
      .option('--prune', 'remove those that the retention of its order does not keep')
      .option('--dry-run', 'with --prune: show which would go, and which rule keeps the others; nothing is changed')
      .option('--protect <ID>', 'have retention leave this one alone, for as long as the guest lives; at most 10 of a guest')
      .option('--unprotect <ID>', 'leave it to retention again'),
  );
  withListing(backups).action(
    context.action(async (name: string | undefined, options: BackupsOptions) => {
      const change = changeOf(options);
      if (options.repository !== undefined) return (await import('../repository/list.ts')).showRepository(io, name, options, bundledReader);
      const stray = OF_REPOSITORY.find((flag) => options[flag] !== undefined);
      if (stray !== undefined) throw new GuestflowError('InvalidInput', `--${stray} goes with --repository DIR`, { field: stray });
      if (name === undefined)
        throw new GuestflowError('InvalidInput', 'no guest was named', {
          field: 'NAME',
          mend: 'name a guest, or a repository: --repository DIR',
        });
      if (options.dryRun === true && options.prune !== true)
        throw new GuestflowError('InvalidInput', '--dry-run goes with --prune: the list alone changes nothing', { field: 'dry-run' });
      const { showBackups, showPrune } = await import('../backups.ts');
      if (change === undefined) return showBackups(io, name, options);
      if (options.dryRun === true) return showPrune(io, name, options);
      const { operate } = await import('../operate.ts');
      return operate(io, name, change, options, defined({ backup: options.protect ?? options.unprotect }));
    }),
  );
}

export function registerBackup(program: Command, context: Context): void {
  const { io } = context;
  registerTake(program, context);
  registerProve(program, context);
  registerList(program, context);
  pullCommand(program).action(
    context.action(async (options: PullOptions) => (await import('../repository/pull.ts')).pullBackups(io, options)),
  );
  serveCommand(program).action(
    context.action(async ({ repository }: ServeOptions) => (await import('../repository/serve.ts')).serve(io, repository)),
  );
}
