/** Where a command reads and writes; tests hand over their own. */
import type { Readable, Writable } from 'node:stream';

export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: NodeJS.ProcessEnv;
  /** Calls the listener at Ctrl-C or SIGTERM, which then do not end the process. Returns a function that takes it back. */
  onInterrupt(listener: () => void): () => void;
}

/** This process's own. A reader that has gone (`guestflow list | head -1`) ends it quietly. */
export function processIo(): Io {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  return { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: process.env, onInterrupt };
}

function onInterrupt(listener: () => void): () => void {
  process.on('SIGINT', listener).on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener).off('SIGTERM', listener);
  };
}

/** One JSON document on standard output. */
export function printJson(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value, redact, 2)}\n`);
}

/** Hashes of passwords are nobody's to read. */
function redact(key: string, value: unknown): unknown {
  return key === 'passwordHash' || key === 'sealedPassword' ? 'set' : value;
}

export function printLine(io: Io, text = ''): void {
  io.stdout.write(`${text}\n`);
}

/** Rows under headings, columns as wide as their widest cell. */
export function printTable(io: Io, headings: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of [headings, ...rows])
    printLine(
      io,
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

/** `key  value` lines; those without a value are left out. */
export function printFacts(io: Io, facts: readonly (readonly [key: string, value: string | undefined])[]): void {
  const known = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '');
  const width = Math.max(...known.map(([key]) => key.length));
  for (const [key, value] of known) printLine(io, `${key.padEnd(width)}  ${value.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`);
}
