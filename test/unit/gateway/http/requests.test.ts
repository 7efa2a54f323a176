/** Requests that two readers may read differently, or that never end: each gets an answer of its own, and the connection is closed. */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES } from '../../../../contract/scopes.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { serve, type HttpServer } from '../../../../system/http/server.ts';
import { makeToken } from '../../../../gateway/v1/tokens.ts';
import { v1Routes } from '../../../../gateway/v1/routes.ts';
import { talk } from '../../system/http/talk.ts';
import { bench } from '../bench.ts';
import { fakeGuests, type FakeGuests } from '../fake-guests.ts';

const { token, record } = makeToken('all', Object.keys(SCOPES), new Date());

let server: HttpServer;
let guests: FakeGuests;
beforeAll(async () => {
  guests = fakeGuests();
  const body = { bytes: 10_000, ms: 3_000 };
  const { gateway } = await bench({ body, routes: v1Routes({ guests, plans: await loadPlans(), tokens: () => [record], body }) });
  server = await serve(gateway, { port: 0 });
});
afterAll(() => server.close());

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  readonly text: string;
}

/** What a raw connection is answered until it is closed, which the gateway must do. */
async function say(write: (socket: Socket) => void): Promise<Answer> {
  const text = await talk(server.port, write);
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return { status: Number(text.slice(9, 12)), head: head.toLowerCase(), body, text };
}

/** A request of raw lines, the last one of its connection. */
function ask(lines: readonly string[], version = '1.1'): Promise<Answer> {
  const [first = '', ...others] = lines;
  return say((socket) =>
    socket.write(`${first} HTTP/${version}\r\n${others.map((line) => `${line}\r\n`).join('')}Connection: close\r\n\r\n`),
  );
}

const HOST = 'Host: gateway.example.org';
const AUTH = `Authorization: Bearer ${token}`;
const JSON_BODY = 'Content-Type: application/json';

