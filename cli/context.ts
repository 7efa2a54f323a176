/** What every command is given, and the options that many share. Imports nothing heavy: `--help` must be quick. */
import { Option, type Command } from 'commander';
import type { Guestflow } from '../client/guestflow.ts';
import type { Io } from './io.ts';
import { defined } from '../contract/defined.ts';

/** Of one run of the command line. */
export interface Context {
  readonly io: Io;
  /** Makes an action of a function; what the function returns is the exit code, default 0. */
  action<A extends unknown[]>(work: (...args: A) => Promise<number | undefined>): (...args: A) => Promise<void>;
}

/** Options of commands that talk to Temporal. */
export interface ServerOptions {
  readonly json?: true;
  readonly address?: string;
  readonly namespace?: string;
  readonly stateDir?: string;
}

export const JSON_OPTION = ['--json', 'print one JSON document'] as const;

/** Adds the options of commands that talk to Temporal. */
export function withServer(command: Command): Command {
  return command
    .option(...JSON_OPTION)
    .option('--address <HOST:PORT>', 'where Temporal is (default: TEMPORAL_ADDRESS, temporal.toml, or the embedded server)')
    .option('--namespace <NAME>', 'namespace of Temporal (default: TEMPORAL_NAMESPACE, or "default")')
    .option('--state-dir <DIR>', 'state directory of the embedded server (default: GUESTFLOW_STATE, or .guestflow)');
}

/** Options of commands that wait for what goes on without them. */
export interface WaitingOptions extends ServerOptions {
  readonly onInterrupt?: 'leave' | 'cancel';
}

/** Adds the options of commands that wait for an operation on a guest. */
export function withWaiting(command: Command): Command {
  return withServer(
    command.addOption(
      new Option(
        '--on-interrupt <WHAT>',
        'at Ctrl-C: leave it running, or cancel and undo it (default: asked on a terminal, else leave)',
      ).choices(['leave', 'cancel']),
    ),
  );
}

/** For an option that may be given again: the values so far, and this one. */
export function repeated(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Connects, does the work, disconnects. */
export async function withGuestflow<T>(options: ServerOptions, work: (flow: Guestflow) => Promise<T>): Promise<T> {
  const { connect } = await import('../client/guestflow.ts');
  const flow = await connect({
    ...defined({ address: options.address, namespace: options.namespace, stateDir: options.stateDir }),
  });
  try {
    return await work(flow);
  } finally {
    await flow.close();
  }
}
