/** The first connect of a worker. The SDK retries everything but that. */
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

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && !error.message.includes(error.cause.message) ? `${error.message}: ${error.cause.message}` : error.message;
}

/**
 * Connects, trying again with growing pauses (0.5 s to 15 s) and one line of log each time.
 *
 * @throws GuestflowError `Unreachable` after `giveUpAfterMs`; `Cancelled` when the signal fires.
 */
export async function connectWithRetry(endpoint: Endpoint, options: ConnectOptions): Promise<NativeConnection> {
  const { signal, logger } = options;
  const deadline = Date.now() + (options.giveUpAfterMs ?? Number.POSITIVE_INFINITY);
  for (let attempt = 1, pauseMs = FIRST_PAUSE_MS; ; attempt += 1, pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    if (signal.aborted) throw new GuestflowError('Cancelled', `Stopped before Temporal at ${endpoint.address} was reached.`);
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
