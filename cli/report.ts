/** How the command line says that something went wrong, and with which exit code. */
import { CommanderError } from 'commander';
import { GuestflowError } from '../contract/errors.ts';
import { EXIT, exitCodeOf } from '../contract/exit-codes.ts';
import { printable, printableConsole } from '../contract/printable.ts';
import type { Io } from './io.ts';

/**
 * Writes one clear message (or one JSON document) to standard error.
 *
 * @returns the exit code
 */
export function report(io: Io, error: unknown, json: boolean): number {
  // --help and --version end by an exception, too.
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
  const known = asKnown(error);
  io.stderr.write(
    json
      ? `${JSON.stringify({ error: document(known ?? defect(error)) })}\n`
      : `${printable((known === undefined ? describeDefect(io, error) : describe(known)).trimEnd())}\n`,
  );
  if (known === undefined) return EXIT.failed;
  return error instanceof InterruptedError ? EXIT.interrupted : exitCodeOf(known.type);
}

/** The wait was interrupted by Ctrl-C or SIGTERM. */
export class InterruptedError extends GuestflowError {
  constructor(message: string) {
    super('Cancelled', message);
  }
}

function asKnown(error: unknown): GuestflowError | undefined {
  if (error instanceof GuestflowError) return error;
  if (!(error instanceof CommanderError)) return undefined;
  return new GuestflowError(
    'InvalidInput',
    error.code === 'commander.help'
      ? 'no command was given'
      : error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\)$/s, '; did you mean $1'),
    {
      mend: 'guestflow --help, or guestflow COMMAND --help',
    },
  );
}

function document({ type, message, details }: GuestflowError): object {
  return { type, message, ...details };
}

function describe({ message, details }: GuestflowError): string {
  const lines = [`guestflow: ${message}`];
  if (details.undone !== undefined && details.undone.length > 0) lines.push(`  undone: ${details.undone.join(', ')}`);
  if (details.leftovers !== undefined && details.leftovers.length > 0)
    lines.push('  left:', ...details.leftovers.map((left) => `    ${left}`));
  if (details.console !== undefined && details.console !== '')
    lines.push(
      '  the end of its console:',
      ...printableConsole(details.console)
        .trimEnd()
        .split('\n')
        .map((line) => `    | ${line}`),
    );
  if (details.mend !== undefined) lines.push(`  what to do: ${details.mend}`);
  return lines.join('\n');
}

function defect(error: unknown): GuestflowError {
  return new GuestflowError('ToolFailed', `defect in guestflow: ${messageOf(error)}`, {
    mend: 'run it again with GUESTFLOW_DEBUG=1 and report what it says',
  });
}

function describeDefect(io: Io, error: unknown): string {
  const stack = io.env['GUESTFLOW_DEBUG'] === undefined || !(error instanceof Error) ? '' : `\n${error.stack ?? ''}`;
  return `guestflow: ${messageOf(error)}\n  This is a defect of guestflow; run it again with GUESTFLOW_DEBUG=1 and report what it says.${stack}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
