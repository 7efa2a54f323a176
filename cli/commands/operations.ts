/** Commands that do something with a guest that exists. */
import type { Command } from 'commander';
import { withServer, type Context, type ServerOptions } from '../context.ts';
import type { OperationKind } from '../../contract/types.ts';

interface TerminateOptions extends ServerOptions {
  readonly now?: true;
}

const COMMANDS: readonly (readonly [kind: OperationKind, summary: string, description: string])[] = [
  ['start', 'start a guest', 'Starts a guest and waits until it answers.'],
  ['stop', 'shut a guest down', 'Shuts a guest down and waits until its domain has gone. One that does not stop in time is destroyed.'],
  ['destroy', 'end a guest\'s domain at once', 'Ends a guest\'s domain at once, as pulling the plug does. Its disks stay.'],
  ['cleanup', 'remove what a failed undo has left', 'Removes what is left of a guest that needs cleaning up, once the cause is mended.'],
];

export function registerOperations(program: Command, context: Context): void {
  const { io } = context;
  for (const [kind, summary, description] of COMMANDS) {
    withServer(program.command(kind).summary(summary).description(description).argument('<NAME>')).action(context.action(async (name: string, options: ServerOptions) => {
      const { operate } = await import('../operate.ts');
      return operate(io, name, kind, options);
    }));
  }

  withServer(program.command('terminate').summary('end a guest, disks and all').description('Ends a guest: domain, cfg, disks, backups, schedule and lease.')
    .argument('<NAME>').option('--now', 'without the grace period'))
    .action(context.action(async (name: string, options: TerminateOptions) => {
      const { operate } = await import('../operate.ts');
      return operate(io, name, 'terminate', options);
    }));

  withServer(program.command('cancel').summary('cancel what is being done on a guest').description('Cancels the operation that runs on a guest, and waits until it is undone.').argument('<NAME>'))
    .action(context.action(async (name: string, options: ServerOptions) => {
      const { cancel } = await import('../operate.ts');
      return cancel(io, name, options);
    }));
}
