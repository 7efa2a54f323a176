/** `guestflow provision`. */
import type { Command } from 'commander';
import { withWaiting, type Context, type WaitingOptions } from '../context.ts';
import type { OrderFlags } from '../order-input.ts';

export interface ProvisionOptions extends OrderFlags, WaitingOptions {
  readonly file?: string;
  readonly plans?: string;
  readonly check?: true;
  readonly facts?: string;
  readonly wait: boolean;
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export function registerProvision(program: Command, context: Context): void {
  const command = program
    .command('provision')
    .summary('make a guest')
    .description(
      'Orders a guest and waits until it is there. Everything but the name has a default, from the plan, the dom0 or the network; docs/ordering.md has every key.',
    )
    .argument('[NAME]', 'name of the guest: a host name in lower case')
    .option('--file <ORDER>', 'the order in a file, JSON or YAML; - is standard input')
    .option('--ip <ADDRESS>', 'its address (default: the next free one of the dom0)')
    .option('--netmask <MASK>', "with --ip (default: the dom0's)")
    .option('--gateway <ADDRESS>', "with --ip (default: the dom0's)")
    .option('--bridge <NAME>', "bridge that it is attached to (default: the plan's, then the dom0's)")
    .option('--mac <MAC>', "its MAC address (default: made from its name, in Xen's range)")
    .option('--dom0 <HOST>', 'where (default: GUESTFLOW_DOM0, or one that has room)')
    .option('--plan <PLAN>', 'plan (default: the first of the plans)')
    .option('--plans <FILE>', 'your own plans (default: GUESTFLOW_PLANS, or the shipped plans.yaml)')
    .option('--type <TYPE>', "pv or pvh (default: the plan's)")
    .option('--memory <SIZE>', "like 512Mb or 1GiB (default: the plan's)")
    .option('--vcpus <N>', "virtual cpus (default: the plan's)")
    .option('--disk <SIZE>', "root volume, like 8Gb (default: the plan's)")
    .option('--swap <SIZE>', "swap volume (default: the plan's)")
    .option('--dist <NAME>', "distribution, like bookworm (default: the plan's)")
    .option('--mirror <URL>', "mirror of the distribution (default: the plan's, then the dom0's)")
    .option('--role <NAME>', "role of xen-tools (default: the plan's, else none)")
    .option('--extra <WORD>', "word for the guest's kernel; may be repeated (default: the plan's)", collect)
    .option('--ssh-key <FILE>', 'public key for root; may be repeated', collect)
    .option('--password-stdin', "read root's password from standard input; only its hash leaves this machine, sealed for the dom0")
    .option('--timezone <ZONE>', "like Europe/Berlin (default: the plan's)")
    .option('--backup-at <HH:MM>', 'time of the nightly backup, UTC (default: made from the name)')
    .option('--order <ID>', 'id of the order: the same id again is the same order (default: manual-NAME)')
    .option('--managed', "keep guestflow's key in the guest")
    .option('--debootstrap', 'install by debootstrap instead of from the golden tarball')
    .option('--check', 'only validate; needs no server')
    .option('--facts <FILE>', 'with --check: also against this dom0 (guestflow dom0 facts HOST --json)')
    .option('--no-wait', 'return as soon as the order is taken');
  withWaiting(command).action(
    context.action(async (name: string | undefined, options: ProvisionOptions) => {
      const { provision } = await import('../provision.ts');
      return provision(context.io, name, options);
    }),
  );
}
