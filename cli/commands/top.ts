/** `guestflow top`: the fleet at a glance, or the domains of the dom0s. */
import type { Command } from 'commander';
import { GuestflowError } from '../../contract/errors.ts';
import { withServer, type Context, type ServerOptions } from '../context.ts';

export interface TopOptions extends ServerOptions {
  readonly dom0?: string;
  readonly domains?: true;
  readonly watch?: true;
  readonly once?: true;
}

export function registerTop(program: Command, context: Context): void {
  withServer(
    program
      .command('top')
      .summary('the fleet at a glance: dom0s with what they have left, guests by phase, what runs, what is wrong')
      .description(
        'Shows the fleet at a glance, as Temporal has it; on a terminal again every three seconds, until Ctrl-C. With --domains or --dom0 it asks the dom0s instead, and shows their domains with cpu and memory.',
      )
      .option('--domains', 'the domains of the dom0s, as their toolstacks say')
      .option('--dom0 <HOST>', 'the domains of this one only')
      .option('--watch', 'again every three seconds, until Ctrl-C (default for the fleet on a terminal)')
      .option('--once', 'the fleet once, on a terminal too'),
  ).action(
    context.action(async (options: TopOptions) => {
      refuseBoth(options);
      if (options.domains === undefined && options.dom0 === undefined)
        return (await import('../fleet-top.ts')).fleetTop(context.io, options);
      return (await import('../top.ts')).top(context.io, options);
    }),
  );
}

function refuseBoth({ watch, once, json }: TopOptions): void {
  if (watch !== undefined && (json !== undefined || once !== undefined))
    throw new GuestflowError(
      'InvalidInput',
      `--watch shows it again and again, ${json ? '--json prints one document' : '--once shows it once'}: give one of them`,
      {
        field: 'watch',
      },
    );
}
