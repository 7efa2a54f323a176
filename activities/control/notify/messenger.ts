/** Webhooks that go out: signed as Standard Webhooks, to an address that was checked. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ApplicationFailure } from '@temporalio/common';
import { Webhook } from 'standardwebhooks';
import type { Messenger } from '../billing/activities.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { addressOf, type Address, type Resolve } from './public-address.ts';

export interface Receiver {
  readonly url: URL;
  /** The message is signed with each of them, so that the receiver can change its secret. */
  readonly secrets: readonly string[];
  /** Allows addresses that are not public, too. */
  readonly allowPrivate: boolean;
  /** Default: as the machine looks names up. */
  readonly resolve?: Resolve;
}

/** What the standard recommends: receivers answer at once and work afterwards. */
const ANSWER_MS = 15_000;

/** HTTP 410: the receiver wants no more webhooks. */
const GONE = 410;

/** What goes out: its body is `{type, timestamp, data}`. */
export interface Outgoing {
  /** `webhook-id`: the same for every attempt. */
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: object;
}

/** Sends webhooks of guests to a receiver, as `postSigned` does. */
export function createMessenger(receiver: Receiver, limitMs?: number): Messenger {
  return (notification) => postSigned(receiver, notification, limitMs);
}

/**
 * Sends a webhook. If that throws, Temporal tries again, unless the receiver said that it wants no more.
 *
 * @param limitMs for all of it: finding the address, connecting, sending, and the head of the answer. Default: 15 s
 */
export async function postSigned(receiver: Receiver, outgoing: Outgoing, limitMs = ANSWER_MS): Promise<string> {
  const until = AbortSignal.timeout(limitMs);
  const address = await inTime(until, receiver.url.hostname, () =>
    addressOf(receiver.url.hostname, receiver.allowPrivate, receiver.resolve),
  ).catch((error: unknown) => {
    throw error instanceof GuestflowError ? ApplicationFailure.create({ type: error.type, message: error.message }) : error;
  });
  const status = await post(receiver.url, address, until, ...signed(outgoing, receiver.secrets));
  if (status >= 200 && status < 300) return `the receiver answered ${status}`;
  throw ApplicationFailure.create({
    type: 'Unreachable',
    message: `the receiver answered ${status} to ${outgoing.type}`,
    nonRetryable: status === GONE,
  });
}

/** Waits for work until the time is up: a DNS look-up cannot be ended, but need not be waited for. */
async function inTime<T>(until: AbortSignal, host: string, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    until.addEventListener('abort', () =>
      reject(new GuestflowError('Unreachable', `the address of the receiver ${host} was not found in time`)),
    );
    work().then(resolve, reject);
  });
}

function signed({ id, type, timestamp, data }: Outgoing, secrets: readonly string[]): [body: string, headers: Record<string, string>] {
  const body = JSON.stringify({ type, timestamp, data });
  const now = new Date();
  return [
    body,
    {
      'content-type': 'application/json',
      'user-agent': 'guestflow',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
      'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, now, body)).join(' '),
    },
  ];
}

/** Returns the status of the answer. It follows no redirections: their address would not be checked. */
async function post(
  url: URL,
  { address, family }: Address,
  until: AbortSignal,
  body: string,
  headers: Record<string, string>,
): Promise<number> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const lookup: RequestOptions['lookup'] = (_host, options, callback) => {
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = send(
      url,
      {
        method: 'POST',
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        lookup,
        agent: false,
        signal: until,
      },
      resolve,
    );
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        ApplicationFailure.create({
          type: 'Unreachable',
          message: `the receiver ${url.hostname} did not answer: ${error.code ?? error.name}`,
        }),
      );
    });
    outgoing.end(body);
  });
  // The body of the answer is not read.
  response.destroy();
  return response.statusCode ?? 0;
}
