/** Commands that start a guest from another system: one in the place of its own, or one to repair its own from. */
import type { Command } from 'commander';
import { repeated, withWaiting, type Context, type WaitingOptions } from '../context.ts';

export interface ReinstallOptions extends WaitingOptions {
  readonly dist?: string;
  readonly recipe?: string;
  readonly sshKey?: readonly string[];
  readonly passwordStdin?: true;
}

export interface RescueOptions extends WaitingOptions {
  readonly sshKey?: readonly string[];
  readonly passwordStdin?: true;
}

export function registerReinstall(program: Command, context: Context): void {
  withWaiting(
    program
      .command('reinstall')
      .summary("install a guest's system anew")
      .description(
        `Gives a guest a new system on a new disk: same name, address, plan and size, new host keys. The new disk is made while the guest goes on; if it does not answer from it, it has its own disk again. The former disk is kept for the grace period of the guest's plan: undo-reinstall brings it back, keep-restored gives it up.

Distribution, keys and password stay as they are, unless others are given. A guest that is off is started.`,
      )
      .argument('<NAME>')
      .option('--dist <NAME>', 'another distribution')
      .option('--recipe <NAME>', 'direct, the only one that there is for a guest that exists (default)')
      .option('--ssh-key <FILE>', 'public keys for root, in place of those that it has; may be repeated', repeated)
      .option('--password-stdin', "root's password, from the first line of standard input (default: the last one that guestflow has set)"),
  ).action(
    context.action(async (name: string, options: ReinstallOptions) => {
      const { reinstall } = await import('../access.ts');
      return reinstall(context.io, name, options);
    }),
  );
}

export function registerRescue(program: Command, context: Context): void {
  withWaiting(
    program
      .command('rescue')
      .summary('start a guest in a rescue system')
      .description(
        `Starts a guest that no longer boots in a small system of its distribution, at its own address, with its own disks beside it, so that they can be repaired. Its root disk is /dev/xvdb there (or the next that is free), and is not mounted. The rescue system has host keys and a password of its own: the password is printed once.

The rescue system is made while the guest goes on; if it does not answer, the guest is as it was. unrescue brings the guest back.`,
      )
      .argument('<NAME>')
      .option('--ssh-key <FILE>', 'public keys for root there, in place of those that the guest has; may be repeated', repeated)
      .option(
        '--password-stdin',
        "root's password there, from the first line of standard input (default: one that is made, and printed once)",
      ),
  ).action(
    context.action(async (name: string, options: RescueOptions) => {
      const { rescue } = await import('../access.ts');
      return rescue(context.io, name, options);
    }),
  );
}
