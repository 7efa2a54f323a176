/** `guestflow top`: the domains of the dom0s. */
import type { Command } from 'commander';
import { withServer, type Context, type ServerOptions } from '../context.ts';

export interface TopOptions extends ServerOptions {
  readonly dom0?: string;
  readonly watch?: true;
}

export function registerTop(program: Command, context: Context): void {
  withServer(
    program
      .command('top')
      .summary('the domains of the dom0s, with cpu and memory')
      .option('--dom0 <HOST>', 'only this one')
      .option('--watch', 'again every three seconds, until Ctrl-C'),
  ).action(
    context.action(async (options: TopOptions) => {
      const { top } = await import('../top.ts');
      return top(context.io, options);
    }),
  );
}
