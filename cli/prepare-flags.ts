/** The flags of `dom0 prepare`, on the host and over ssh. */
import { Option, type Command } from 'commander';
import type { WishFlags } from '../prepare/index.ts';

export interface PrepareFlags extends WishFlags {
  readonly dryRun?: true;
  readonly yes?: true;
  readonly reboot?: true;
  readonly json?: true;
}

/** The flags that say what the host becomes. */
export function withPrepare(command: Command): Command {
  return command
    .option(
      '--bridge <BRIDGE=INTERFACE>',
      'make this bridge of this interface, e.g. xenbr0=eth0; taken back unless the host is reached again',
    )
    .option('--volume-group <NAME=DEVICE,…>', 'make this volume group on devices that hold nothing, e.g. vg01=/dev/sdb,/dev/sdc')
    .option('--dom0-memory <SIZE>', "memory that dom0 keeps, e.g. 2GiB (default: Xen's)")
    .addOption(
      new Option('--confirm <WHO>', 'who says that the host is reached over its bridge: a new login, or its gateway that answers')
        .choices(['login', 'gateway'])
        .default('login'),
    )
    .option('--dry-run', 'show each change and make none')
    .option('--yes', 'make the changes without asking')
    .option('--reboot', 'reboot the host into Xen without asking');
}
