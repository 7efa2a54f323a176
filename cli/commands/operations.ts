/** Commands that do something with a guest that exists. */
import type { Command } from 'commander';
import { repeated, withServer, withWaiting, type Context, type ServerOptions, type WaitingOptions } from '../context.ts';
import { OPERATION_KINDS, operationRecord } from '../../contract/operations.ts';
import { registerReinstall, registerRescue } from './systems.ts';

export interface TerminateOptions extends WaitingOptions {
  readonly now?: true;
  readonly yes?: true;
}

export interface ChangePlanOptions extends WaitingOptions {
  readonly restart?: true;
  readonly plans?: string;
}

export interface ResizeOptions extends WaitingOptions {
  readonly disk: string;
  readonly live?: true;
  readonly offline?: true;
}

export interface SetPasswordOptions extends WaitingOptions {
  readonly generate?: true;
  readonly offline?: true;
}

export interface SetHostnameOptions extends WaitingOptions {
  readonly offline?: true;
}

export interface SetKeysOptions extends WaitingOptions {
  readonly sshKey?: readonly string[];
  readonly none?: true;
  readonly offline?: true;
}

/** The operations that take a name and nothing else, from their table. */
function registerPlain(program: Command, context: Context): void {
  for (const kind of OPERATION_KINDS) {
    const { command } = operationRecord(kind);
    if (command === undefined) continue;
    const { summary, description, name: word = kind, alias } = command;
    const described = program.command(word).summary(summary).description(description).argument('<NAME>');
    withWaiting(alias === undefined ? described : described.alias(alias)).action(
      context.action(async (name: string, options: WaitingOptions) => {
        const { operate } = await import('../operate.ts');
        return operate(context.io, name, kind, options);
      }),
    );
  }
}

function registerTerminate(program: Command, context: Context): void {
  const { io } = context;
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
}

function registerChangePlan(program: Command, context: Context): void {
  const { io } = context;
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
}

function registerResize(program: Command, context: Context): void {
  const { io } = context;
  withWaiting(
    program
      .command('resize')
      .summary("give a guest's disk another size")
      .description(
        `Makes the root disk of a guest, and its file system, larger or smaller. A managed guest goes on while its disk grows. One that runs and is sealed must be stopped for that (--offline), or only its disk grows (--live), and its owner runs resize2fs.

A disk becomes smaller only while its guest is off: --offline stops one that runs, and starts it again. Whether its content fits is looked at first, on a snapshot, and refused with the least size that does; then a backup is taken and verified. If the guest does not answer from its smaller disk, it has its former size again.`,
      )
      .argument('<NAME>')
      .requiredOption('--disk <SIZE>', 'the new size, like 20GiB: a multiple of 4 MiB')
      .option('--live', 'grow the disk while the guest runs, even if its file system can only be grown by its owner')
      .option('--offline', 'stop the guest for it if it runs, and start it again'),
  ).action(
    context.action(async (name: string, options: ResizeOptions) => {
      const { resize } = await import('../operate.ts');
      return resize(io, name, options);
    }),
  );
}

function registerSetPassword(program: Command, context: Context): void {
  const { io } = context;
  withWaiting(
    program
      .command('set-password')
      .summary("set root's password in a guest")
      .description(
        `Sets root's password in a guest. It is asked for on a terminal, without being shown, or read from standard input; only its hash leaves this machine, sealed for the guest's dom0.

In a managed guest that runs it is set at once. A sealed one must be off for that: its password is then set on its disk. --offline stops one that runs, and starts it again; if it does not come back, it has its former password again.`,
      )
      .argument('<NAME>')
      .option('--generate', 'make a password, and print it once')
      .option('--offline', 'stop the guest for it if it runs, and start it again'),
  ).action(
    context.action(async (name: string, options: SetPasswordOptions) => {
      const { setPassword } = await import('../access.ts');
      return setPassword(io, name, options);
    }),
  );
}

function registerSetKeys(program: Command, context: Context): void {
  withWaiting(
    program
      .command('set-keys')
      .summary("replace root's SSH keys in a guest")
      .description(
        `Makes these keys the only ones that root has in a guest: what else is in /root/.ssh/authorized_keys goes. guestflow's own key stays in a managed guest.

In a managed guest that runs they are set at once. A sealed one must be off for that: they are then set on its disk. --offline stops one that runs, and starts it again; if it does not come back, it has its former keys again.`,
      )
      .argument('<NAME>')
      .option('--ssh-key <FILE>', 'public keys for root; may be repeated', repeated)
      .option('--none', 'take all keys away')
      .option('--offline', 'stop the guest for it if it runs, and start it again'),
  ).action(
    context.action(async (name: string, options: SetKeysOptions) => {
      const { setKeys } = await import('../access.ts');
      return setKeys(context.io, name, options);
    }),
  );
}

function registerSetHostname(program: Command, context: Context): void {
  withWaiting(
    program
      .command('set-hostname')
      .summary('give a guest another host name')
      .description(
        `Gives a guest another host name, in its own files: /etc/hostname, its own lines of /etc/hosts, and /etc/mailname where there is one. The name by which guestflow and Xen know it stays.

In a managed guest that runs it is set at once. A sealed one must be off for that: it is then set on its disk. --offline stops one that runs, and starts it again; if it does not come back, it has its former name again.`,
      )
      .argument('<NAME>')
      .argument('<HOSTNAME>')
      .option('--offline', 'stop the guest for it if it runs, and start it again'),
  ).action(
    context.action(async (name: string, hostname: string, options: SetHostnameOptions) => {
      const { setHostname } = await import('../access.ts');
      return setHostname(context.io, name, hostname, options);
    }),
  );
}

export function registerOperations(program: Command, context: Context): void {
  const { io } = context;
  registerPlain(program, context);
  registerTerminate(program, context);
  registerChangePlan(program, context);
  registerResize(program, context);
  registerSetPassword(program, context);
  registerReinstall(program, context);
  registerRescue(program, context);
  registerSetKeys(program, context);
  registerSetHostname(program, context);
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