describe('a request', () => {
  it.each<[what: string, status: number, lines: readonly string[], field?: string]>([
    ['with two hosts', 400, ['GET /healthz', HOST, 'Host: elsewhere'], 'host'],
    ['with one host twice', 400, ['GET /healthz', HOST, HOST], 'host'],
    ['without a host', 400, ['GET /healthz'], 'host'],
    ['with a host that is none', 400, ['GET /healthz', 'Host: a b/c'], 'host'],
    ['with two tokens', 400, ['GET /v1/guests', HOST, AUTH, 'Authorization: Bearer other'], 'authorization'],
    ['with two media types', 400, ['POST /v1/guests', HOST, AUTH, JSON_BODY, 'Content-Type: text/plain'], 'content-type'],
    ['with two Idempotency-Keys', 400, ['POST /v1/guests', HOST, AUTH, 'Idempotency-Key: a', 'Idempotency-Key: b'], 'idempotency-key'],
    ['with two webhook ids', 400, ['POST /webhooks/signup', HOST, 'webhook-id: a', 'webhook-id: b'], 'webhook-id'],
    ['with two lengths', 400, ['POST /v1/guests', HOST, 'Content-Length: 1', 'Content-Length: 2']],
    ['with a length and chunks', 400, ['POST /v1/guests', HOST, 'Content-Length: 1', 'Transfer-Encoding: chunked']],
    ['with a coding that is none', 400, ['POST /v1/guests', HOST, 'Transfer-Encoding: gzip']],
    ['with a folded header', 400, ['GET /healthz', HOST, 'X-A: b', ' c']],
    ['with a blank before a colon', 400, ['GET /healthz', HOST, 'X-A : b']],
    ['with a second host as its hundredth header', 400, ['GET /healthz', HOST, ...Array<string>(97).fill('X: y'), 'Host: x'], 'host'],
    ['with more than a hundred headers', 431, ['GET /healthz', HOST, ...Array<string>(120).fill('X: y')]],
    ['with headers of 20 KB', 431, ['GET /healthz', HOST, `X: ${'y'.repeat(20_000)}`]],
    ['with a path of 9 KB', 414, [`GET /${'x'.repeat(9_000)}`, HOST]],
    ['with a path of 40 KB', 414, [`GET /${'x'.repeat(40_000)}`, HOST]],
    ['with a query of 9 KB', 414, [`GET /v1/guests?cursor=${'x'.repeat(9_000)}`, HOST, AUTH]],
    ['that goes up in the path', 400, ['GET /webhooks/../v1/guests', HOST, AUTH], 'path'],
    ['that goes up in the path, encoded', 400, ['GET /webhooks/%2e%2E/v1/guests', HOST, AUTH], 'path'],
    ['that stays in the path', 400, ['GET /v1/./guests', HOST, AUTH], 'path'],
    ['with a backslash', 400, ['GET /v1\\guests', HOST, AUTH], 'path'],
    ['with a fragment', 400, ['GET /v1/guests#x', HOST, AUTH], 'path'],
    ['with a percent sign alone', 400, ['GET /v1/guests/%zz', HOST, AUTH], 'path'],
    ['with an encoded null byte', 404, ['GET /v1/guests/a%00b', HOST, AUTH]],
    ['with an encoded slash', 404, ['GET /v1%2fguests', HOST, AUTH]],
    ['with two slashes in front', 404, ['GET //v1/guests', HOST, AUTH]],
    ['with two slashes within', 404, ['GET /v1//guests', HOST, AUTH]],
    ['with a slash at the end', 404, ['GET /v1/guests/', HOST, AUTH]],
    ['with an absolute target', 200, ['GET http://gateway.example.org/healthz', HOST]],
    ['with an absolute target without a path', 404, ['GET http://gateway.example.org', HOST]],
    ['with an absolute target of another host', 404, ['GET http://elsewhere/healthz', HOST]],
    ['with a target that is no path', 400, ['GET healthz', HOST]],
    ['about the server as a whole', 404, ['OPTIONS *', HOST]],
    ['for options', 405, ['OPTIONS /v1/guests', HOST]],
    ['to be traced', 405, ['TRACE /healthz', HOST]],
    ['by a method that is none', 400, ['BREW /healthz', HOST]],
    ['by a method in lower case', 400, ['get /healthz', HOST]],
    ['that expects what nobody knows', 417, ['POST /v1/guests', HOST, AUTH, 'Expect: tea'], 'expect'],
    ['that is to be another protocol', 200, ['GET /healthz', HOST, 'Upgrade: h2c']],
    ['with a null byte in a header', 400, ['GET /healthz', HOST, 'X: a\0b']],
  ])('%s gets its own status: %d', async (_what, status, lines, field) => {
    const answer = await ask(lines);
    expect(answer.status).toBe(status);
    if (status === 200) return;
    expect(answer.head).toContain('content-type: application/problem+json');
    expect(JSON.parse(answer.body)).toMatchObject({ status, ...(field === undefined ? {} : { field }) });
  });

  it('of HTTP/1.0 is answered, with a host or without', async () => {
    expect((await ask(['GET /healthz'], '1.0')).status).toBe(200);
    expect((await ask(['GET /healthz', HOST], '1.0')).status).toBe(200);
  });

  it.each([['0.9'], ['2.0'], ['9.9']])('of HTTP/%s is refused', async (version) => {
    expect((await ask(['GET /healthz', HOST], version)).status).toBe(400);
  });

  it('by HEAD is answered without a body, and with its length', async () => {
    const answer = await ask(['HEAD /v1/guests', HOST, AUTH]);
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.head).toMatch(/content-length: [1-9]/);
  });

  it('in a row of several on one connection gets its answer in its turn', async () => {
    const get = (path: string, last = false): string => `GET ${path} HTTP/1.1\r\n${HOST}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
    const { text } = await say((socket) => socket.write(`${get('/healthz')}${get('/nothing')}${get('/healthz', true)}`));
    expect([...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status)).toEqual(['200', '404', '200']);
  });

  it('behind one whose body nobody wants is not taken from within that body', async () => {
    const inner = `GET /healthz HTTP/1.1\r\n${HOST}\r\n\r\n`;
    const { text } = await say((socket) =>
      socket.write(`POST /nothing HTTP/1.1\r\n${HOST}\r\nContent-Length: ${inner.length + 10}\r\n\r\n${inner}`),
    );
    expect(text.match(/^HTTP\/1\.1/gm)).toHaveLength(1);
  });
});

describe('a query', () => {
  it.each([
    ['/v1/guests?limt=5', 'limt', 'limit, cursor, phase, dom0'],
    ['/v1/guests?Limit=5', 'Limit', 'limit'],
    ['/v1/guests?limit=5&limit=6', 'limit', 'twice'],
    ['/v1/guests?limit=5&lim%69t=5', 'limit', 'twice'],
    ['/v1/guests?=', '', 'no key'],
    ['/v1/guests?__proto__=1', '__proto__', 'no key'],
    ['/v1/guests/x?verbose=1', 'verbose', 'none'],
    ['/v1/guests/x/operations?limit=1', 'limit', 'none'],
    ['/v1/openapi.json?v=1', 'v', 'none'],
    ['/healthz?x', 'x', 'none'],
  ])('with a key that is unknown or stands twice is refused with the key: %s', async (path, field, reason) => {
    const answer = await ask([`GET ${path}`, HOST, AUTH]);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ field, reason: expect.stringContaining(reason) as unknown });
  });

  it('may be empty', async () => {
    expect((await ask(['GET /v1/guests?', HOST, AUTH])).status).toBe(200);
  });
});

describe('an endless body', () => {
  const CHUNK = `400\r\n${' '.repeat(1_024)}\r\n`;

  /** Sends as fast as it can, and looks for an answer only when it can send no more, as many programs do. */
  function flood(head: string, chunk: string): Promise<Answer> {
    return say((socket) => {
      socket.write(head);
      let isOver = false;
      const pump = (): void => {
        while (!isOver && socket.write(chunk));
      };
      socket.on('drain', () => setImmediate(pump));
      socket.on('error', () => (isOver = true));
      socket.on('close', () => (isOver = true));
      pump();
    });
  }

  it.each([
    ['an order', '/v1/guests', 413, [JSON_BODY]],
    ['an operation', '/v1/guests/x/suspend', 413, [JSON_BODY]],
    ['an operation, without a media type', '/v1/guests/x/suspend', 413, []],
    ['an event', '/webhooks/signup', 413, [JSON_BODY]],
    ['an event that asks first', '/webhooks/signup', 413, [JSON_BODY, 'Expect: 100-continue']],
    ['a compressed order', '/v1/guests', 415, [JSON_BODY, 'Content-Encoding: gzip']],
    ['what is not there', '/nothing', 404, []],
  ])('of %s ends with its status, which can be read, and the connection with it', async (_what, path, status, headers) => {
    const head = [`POST ${path} HTTP/1.1`, HOST, AUTH, 'Transfer-Encoding: chunked', ...headers].join('\r\n');
    const answer = await flood(`${head}\r\n\r\n`, CHUNK);
    expect(answer.text.replace('HTTP/1.1 100 Continue\r\n\r\n', '')).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.text.toLowerCase()).toContain('connection: close');
  });

  it('of tiny chunks, of endless extensions, and of endless trailers ends, too', async () => {
    const head = `POST /v1/guests HTTP/1.1\r\n${HOST}\r\n${AUTH}\r\n${JSON_BODY}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect((await flood(head, '1\r\n \r\n'.repeat(2_000))).status).toBe(413);
    expect((await flood(`${head}1;`, 'x'.repeat(10_000))).status).toBe(413);
    expect((await flood(`${head}1\r\n{\r\n0\r\n`, 'X: y\r\n'.repeat(100))).status).toBe(431);
  });

  it('of a request that needs none does not hold the connection', async () => {
    const answer = await flood(`GET /healthz HTTP/1.1\r\n${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`, CHUNK);
    expect(answer.status).toBe(200);
    expect(answer.head).toContain('connection: close');
  });

  it('that drips is ended with 408', async () => {
    const answer = await say((socket) => {
      socket.write(`POST /v1/guests HTTP/1.1\r\n${HOST}\r\n${AUTH}\r\n${JSON_BODY}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      const timer = setInterval(() => socket.write('1\r\n \r\n'), 50);
      socket.on('close', () => clearInterval(timer));
    });
    expect(answer.status).toBe(408);
  });
});

describe('a body without a media type', () => {
  it('is not left unread: it was sent to say something', async () => {
    const answer = await say((socket) =>
      socket.write(
        `POST /v1/guests/x/terminate HTTP/1.1\r\n${HOST}\r\n${AUTH}\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{"now":true}`,
      ),
    );
    expect(answer.status).toBe(415);
    expect(guests.requests).toEqual([]);
  });
});
