/** `guestflow worker control|dom0`: the processes, by themselves. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';

export interface WorkerOptions {
  readonly address?: string;
  readonly namespace?: string;
  readonly stateDir?: string;
  readonly settings?: string;
}

export function registerWorker(program: Command, context: Context): void {
  const worker = program.command('worker').summary('run a worker until it is told to stop').helpCommand(false);
  const withWhere = (command: Command): Command =>
    command
      .option('--address <HOST:PORT>', 'where Temporal is (default: TEMPORAL_ADDRESS, temporal.toml, or the embedded server)')
      .option('--namespace <NAME>', 'namespace of Temporal (default: TEMPORAL_NAMESPACE, or "default")')
      .option('--state-dir <DIR>', 'state directory of the embedded server (default: GUESTFLOW_STATE, or .guestflow)');

  withWhere(
    worker
      .command('control')
      .summary('all workflows')
      .description('Runs all workflows, and the activities that talk to Temporal itself. Anywhere; any number of them.'),
  ).action(context.action(async (options: WorkerOptions) => (await import('../worker.ts')).control(options)));
  withWhere(
    worker
      .command('dom0')
      .summary('the steps on this dom0')
      .description('Runs the steps of guests on this machine, which must be a Xen dom0. As root.'),
  )
    .option('--settings <FILE>', 'settings of the dom0 (default: /etc/guestflow/dom0.yaml)')
    .action(context.action(async (options: WorkerOptions) => (await import('../worker.ts')).dom0(options)));
}
