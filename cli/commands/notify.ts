/** `guestflow notify test`: whether operators would be told. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';

export interface NotifyTestOptions {
  readonly file?: string;
  readonly json?: true;
}

export function registerNotify(program: Command, context: Context): void {
  program
    .command('notify')
    .summary('tell operators')
    .helpCommand(false)
    .command('test')
    .summary('send operators a test message')
    .description(
      'Sends a test message by each channel that notify.yaml names under operators, from this machine, once: run it where the control worker runs, as its user. Says what each receiver answered.',
    )
    .option('--file <FILE>', 'the file (default: GUESTFLOW_NOTIFY)')
    .option('--json', 'one JSON document on standard output')
    .action(context.action(async (options: NotifyTestOptions) => (await import('../notify.ts')).testNotify(context.io, options)));
}
