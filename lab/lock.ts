/** A lock between processes of one machine that cannot outlive its holder: a listening socket with a name but no file. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const RETRY_MS = 250;

function tryListen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.destroy();
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`\0${name}`, () => {
      resolve(server);
    });
  });
}

/**
 * Runs `work` while holding the lock of that name; waits for another holder.
 *
 * @param onWait called once when another process holds it.
 */
export async function withLock<T>(
  name: string,
  work: () => Promise<T>,
  options: { signal?: AbortSignal | undefined; onWait?: () => void } = {},
): Promise<T> {
  const address = `guestflow-lab-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  let server = await tryListen(address);
  if (server === undefined) options.onWait?.();
  while (server === undefined) {
    options.signal?.throwIfAborted();
    await sleep(RETRY_MS);
    server = await tryListen(address);
  }
  const holder = server;
  try {
    return await work();
  } finally {
    await new Promise<void>((resolve) => {
      holder.close(() => {
        resolve();
      });
    });
  }
}
