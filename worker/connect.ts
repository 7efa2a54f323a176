/** The first connection of a worker: the only one that the SDK does not retry. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import type { Endpoint } from '../client/config.ts';
import { GuestflowError } from '../contract/errors.ts';
import type { Logger } from './logger.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** How to connect. */
export interface ConnectOptions {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Milliseconds after which it gives up. Default: never. */
  readonly giveUpAfterMs?: number | undefined;
}

/** The native library prints its error as nested structures; only the innermost message tells the cause. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /message: "([^"]+)"/.exec(text)?.[1] ?? text;
}

/**
 * Connects, trying again with growing pauses (0.5 s to 15 s) and one line of log each time.
 *
 * @returns undefined when the signal fired first.
 * @throws GuestflowError `Unreachable` after `giveUpAfterMs`.
 */
export async function connectWithRetry(endpoint: Endpoint, options: ConnectOptions): Promise<NativeConnection | undefined> {
  const { signal, logger } = options;
  const deadline = Date.now() + (options.giveUpAfterMs ?? Number.POSITIVE_INFINITY);
  for (let attempt = 1, pauseMs = FIRST_PAUSE_MS; ; attempt += 1, pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    if (signal.aborted) return undefined;
    try {
      const connection = await NativeConnection.connect(endpoint.connection as NativeConnectionOptions);
      logger.info({ address: endpoint.address, namespace: endpoint.namespace, attempt }, 'connected to Temporal');
      return connection;
    } catch (error) {
      const reason = reasonOf(error);
      if (Date.now() + pauseMs > deadline) {
        throw new GuestflowError('Unreachable', `Temporal at ${endpoint.address} cannot be reached: ${reason}`, {
          mend: `Start it, or correct the address, which comes from ${endpoint.source}.`,
        });
      }
      logger.warn({ address: endpoint.address, attempt, retryInMs: pauseMs, reason }, 'Temporal cannot be reached; trying again');
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
