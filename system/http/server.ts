/** Serves a `fetch` handler by `node:http`, with bounds on what a connection may take. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { GuestflowError } from '../../contract/errors.ts';
import { answerBroken } from './broken.ts';
import type { Handler } from './handler.ts';
import { toRequest } from './incoming.ts';
import { problemParts, problemResponse, HttpRefusal } from './problem.ts';
import { stopperOf } from './stop.ts';
import { isStreamed } from './streamed.ts';
import { onUpgrade, type Upgrade } from './upgrade.ts';

export interface ServeOptions {
  /** Default: 127.0.0.1. What listens elsewhere belongs behind a proxy that speaks TLS. */
  readonly host?: string;
  /** 0 for any free one. */
  readonly port: number;
  /** What sets the port, for the error when it cannot be had. Default: `listen`. */
  readonly setting?: string;
  /** Most connections at once; more are closed. Default: 512. */
  readonly connections?: number;
  /** Takes connections that are to speak another protocol. They end with the server. Default: what they ask for is ignored. */
  readonly upgrade?: Upgrade | undefined;
  /** Other bounds than `LIMITS`, in milliseconds. */
  readonly limits?: Partial<Pick<typeof LIMITS, 'headersTimeout' | 'requestTimeout' | 'connectionsCheckingInterval'>>;
}

export interface HttpServer {
  readonly port: number;
  readonly url: string;
  /** Takes no new requests, answers those that it has, and ends all connections. */
  close(): Promise<void>;
}

/** Bounds for senders that are slow on purpose. */
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16_384,
  connectionsCheckingInterval: 1_000,
  // Node's lenient parser could read two requests where a proxy before us reads one.
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
export async function serve(handler: Handler, options: ServeOptions): Promise<HttpServer> {
  const { host = '127.0.0.1', connections = 512, limits = {} } = options;
  const take = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    respond(handler, incoming, outgoing, () => !server.listening).catch(() => outgoing.destroy());
  };
  const server = createServer({ ...LIMITS, ...limits });
  const close = stopperOf(server);
  server.on('request', take);
  // A sender that asks with `Expect: 100-continue` is told to go on only when its body is read; a body that is too large is never read.
  server.on('checkContinue', take);
  server.on('checkExpectation', refuseExpectation);
  if (options.upgrade !== undefined) server.on('upgrade', onUpgrade(options.upgrade, take));
  server.on('clientError', (error, socket) => {
    // The last answer of this connection has been given: what follows is the rest of a body, or something hidden in it.
    if (ENDING.has(socket)) socket.destroy();
    else answerBroken(error, socket);
  });
  server.maxConnections = connections;
  // None: Node drops headers beyond its limit in silence. `toRequest` counts them.
  server.maxHeadersCount = 0;
  const port = await listen(server, host, options);
  return { port, url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, close };
}

/** The port that it listens on. */
async function listen(server: Server, host: string, { port, setting = 'listen' }: ServeOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const reason = code === 'EADDRINUSE' ? 'it is taken' : (code ?? message);
      reject(new GuestflowError('InvalidInput', `${setting}: nothing can listen on ${host}, port ${port}: ${reason}`, { field: setting }));
    });
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** For another expectation than `100-continue`: there is none in HTTP/1.1. */
function refuseExpectation(_incoming: IncomingMessage, outgoing: ServerResponse): void {
  const refusal = new HttpRefusal(
    417,
    'expectation',
    'of Expect, only 100-continue is known',
    { field: 'expect' },
    { connection: 'close' },
  );
  const { headers, body } = problemParts(refusal);
  outgoing.writeHead(refusal.status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

/** Connections whose last answer has been given. */
const ENDING = new WeakSet<Duplex>();

async function respond(handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse, isStopping: () => boolean): Promise<void> {
  if (ENDING.has(incoming.socket)) return;
  const request = toRequest(incoming, outgoing);
  const response = request instanceof Request ? await handler(request) : problemResponse(request);
  const stream = isStreamed(response) ? response.body : null;
  const body = stream ?? Buffer.from(await response.arrayBuffer());
  // The rest of an unread body is not waited for: the connection ends with the answer.
  const isRestLeft = !incoming.complete;
  if (isRestLeft || isStopping()) {
    outgoing.setHeader('connection', 'close');
    ENDING.add(incoming.socket);
  }
  outgoing.writeHead(response.status, {
    ...Object.fromEntries(response.headers),
    ...(response.status === 204 || !Buffer.isBuffer(body) ? {} : { 'content-length': body.length }),
  });
  await send(body, incoming.method === 'HEAD', outgoing);
  if (isRestLeft) await discard(incoming);
  outgoing.end();
}

/** Sends a body, a stream of it no faster than it is read. @throws when the stream breaks off, or who reads it has gone */
async function send(body: Buffer | NonNullable<Response['body']>, isHead: boolean, outgoing: ServerResponse): Promise<void> {
  if (!Buffer.isBuffer(body))
    await (isHead ? body.cancel() : pipeline(Readable.fromWeb(body as ReadableStream<Uint8Array>), outgoing, { end: false }));
  // Node counts a connection as idle once its answer has ended, even if the answer still has to be sent.
  else if (!isHead && body.length > 0) await new Promise((resolve) => outgoing.write(body, resolve));
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
