/** `guestflow up`: all in one. */
import type { Command } from 'commander';
import type { Release } from '../../lab/releases.ts';
import { JSON_OPTION, type Context } from '../context.ts';
import { release } from './release.ts';

export interface UpOptions {
  readonly once?: true;
  readonly json?: true;
  readonly simulate?: true;
  readonly serverless?: true;
  readonly dom0Here?: true;
  readonly release?: Release;
  readonly stateDir?: string;
}

export function registerUp(program: Command, context: Context): void {
  program
    .command('up')
    .summary('all in one: Temporal, workers, a dom0, and guest1')
    .description(
      'Starts an embedded Temporal, the control worker and a dom0 (this machine if it is one, else the lab), orders guest1, and guest2 by the recipe direct for comparison, and stays up until Ctrl-C.',
    )
    .option('--once', 'end when the guests are there')
    .option(...JSON_OPTION)
    .option('--simulate', 'on a simulated dom0: for looking at workflows without Xen')
    .option(
      '--serverless',
      'without a resident control worker: Temporal starts it as a function, on a stand-in for AWS Lambda, when there is work',
    )
    .option('--dom0-here', 'this machine is a dom0, and may be used')
    .option('--release <NAME>', "Debian release of the lab's dom0: bookworm or trixie (default: the kept one's, or bookworm)", release)
    .option('--state-dir <dir>', "where Temporal's database and the lab's state are kept (default: GUESTFLOW_STATE, or .guestflow)")
    .action(context.action(async (options: UpOptions) => (await import('../up.ts')).up(options)));
}
