/** Serves a `fetch` handler by `node:http`, with bounds on what a connection may take. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GuestflowError } from '../contract/errors.ts';
import type { Gateway } from './gateway.ts';
import { problemResponse, Refusal } from './problem.ts';

export interface ServeOptions {
  /** Default: 127.0.0.1. What listens elsewhere belongs behind a proxy that speaks TLS. */
  readonly host?: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Most connections at once; more are closed. Default: 512. */
  readonly connections?: number;
  /** Other bounds than `LIMITS`, in milliseconds. */
  readonly limits?: Partial<Pick<typeof LIMITS, 'headersTimeout' | 'requestTimeout' | 'connectionsCheckingInterval'>>;
}

export interface HttpServer {
  readonly port: number;
  readonly url: string;
  /** Takes no new requests, and returns when those that run are answered. */
  close(): Promise<void>;
}

/** Bounds for senders that are slow on purpose. */
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16_384,
  connectionsCheckingInterval: 1_000,
  // What is no HTTP to the letter may be two requests to us and one to the proxy before us.
  insecureHTTPParser: false,
  requireHostHeader: true,
};

const LINGER_MS = 1_000;

/**
 * Serves.
 *
 * @throws GuestflowError InvalidInput when the address cannot be had
 */
export async function serve(
  gateway: Gateway,
  { host = '127.0.0.1', port, connections = 512, limits = {} }: ServeOptions,
): Promise<HttpServer> {
  const take = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    respond(gateway, incoming, outgoing).catch(() => outgoing.destroy());
  };
  const server = createServer({ ...LIMITS, ...limits }, take);
  // A sender that asks first is told to go on when its body is read, which a body that is too large never is.
  server.on('checkContinue', take);
  server.maxConnections = connections;
  server.maxHeadersCount = 100;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new GuestflowError('InvalidInput', `the gateway cannot listen on ${host}, port ${port}: ${error.code ?? error.message}`, {
          field: 'listen',
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  return {
    port: actual,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

async function respond(gateway: Gateway, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const request = toRequest(incoming, outgoing);
  const response = request instanceof Request ? await gateway(request) : problemResponse(request);
  const body = Buffer.from(await response.arrayBuffer());
  // The rest of a body that nobody wants is not waited for: the connection ends with the answer.
  if (!incoming.complete) outgoing.setHeader('connection', 'close');
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(incoming.method === 'HEAD' ? undefined : body);
  if (!incoming.complete) discard(incoming);
}

/** Lets a sender read its answer: a socket that is closed with something unread in it loses what was written to it, too. */
function discard(incoming: IncomingMessage): void {
  incoming.removeAllListeners('data');
  incoming.resume();
  const timer = setTimeout(() => incoming.destroy(), LINGER_MS);
  incoming.once('close', () => clearTimeout(timer));
}

/** The request; or why it is none. */
function toRequest(incoming: IncomingMessage, outgoing: ServerResponse): Request | Refusal {
  const method = incoming.method ?? 'GET';
  // Only the path counts: the Host header is the sender's word.
  const path = incoming.url?.startsWith('/') === true ? incoming.url : '/';
  const hasBody = method !== 'GET' && method !== 'HEAD';
  // A request line that ends early counts as HTTP/0.9.
  if (incoming.httpVersionMajor < 1) return new Refusal(400, 'bad-request', 'this takes HTTP/1.1', {}, { connection: 'close' });
  try {
    const headers = new Headers();
    for (const [name, value] of Object.entries(incoming.headers)) {
      if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
    }
    const url = new URL(`http://gateway${path}`);
    return new Request(url, { method, headers, ...(hasBody ? { body: bodyOf(incoming, outgoing), duplex: 'half' as const } : {}) });
  } catch {
    // TRACE, say, which the Web's requests do not know.
    return new Refusal(400, 'bad-request', 'there is no such request', {}, { connection: 'close' });
  }
}

/** The body as a Web stream that can be given up without losing the connection: `Readable.toWeb` would destroy it. Nothing is read before it is wanted. */
function bodyOf(incoming: IncomingMessage, outgoing: ServerResponse): ReadableStream<Uint8Array> {
  let mustSayContinue = incoming.headers.expect?.toLowerCase() === '100-continue';
  incoming.pause();
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        incoming.on('data', (chunk: Buffer) => {
          controller.enqueue(chunk);
          incoming.pause();
        });
        incoming.once('end', () => closeQuietly(controller));
        incoming.once('error', (error) => controller.error(error));
        incoming.once('close', () => closeQuietly(controller, new Error('the connection has ended')));
        // To listen is to let flow.
        incoming.pause();
      },
      pull() {
        if (mustSayContinue) outgoing.writeContinue();
        mustSayContinue = false;
        incoming.resume();
      },
      cancel() {
        incoming.removeAllListeners('data');
      },
    },
    { highWaterMark: 0 },
  );
}

/** A stream that is closed or given up already takes no further word. */
function closeQuietly(controller: ReadableStreamDefaultController, error?: Error): void {
  try {
    if (error === undefined) controller.close();
    else controller.error(error);
  } catch {
    // It was closed before.
  }
}
