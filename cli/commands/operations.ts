/** Commands that do something with a guest that exists. */
import type { Command } from 'commander';
import { withServer, withWaiting, type Context, type ServerOptions, type WaitingOptions } from '../context.ts';
import type { OperationKind } from '../../contract/types.ts';

export interface TerminateOptions extends WaitingOptions {
  readonly now?: true;
  readonly yes?: true;
}

export interface ChangePlanOptions extends WaitingOptions {
  readonly restart?: true;
  readonly plans?: string;
}

const COMMANDS: readonly (readonly [kind: OperationKind, summary: string, description: string])[] = [
  ['start', 'start a guest', 'Starts a guest and waits until it answers.'],
  ['stop', 'shut a guest down', 'Shuts a guest down and waits until its domain has gone. One that does not stop in time is destroyed.'],
  ['destroy', "end a guest's domain at once", "Ends a guest's domain at once, as pulling the plug does. Its disks stay."],
  [
    'suspend',
    'take a guest off the net, its disks and address kept',
    'Shuts a guest down, or pauses it where its plan says `suspend: pause`, and does not start it with its dom0. Its disks and its address stay.',
  ],
  ['resume', 'bring a suspended guest back', 'Starts a suspended guest, or lets a paused one go on, and waits until it answers.'],
  [
    'undelete',
    'take a termination back',
    'Takes a termination back within its grace period: the guest returns with its disks and its address.',
  ],
  ['cleanup', 'remove what a failed undo has left', 'Removes what is left of a guest that needs cleaning up, once the cause is mended.'],
];

export function registerOperations(program: Command, context: Context): void {
  const { io } = context;
  for (const [kind, summary, description] of COMMANDS) {
    withWaiting(program.command(kind).summary(summary).description(description).argument('<NAME>')).action(
      context.action(async (name: string, options: WaitingOptions) => {
        const { operate } = await import('../operate.ts');
        return operate(io, name, kind, options);
      }),
    );
  }

  withWaiting(
    program
      .command('terminate')
      .summary('end a guest')
      .description(
        'Ends a guest. It stops at once; its disks, backups and address stay for the grace period of its plan, within which `guestflow undelete` brings it back.',
      )
      .argument('<NAME>')
      .option('--now', 'without the grace period: all of its data goes at once')
      .option('--yes', 'with --now: do not ask for the name'),
  ).action(
    context.action(async (name: string, options: TerminateOptions) => {
      const { terminate } = await import('../operate.ts');
      return terminate(io, name, options);
    }),
  );

  withWaiting(
    program
      .command('change-plan')
      .summary('give a guest another plan')
      .description(
        'Changes memory, vcpus and disk of a guest to those of a plan; a disk only grows. A guest that runs needs a restart, which --restart allows, only where it cannot follow while it runs, and for a larger disk.',
      )
      .argument('<NAME>')
      .argument('<PLAN>')
      .option('--restart', 'the guest may be restarted')
      .option('--plans <file>', 'plans to choose from (default: GUESTFLOW_PLANS, or those shipped)'),
  ).action(
    context.action(async (name: string, plan: string, options: ChangePlanOptions) => {
      const { changePlan } = await import('../operate.ts');
      return changePlan(io, name, plan, options);
    }),
  );

  withServer(
    program
      .command('cancel')
      .summary('cancel what is being done on a guest')
      .description('Cancels the operation that runs on a guest, and waits until it is undone.')
      .argument('<NAME>'),
  ).action(
    context.action(async (name: string, options: ServerOptions) => {
      const { cancel } = await import('../operate.ts');
      return cancel(io, name, options);
    }),
  );
}
