/** Ctrl-C while the command line waits for something that goes on without it. */
import { createInterface } from 'node:readline/promises';
import { InterruptedError } from './report.ts';
import type { Io } from './io.ts';

/**
 * Does work that Ctrl-C or SIGTERM ends.
 *
 * @param message what to say then: what goes on without us
 * @throws InterruptedError
 */
export async function interruptible<T>(io: Io, work: (signal: AbortSignal) => Promise<T>, message: string): Promise<T> {
  const controller = new AbortController();
  let takeBack = (): void => undefined;
  const interruption = new Promise<never>((_resolve, reject) => {
    takeBack = io.onInterrupt(() => {
      controller.abort();
      reject(new InterruptedError(message));
    });
  });
  try {
    return await Promise.race([work(controller.signal), interruption]);
  } finally {
    takeBack();
  }
}

/**
 * Asks what becomes of what somebody waited for who pressed Ctrl-C. Without a terminal, or at a second Ctrl-C: `leave`.
 *
 * @param what goes on: `guest web1 is being made`
 */
export async function askOnInterrupt(io: Io, what: string): Promise<'leave' | 'cancel'> {
  if (io.stdin.isTTY !== true) return 'leave';
  const readline = createInterface({ input: io.stdin, output: io.stderr });
  const second = new Promise<string>((resolve) => {
    readline
      .once('SIGINT', () => {
        resolve('l');
      })
      .once('close', () => {
        resolve('l');
      });
  });
  try {
    const answer = await Promise.race([readline.question(`\n${what}. (l)eave it running, or (c)ancel and undo it? [l] `), second]);
    return /^c/i.test(answer.trim()) ? 'cancel' : 'leave';
  } finally {
    readline.close();
  }
}
