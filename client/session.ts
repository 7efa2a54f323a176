/** One connection to Temporal, with the time limits and the translation of errors that every call of the client library shares. */
import { connect as connectSocket } from 'node:net';
import { Client, Connection } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { createPayloadCodec } from './codec/codec.ts';
import type { Endpoint } from './config.ts';
import { temporalDoesNotAnswer, toGuestflowError } from './failures.ts';
import { untilTaken } from './lost-updates.ts';
import { withReason } from './explain-unreachable.ts';

/** How long a call may take that a worker answers at once. The server itself gives a query ten seconds. */
export const ANSWER_MS = 20_000;
const CONNECT_MS = 5_000;

/** A connected client. */
export interface Session {
  readonly client: Client;
  readonly endpoint: Endpoint;
  /** The client's codec, for payloads that the client does not decode. */
  readonly codec: PayloadCodec;
  /**
   * Makes a call with a time limit; an update that was lost on its way is sent again; errors become guestflow's.
   *
   * @param subject what is asked about, for errors: `guest guest1`
   * @param limitMs default: 20 s; `Infinity` for none
   */
  call<T>(subject: string, work: () => Promise<T>, limitMs?: number): Promise<T>;
  close(): Promise<void>;
}

/**
 * Connects.
 *
 * @throws GuestflowError Unreachable
 */
export async function openSession(endpoint: Endpoint): Promise<Session> {
  const unreachable = (reason: string): Error =>
    temporalDoesNotAnswer(endpoint.address, `${reason} (the address comes from ${endpoint.source})`);
  if (await isRefusedHere(endpoint.address)) throw unreachable('nothing listens there');
  const connection = await Connection.connect({ ...endpoint.connection, connectTimeout: CONNECT_MS }).catch((error: unknown) => {
    throw unreachable(error instanceof Error ? error.message : String(error));
  });
  const dataConverter = { payloadCodecs: [createPayloadCodec(endpoint.codecKeys)] };
  return sessionOver(new Client({ connection, namespace: endpoint.namespace, dataConverter }), endpoint);
}

/** A session over an existing client, that of a worker. Closing the session closes the client's connection. */
export function sessionOver(client: Client, endpoint: Endpoint): Session {
  const codec = createPayloadCodec(endpoint.codecKeys);
  return {
    client,
    endpoint,
    codec,
    call: async <T>(subject: string, work: () => Promise<T>, limitMs = ANSWER_MS) => {
      try {
        const answer = (): Promise<T> => untilTaken(work);
        return await (Number.isFinite(limitMs) ? client.withDeadline(Date.now() + limitMs, answer) : answer());
      } catch (error) {
        throw await withReason(toGuestflowError(error, subject, endpoint.address), subject, { client, codec });
      }
    },
    close: () => client.connection.close(),
  };
}

/** Whether this machine refuses the connection. gRPC would retry until its time limit; but if this machine refuses, no server is there. */
async function isRefusedHere(address: string): Promise<boolean> {
  const [, host, port] = /^(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined || Number(port) > 65_535) return false;
  return new Promise((resolve) => {
    const socket = connectSocket({ host: host.replace(/[[\]]/g, ''), port: Number(port) });
    socket.once('connect', () => {
      resolve(false);
      socket.destroy();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED');
    });
  });
}
