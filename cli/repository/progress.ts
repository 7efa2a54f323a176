/** How work on a repository tells how far it is, and how it is ended. */
import { GuestflowError } from '../../contract/errors.ts';
import { createHost } from '../../system/host.ts';
import { ToolError } from '../../system/run.ts';
import type { HandWork } from '../../activities/dom0/work.ts';
import type { Io } from '../io.ts';
import { InterruptedError } from '../report.ts';

/** Milliseconds between two lines where nobody can redraw one. */
const LINE_MS = 5_000;
const REDRAW_MS = 200;

interface Shower {
  readonly show: (message: string, fraction?: number) => void;
  readonly end: () => void;
}

/** One line that is redrawn on a terminal; elsewhere one every five seconds; nothing where the result is JSON. */
function shower({ stderr }: Io, json: boolean): Shower {
  if (json) return { show: () => undefined, end: () => undefined };
  // What is done soon needs no word.
  let last = performance.now();
  let isDrawn = false;
  const everyMs = stderr.isTTY === true ? REDRAW_MS : LINE_MS;
  return {
    show(message, fraction) {
      const now = performance.now();
      if (now - last < everyMs) return;
      last = now;
      const text = fraction === undefined ? message : `${message} (${Math.floor(fraction * 100)} %)`;
      isDrawn = stderr.isTTY === true;
      stderr.write(isDrawn ? `\r\u001b[K${text}` : `${text}\n`);
    },
    end() {
      if (isDrawn) stderr.write('\r\u001b[K');
    },
  };
}

/**
 * Does work that Ctrl-C or SIGTERM ends, and waits until it has put away what was half done.
 *
 * @param left what is to be said then
 * @throws InterruptedError
 */
export async function byHand<T>(io: Io, json: boolean, left: string, work: (work: HandWork) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  const abort = (): void => interrupt.abort();
  const takeBack = io.onInterrupt(abort);
  // The end of a terminal must not leave a tenant's data behind.
  process.on('SIGHUP', abort);
  const shown = shower(io, json);
  try {
    return await work({ host: createHost(), signal: interrupt.signal, progress: shown.show });
  } catch (error) {
    // Tools of the same terminal are interrupted, too, and fail in their own ways.
    throw interrupt.signal.aborted ? new InterruptedError(left) : asKnown(error);
  } finally {
    shown.end();
    takeBack();
    process.off('SIGHUP', abort);
  }
}

/** A tool that failed, a full disk: of this machine, and no defect of ours. */
function asKnown(error: unknown): unknown {
  if (error instanceof ToolError) return new GuestflowError(error.notFound ? 'HostNotReady' : 'ToolFailed', error.message);
  const isOfFiles = error instanceof Error && 'code' in error && 'syscall' in error;
  return isOfFiles ? new GuestflowError('ToolFailed', `file system: ${error.message}`) : error;
}
