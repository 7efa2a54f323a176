/** Backups of a guest. */
import type { Command } from 'commander';
import { withGuestflow, withServer, withWaiting, type Context, type ServerOptions, type WaitingOptions } from '../context.ts';

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

  withServer(program.command('backups').summary("list a guest's backups").argument('<NAME>')).action(
    context.action(async (name: string, options: ServerOptions) => {
      const [{ printJson, printLine, printTable }, { formatSize }] = await Promise.all([
        import('../io.ts'),
        import('../../contract/sizes.ts'),
      ]);
      const { backups } = await withGuestflow(options, (flow) => flow.status(name));
      if (options.json) printJson(io, backups);
      else if (backups.length === 0) printLine(io, `no backups of ${name}`);
      else {
        printTable(
          io,
          ['ID', 'TAKEN', 'SIZE', 'STATE', 'ENGINE', 'PATH'],
          backups.map((backup) => [backup.id, backup.takenAt, formatSize(backup.bytes), backup.state, backup.engine, backup.path]),
        );
      }
      return undefined;
    }),
  );
}
