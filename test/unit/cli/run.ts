/** Runs the command line inside the test's process. */
import { PassThrough, Readable } from 'node:stream';
import { main } from '../../../cli/main.ts';
import type { Io } from '../../../cli/io.ts';

export interface Run {
  readonly code: number;
  readonly stdout: string;
  /** The same, as it was written. */
  readonly output: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Record<string, string>;
  /** Whether a person types the input. Default: false. */
  readonly isTTY?: true;
  /** Aborting it is Ctrl-C. */
  readonly interrupt?: AbortSignal;
}

/** Runs one command. */
export async function run(argv: readonly string[], { input = '', env = {}, interrupt, isTTY }: RunOptions = {}): Promise<Run> {
  // Nobody reads until the end.
  const unread = { highWaterMark: 2 ** 30 };
  const [stdout, stderr] = [new PassThrough(unread), new PassThrough(unread)];
  const onInterrupt = (listener: () => void): (() => void) => {
    interrupt?.addEventListener('abort', listener);
    return () => interrupt?.removeEventListener('abort', listener);
  };
  const io: Io = {
    stdin: Object.assign(Readable.from([Buffer.from(input)]), isTTY === undefined ? {} : { isTTY }),
    stdout,
    stderr,
    env,
    onInterrupt,
  };
  const code = await main(argv, io);
  const output = bytesOf(stdout);
  return { code, stdout: output.toString('utf8'), output, stderr: bytesOf(stderr).toString('utf8') };
}

function bytesOf(stream: PassThrough): Buffer {
  const bytes: unknown = stream.read();
  return Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0);
}

/** The error that a command with `--json` printed. */
export function errorOf({ stderr }: Run): { type: string; message: string; field?: string; value?: string } {
  return (JSON.parse(stderr) as { error: { type: string; message: string } }).error;
}
