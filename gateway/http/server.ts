/** Serves a `fetch` handler by `node:http`, with bounds on what a connection may take. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { GuestflowError } from '../../contract/errors.ts';
import { answerBroken } from './broken.ts';
import type { Gateway } from '../gateway.ts';
import { toRequest } from './incoming.ts';
import { problemParts, problemResponse, Refusal } from './problem.ts';

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
  // Refused with the others of its kind, where the answer is a problem document.
  requireHostHeader: false,
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
  server.on('checkExpectation', refuseExpectation);
  server.on('clientError', (error, socket) => {
    // Its answer has been given, and was the last one: what follows is the rest of a body, or what hides in one.
    if (ENDING.has(socket)) socket.destroy();
    else answerBroken(error, socket);
  });
  // None: Node drops headers beyond its limit in silence. `toRequest` counts them.
  server.maxHeadersCount = 0;
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

/** For another expectation than `100-continue`: there is none in HTTP/1.1. */
function refuseExpectation(_incoming: IncomingMessage, outgoing: ServerResponse): void {
  const refusal = new Refusal(417, 'expectation', 'of Expect, only 100-continue is known', { field: 'expect' }, { connection: 'close' });
  const { headers, body } = problemParts(refusal);
  outgoing.writeHead(refusal.status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

/** Connections that have had their last answer. */
const ENDING = new WeakSet<Duplex>();

async function respond(gateway: Gateway, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  if (ENDING.has(incoming.socket)) return;
  const request = toRequest(incoming, outgoing);
  const response = request instanceof Request ? await gateway(request) : problemResponse(request);
  const body = Buffer.from(await response.arrayBuffer());
  const isHead = incoming.method === 'HEAD';
  // The rest of a body that nobody wants is not waited for: the connection ends with the answer.
  const isRestLeft = !incoming.complete;
  if (isRestLeft) {
    outgoing.setHeader('connection', 'close');
    ENDING.add(incoming.socket);
  }
  outgoing.writeHead(response.status, { ...Object.fromEntries(response.headers), 'content-length': body.length });
  if (!isHead) outgoing.write(body);
  if (isRestLeft) await discard(incoming);
  outgoing.end();
}

/**
 * Lets a sender that still sends read its answer, which it has in full: Node closes the socket at the end of a response, and one that is closed with
 * something unread in it loses what was written to it, too.
 */
async function discard(incoming: IncomingMessage): Promise<void> {
  incoming.removeAllListeners('data');
  incoming.resume();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    for (const event of ['end', 'close', 'error']) {
      incoming.once(event, () => {
        clearTimeout(timer);
        resolve();
      });
    }
  });
}
