/** A lock among the processes of one machine: a socket in Linux' abstract name space, which a crash cannot leave behind. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { until } from './until.ts';

/** A lock that is held. */
export interface MachineLock {
  release(): Promise<void>;
}

/** Bytes of an abstract socket's name that the kernel takes (unix(7): 108), less our prefix. libuv cuts off what is longer. */
const LONGEST_NAME = 96;
const POLL_MS = 100;

function addressOf(name: string): string {
  const short = Buffer.byteLength(name) <= LONGEST_NAME ? name : createHash('sha256').update(name).digest('hex');
  return `\0guestflow/${short}`;
}

function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(path, () => resolve(true));
  });
}

/**
 * Takes the lock `name`, or says that another process of this machine has it.
 *
 * @param name of any length; the kernel frees the lock when the process ends, however that happens.
 * @returns undefined when it is taken.
 */
export async function tryMachineLock(name: string): Promise<MachineLock | undefined> {
  const server = createServer((socket) => socket.destroy());
  if (!(await listen(server, addressOf(name)))) return undefined;
  // The lock alone must not keep the process alive.
  server.unref();
  return {
    release: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/**
 * Takes the lock `name`; if another process has it, waits.
 *
 * @param limitMs how long to wait.
 * @returns undefined when it was still taken after that.
 */
export function machineLock(name: string, limitMs: number, signal?: AbortSignal): Promise<MachineLock | undefined> {
  return until(() => tryMachineLock(name), { everyMs: POLL_MS, limitMs, signal });
}

/** How a lock is waited for. */
export interface LockWait {
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called once when another process has the lock. */
  readonly onWait?: () => void;
}

/** Does work while holding the lock `name`. If another process has it, waits for as long as that takes. */
export async function withMachineLock<T>(name: string, work: () => Promise<T>, { signal, onWait }: LockWait = {}): Promise<T> {
  let lock = await tryMachineLock(name);
  if (lock === undefined) {
    onWait?.();
    lock = await until(() => tryMachineLock(name), { everyMs: POLL_MS, signal });
  }
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
