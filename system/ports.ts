/** Finds TCP ports of the loopback interface. */
import { createServer } from 'node:net';

/** The port, when it is free; of 0, one that the kernel chooses. */
function listenable(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });
}

/**
 * A free port of 127.0.0.1.
 *
 * @param preferred the first free one from there upwards. Default: one that the kernel chooses
 * @param taken ports that are not given, though nobody listens there yet
 * @throws Error when none of the hundred from `preferred` on is free
 */
export async function freePort(preferred = 0, taken: readonly number[] = []): Promise<number> {
  for (let port = preferred; port < preferred + 100 && port < 65_536; port += 1) {
    const found = taken.includes(port) ? undefined : await listenable(port);
    if (found !== undefined) return found;
  }
  throw new Error(`none of the ports from ${preferred} on is free`);
}
