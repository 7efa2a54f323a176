/** A lock among the processes of one machine that no crash can leave behind: a socket in Linux' abstract name space. */
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A lock that is held. */
export interface MachineLock {
  release(): Promise<void>;
}

function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(path, () => {
      resolve(true);
    });
  });
}

/**
 * Takes the lock `name`, or says that another process of this machine has it.
 *
 * @param name at most 90 characters; the kernel frees it when the process ends, however that happens.
 * @returns undefined when it is taken.
 */
export async function tryMachineLock(name: string): Promise<MachineLock | undefined> {
  const server = createServer((socket) => socket.destroy());
  if (!(await listen(server, `\0guestflow/${name}`))) return undefined;
  // The lock alone must not keep the process alive.
  server.unref();
  return {
    release: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      }),
  };
}

/**
 * Takes the lock `name`, waiting for whoever has it.
 *
 * @param limitMs how long to wait.
 * @returns undefined when it was still taken after that.
 */
export async function machineLock(name: string, limitMs: number, signal?: AbortSignal): Promise<MachineLock | undefined> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const lock = await tryMachineLock(name);
    if (lock !== undefined || Date.now() > deadline) return lock;
    await sleep(100, undefined, { signal });
  }
}
