/** Makes a Web-standard request of one of `node:http`. It refuses requests that a proxy and we could read differently. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpRefusal } from './problem.ts';
import { urlOfTarget } from './target.ts';

/** Most header lines of a request. */
const MOST_HEADERS = 100;

/** Headers that may stand at most once: if there were two, readers would differ in which one they take. */
const ONCE = new Set([
  'host',
  'authorization',
  'content-type',
  'content-length',
  'idempotency-key',
  'webhook-id',
  'webhook-timestamp',
  'expect',
]);

/** Methods that the Web's requests do not know. */
const NO_METHODS = new Set(['CONNECT', 'TRACE', 'TRACK']);

const CLOSE = { connection: 'close' };

/** The request, or a refusal. */
export function toRequest(incoming: IncomingMessage, outgoing: ServerResponse): Request | HttpRefusal {
  try {
    mustBeClear(incoming);
    return readRequest(incoming, outgoing);
  } catch (error) {
    if (error instanceof HttpRefusal) return error;
    return new HttpRefusal(400, 'bad-request', 'there is no such request', {}, CLOSE);
  }
}

/** Throws HttpRefusal 400 or 431. */
function mustBeClear({ httpVersionMajor, httpVersionMinor, headers, rawHeaders }: IncomingMessage): void {
  // A request line that ends early counts as HTTP/0.9.
  if (httpVersionMajor !== 1) throw badRequest('this takes HTTP/1.1');
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  if (names.length > MOST_HEADERS)
    throw new HttpRefusal(431, 'headers', `the request has ${names.length} headers, more than ${MOST_HEADERS}`, {}, CLOSE);
  const twice = names.find((name, index) => ONCE.has(name) && names.indexOf(name) !== index);
  if (twice !== undefined) throw badHeader(twice, 'stands twice');
  if (headers.host === undefined && httpVersionMinor > 0) throw badHeader('host', 'is missing');
  if (!/^[A-Za-z0-9._~:[\]%!$&'()*+,;=-]*$/.test(headers.host ?? '')) throw badHeader('host', 'is no host');
}

function badRequest(detail: string): HttpRefusal {
  return new HttpRefusal(400, 'bad-request', detail, {}, CLOSE);
}

function badHeader(name: string, reason: string): HttpRefusal {
  return new HttpRefusal(400, 'bad-request', `the header ${name} ${reason}`, { field: name, reason }, CLOSE);
}

function readRequest(incoming: IncomingMessage, outgoing: ServerResponse): Request {
  const method = incoming.method ?? 'GET';
  if (NO_METHODS.has(method))
    throw new HttpRefusal(405, 'method-not-allowed', `there is nothing to ${method} here`, {}, { allow: 'GET, HEAD, POST' });
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const url = urlOfTarget(pathOf(incoming));
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(url, { method, headers, ...(hasBody ? { body: bodyOf(incoming, outgoing), duplex: 'half' as const } : {}) });
}

/** The target without what an absolute one (RFC 9112, section 3.2.2) has before its path. */
function pathOf({ url = '/', headers }: IncomingMessage): string {
  const [, authority, path] = /^https?:\/\/([^/?]*)(.*)$/i.exec(url) ?? [];
  // `OPTIONS *` is about the server as a whole.
  if (authority === undefined || path === undefined) return url === '*' ? '/' : url;
  if (authority.toLowerCase() !== headers.host?.toLowerCase())
    throw new HttpRefusal(404, 'not-found', 'the request is for another host than ours');
  return path.startsWith('/') ? path : `/${path}`;
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
        // Adding this listener starts the flow of data.
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
