/** Backups of a guest. */
import type { Command } from 'commander';
import { GuestflowError } from '../../contract/errors.ts';
import { withWaiting, type Context, type WaitingOptions } from '../context.ts';

export interface BackupsOptions extends WaitingOptions {
  readonly prune?: true;
  readonly dryRun?: true;
}

export function registerBackup(program: Command, context: Context): void {
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

  withWaiting(
    program
      .command('backups')
      .summary("list a guest's backups and nights")
      .description(
        'Lists the last backups of a guest, and what came of its last nights: done, failed, skipped, overlapped, late or missed, and why.',
      )
      .argument('<NAME>')
      .option('--prune', 'remove those that the retention of its order does not keep')
      .option('--dry-run', 'with --prune: show which would go, and which rule keeps the others; nothing is changed'),
  ).action(
    context.action(async (name: string, options: BackupsOptions) => {
      if (options.dryRun === true && options.prune !== true)
        throw new GuestflowError('InvalidInput', '--dry-run goes with --prune: the list alone changes nothing', { field: 'dry-run' });
      const { showBackups, showPrune } = await import('../backups.ts');
      if (options.prune !== true) return showBackups(io, name, options);
      if (options.dryRun === true) return showPrune(io, name, options);
      const { operate } = await import('../operate.ts');
      return operate(io, name, 'prune', options);
    }),
  );
}
