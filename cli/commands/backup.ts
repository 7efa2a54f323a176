/** Backups of a guest. */
import type { Command } from 'commander';
import { withServer, withWaiting, type Context, type ServerOptions, type WaitingOptions } from '../context.ts';

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

  withServer(
    program
      .command('backups')
      .summary("list a guest's backups and nights")
      .description(
        'Lists the last backups of a guest, and what came of its last nights: done, failed, skipped, overlapped, late or missed, and why.',
      )
      .argument('<NAME>'),
  ).action(
    context.action(async (name: string, options: ServerOptions) => {
      const { showBackups } = await import('../backups.ts');
      return showBackups(io, name, options);
    }),
  );
}
