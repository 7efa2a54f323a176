/** `guestflow lab …`. */
import { InvalidArgumentError, type Command } from 'commander';
import type { Release } from '../../lab/releases.ts';
import { JSON_OPTION, type Context } from '../context.ts';
import { release } from './release.ts';

/** Options that every lab command has. */
export interface LabPlaceOptions {
  readonly name?: string;
  readonly stateDir?: string;
  readonly json?: true;
}

export interface LabUpOptions extends LabPlaceOptions {
  readonly release?: Release;
  readonly dist?: Release[];
  readonly keep?: true;
  readonly accel?: 'tcg' | 'kvm';
  readonly temporalPort?: number;
  readonly worker?: boolean;
}

function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65_535)
    throw new InvalidArgumentError('a port is a number from 1 to 65535');
  return Number(text);
}

function accelerator(text: string): 'tcg' | 'kvm' {
  if (text !== 'tcg' && text !== 'kvm') throw new InvalidArgumentError('use tcg or kvm');
  return text;
}

function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('use a number from 1 to 999999');
  return Number(text);
}

/** Adds a command of the lab, with the options that all have. */
type Verb = (name: string, summary: string, description: string) => Command;

export function registerLab(program: Command, context: Context): void {
  const { io } = context;
  const lab = program
    .command('lab')
    .summary('a real Xen dom0 in QEMU')
    .helpCommand(false)
    .description(
      'A Debian dom0 with the real Xen in QEMU: built once, cached, started in seconds, closed to the network. Needs root, 8 GiB of memory, 12 GiB of disk.',
    );
  const verb: Verb = (name, summary, description) =>
    lab
      .command(name)
      .summary(summary)
      .description(description)
      .option('--name <NAME>', 'which lab; several can run side by side (default: lab)')
      .option('--state-dir <DIR>', 'where its machine is kept (default: GUESTFLOW_STATE, or .guestflow)');

  registerUp(verb, context);
  verb('status', 'whether it runs', 'Whether the lab runs, where its ssh is, what is kept of it.')
    .option(...JSON_OPTION)
    .action(context.action(async (options: LabPlaceOptions) => (await import('../lab.ts')).status(io, options)));
  verb('exec', 'run a command in dom0', 'Runs a command in dom0; its input, output and exit code are those of the command.')
    .argument('<COMMAND...>', 'after --')
    .passThroughOptions()
    .action(context.action(async (argv: string[], options: LabPlaceOptions) => (await import('../lab.ts')).exec(io, argv, options)));
  verb('console', "dom0's serial console", "Prints the end of dom0's serial console.")
    .option('--lines <N>', 'how many lines (default: 40)', count)
    .option('-f, --follow', 'go on until Ctrl-C')
    .action(
      context.action(async (options: LabPlaceOptions & { readonly lines?: number; readonly follow?: true }) =>
        (await import('../lab.ts')).showConsole(io, options),
      ),
    );
  verb('down', 'end it', 'Ends the machine. Without --save, and unless it was started with --keep, its disks are thrown away.')
    .option('--save', 'save memory and disks: the next "up" resumes this very machine in seconds')
    .action(context.action(async (options: LabPlaceOptions & { readonly save?: true }) => (await import('../lab.ts')).down(io, options)));
  verb('clean', 'throw it away', 'Ends the machine and throws away what is kept of it.')
    .option('--cache', 'and what labs are built from and resumed from')
    .action(context.action(async (options: LabPlaceOptions & { readonly cache?: true }) => (await import('../lab.ts')).clean(io, options)));
  lab.enablePositionalOptions();
  program.enablePositionalOptions();
}

function registerUp(verb: Verb, context: Context): void {
  verb(
    'up',
    'start it',
    'Starts the lab by the shortest way: attaches to the running one, resumes the kept machine or a saved state, boots, or builds.',
  )
    .option(
      '--release <NAME>',
      "Debian release of its dom0: bookworm (Xen 4.17) or trixie (Xen 4.20) (default: the kept one's, or bookworm)",
      release,
    )
    .option(
      '--dist <NAME>',
      "guests that it can make, more than once for more (default: bookworm and the dom0's release)",
      (text: string, before: Release[] | undefined) => [...(before ?? []), release(text)],
    )
    .option('--keep', 'keep the machine over "down", guests and all')
    .option('--accel <KIND>', 'tcg: software emulation; kvm: where /dev/kvm can run Xen (default: tcg)', accelerator)
    .option('--temporal-port <N>', 'port of the Temporal server on this machine (default: 7233)', port)
    .option('--no-worker', 'leave the dom0 worker out')
    .option(...JSON_OPTION)
    .action(context.action(async (options: LabUpOptions) => (await import('../lab.ts')).up(context.io, options)));
}
