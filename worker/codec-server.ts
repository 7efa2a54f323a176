/**
 * A codec server for one person's browser: the Temporal UI sends it payloads, and shows its answers. It only decrypts, listens only on the loopback
 * interface, and lets only the UI's own page read its answers.
 */
import type { PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import { GuestflowError } from '../contract/errors.ts';
import { readJsonText } from '../system/http/body.ts';
import { createHandler, type Handler } from '../system/http/handler.ts';
import { jsonResponse, problemResponse, HttpRefusal } from '../system/http/problem.ts';
import type { Route } from '../system/http/router.ts';
import { serve, type HttpServer } from '../system/http/server.ts';

export interface CodecServerOptions {
  readonly codec: PayloadCodec;
  /** Of the Temporal UI, as browsers write it: `http://127.0.0.1:8233`. */
  readonly origin: string;
  /** On 127.0.0.1; 0 for any free one. */
  readonly port: number;
}

const BODY_LIMITS = { bytes: 8 * 2 ** 20, ms: 10_000 };

const PREFLIGHT = {
  'access-control-allow-methods': 'POST',
  'access-control-allow-headers': 'content-type, x-namespace',
  'access-control-max-age': '600',
};

const base64 = z.base64().transform((text) => Buffer.from(text, 'base64'));
const bodySchema = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), base64).default({}), data: base64.default(Buffer.alloc(0)) })).max(10_000),
});

/**
 * Serves `POST /decode`.
 *
 * @throws GuestflowError InvalidInput when the port is taken, or `origin` is none
 */
export async function serveCodec({ codec, origin, port }: CodecServerOptions): Promise<HttpServer> {
  if (!URL.canParse(origin) || new URL(origin).origin !== origin || !/^https?:/.test(origin))
    throw new GuestflowError('InvalidInput', `--origin "${origin}" is no origin of a web page, like http://127.0.0.1:8233`, {
      field: 'origin',
      value: origin,
    });
  const route: Route = { method: 'POST', path: '/decode', handle: ({ request }) => decode(request, codec) };
  const handler = createHandler({ routes: [route], refuse: whyNot });
  return serve((request) => forPage(request, origin, handler), { port, setting: 'port' });
}

/** The error to answer with. What was sent may be private, so it only says which key is needed. */
function whyNot(error: unknown): HttpRefusal {
  return new HttpRefusal(400, 'unreadable', error instanceof GuestflowError ? error.message : 'the payloads cannot be read');
}

/** The answer, which a browser lets only the page of this origin read. */
async function forPage(request: Request, origin: string, handler: Handler): Promise<Response> {
  const refused = (detail: string): Response => problemResponse(new HttpRefusal(403, 'not-allowed', detail));
  // DNS rebinding: a page whose name points at this machine sends that name as Host.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.get('host') ?? '')) return refused('asked for by another name');
  const asker = request.headers.get('origin');
  if (asker !== null && asker !== origin) return refused('not for this page');
  const response = request.method === 'OPTIONS' ? new Response(null, { status: 204, headers: PREFLIGHT }) : await handler(request);
  if (asker !== null) {
    response.headers.set('access-control-allow-origin', origin);
    response.headers.set('vary', 'origin');
  }
  return response;
}

async function decode(request: Request, codec: PayloadCodec): Promise<Response> {
  // Any page may send a form. JSON, the only type that is read here, needs a CORS preflight first.
  const parsed = bodySchema.safeParse(JSON.parse(await readJsonText(request, BODY_LIMITS)));
  if (!parsed.success) throw new HttpRefusal(400, 'unreadable', 'no payloads');
  const payloads = await codec.decode(parsed.data.payloads);
  return jsonResponse(200, {
    payloads: payloads.map(({ metadata, data }) => ({
      metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([key, bytes]) => [key, Buffer.from(bytes).toString('base64')])),
      data: Buffer.from(data ?? []).toString('base64'),
    })),
  });
}
