/** A connection to Temporal that is made when it is first needed, and tried again after a failure: the gateway starts, and answers, without it. */
import { openSession, type Session } from '../client/session.ts';
import type { Endpoint } from '../client/config.ts';
import { GuestflowError } from '../contract/errors.ts';

export interface LazySession {
  get(): Promise<Session>;
  close(): Promise<void>;
}

/** Makes one for an endpoint. Callers that ask while it connects share the attempt. */
export function createLazySession(
  endpoint: () => Promise<Endpoint>,
  open: (endpoint: Endpoint) => Promise<Session> = openSession,
): LazySession {
  let opening: Promise<Session> | undefined;
  const get = (): Promise<Session> => {
    opening ??= endpoint()
      .then(open)
      .catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
    return opening;
  };
  return {
    get,
    close: async () => {
      const session = await opening?.catch(() => undefined);
      await session?.close();
    },
  };
}

/**
 * Does work within a time limit. Work that takes longer goes on, but its result is dropped.
 *
 * @throws GuestflowError Unreachable
 */
export async function within<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new GuestflowError('Unreachable', `Temporal did not answer within ${limitMs} ms`)), limitMs);
  });
  try {
    const working = work();
    working.catch(() => undefined);
    return await Promise.race([working, late]);
  } finally {
    clearTimeout(timer);
  }
}
