/**
 * A codec server for one person's browser: the Temporal UI sends it payloads, and shows what comes back. It decrypts only, listens on the
 * loopback interface only, and lets no other page than the UI's own read its answers.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import { GuestflowError } from '../contract/errors.ts';

export interface CodecServerOptions {
  readonly codec: PayloadCodec;
  /** Of the Temporal UI, as browsers write it: `http://127.0.0.1:8233`. */
  readonly origin: string;
  /** On 127.0.0.1; 0 for any free one. */
  readonly port: number;
}

export interface CodecServer {
  readonly url: string;
  close(): Promise<void>;
}

const LONGEST_BODY = 8 * 2 ** 20;
const BODY_MS = 10_000;

const base64 = z.base64().transform((text) => Buffer.from(text, 'base64'));
const bodySchema = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), base64).default({}), data: base64.default(Buffer.alloc(0)) })).max(10_000),
});

/** Answers with a status and no more words than needed: what was sent may be private. */
class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Serves `POST /decode`.
 *
 * @throws GuestflowError InvalidInput when the port is taken, or `origin` is none
 */
export async function serveCodec({ codec, origin, port }: CodecServerOptions): Promise<CodecServer> {
  if (!URL.canParse(origin) || new URL(origin).origin !== origin || !/^https?:/.test(origin))
    throw new GuestflowError('InvalidInput', `--origin "${origin}" is no origin of a web page, like http://127.0.0.1:8233`, {
      field: 'origin',
      value: origin,
    });
  const server = createServer((request, response) => {
    answer(request, response, codec, origin).catch((error: unknown) => {
      const refused =
        error instanceof Refused
          ? error
          : new Refused(400, error instanceof GuestflowError ? error.message : 'the payloads cannot be read');
      response.writeHead(refused.status, { 'content-type': 'text/plain' }).end(`${refused.message}\n`);
    });
  });
  server.requestTimeout = BODY_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new GuestflowError('InvalidInput', `port ${String(port)} is taken`, { field: 'port' }) : error);
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, codec: PayloadCodec, origin: string): Promise<void> {
  // A page that made its own name point at this machine sends that name.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? '')) throw new Refused(403, 'asked for by another name');
  const asker = request.headers.origin;
  if (asker !== undefined && asker !== origin) throw new Refused(403, 'not for this page');
  if (asker !== undefined) response.setHeader('access-control-allow-origin', origin).setHeader('vary', 'origin');
  if (request.method === 'OPTIONS') {
    response
      .writeHead(204, {
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'content-type, x-namespace',
        'access-control-max-age': '600',
      })
      .end();
    return;
  }
  if (request.method !== 'POST' || request.url !== '/decode') throw new Refused(404, 'only POST /decode');
  // Any page may send a form; JSON it may send only after it was let.
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) throw new Refused(415, 'only application/json');
  const parsed = bodySchema.safeParse(JSON.parse(await bodyOf(request)));
  if (!parsed.success) throw new Refused(400, 'no payloads');
  const payloads = await codec.decode(parsed.data.payloads);
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(
    JSON.stringify({
      payloads: payloads.map(({ metadata, data }) => ({
        metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([key, bytes]) => [key, Buffer.from(bytes).toString('base64')])),
        data: Buffer.from(data ?? []).toString('base64'),
      })),
    }),
  );
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > LONGEST_BODY) throw new Refused(413, 'too long');
  }
  return Buffer.concat(chunks).toString('utf8');
}
