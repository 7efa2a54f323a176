/** The gateway as a Lambda function, with events as AWS sends them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLambdaHandler, type LambdaHandler, type LambdaRequest, type LambdaResponse } from '../../../gateway/lambda.ts';
import { bench, paid, signup, stripe, type Bench } from './bench.ts';
import { session, stripeEvent } from './webhooks/stripe-events.ts';

function recorded(name: string): LambdaRequest {
  return JSON.parse(readFileSync(new URL(`../../fixtures/lambda/${name}.json`, import.meta.url), 'utf8')) as LambdaRequest;
}

/** The recorded event with the body and the signature of a request. */
async function withRequest(event: LambdaRequest, request: Request): Promise<LambdaRequest> {
  const body = await request.text();
  return {
    ...event,
    headers: { ...event.headers, ...Object.fromEntries(request.headers) },
    body: event.isBase64Encoded === true ? Buffer.from(body).toString('base64') : body,
  };
}

async function start(): Promise<Bench & { handler: LambdaHandler }> {
  const made = await bench();
  return { ...made, handler: createLambdaHandler(() => Promise.resolve(made.gateway)) };
}

describe('the Lambda entry', () => {
  it('takes a signed event behind a function URL, its body in base64', async () => {
    const { handler, sink } = await start();
    const response = await handler(await withRequest(recorded('function-url'), signup(paid('A-1', { note: 'ünï' }))));
    expect(response).toMatchObject({ statusCode: 200, isBase64Encoded: false, headers: { 'content-type': 'application/json' } });
    expect(JSON.parse(response.body)).toMatchObject({ order: 'A-1' });
    expect(sink.events).toHaveLength(1);
  });

  it('takes a signed event behind an HTTP API with a stage', async () => {
    const { handler, sink } = await start();
    const response = await handler(
      await withRequest(recorded('http-api'), stripe(stripeEvent({ type: 'checkout.session.completed', object: session() }))),
    );
    expect(response.statusCode).toBe(200);
    expect(sink.events[0]?.type).toBe('checkout.session.completed');
  });

  it('answers what is not signed with 401', async () => {
    const { handler } = await start();
    const response = await handler({ ...recorded('http-api'), body: '{}' });
    expect(response).toMatchObject({ statusCode: 401, headers: { 'content-type': 'application/problem+json' } });
  });

  it('passes the query on, and the path as it stood', async () => {
    const { handler } = await start();
    const ask = async (rawPath: string, rawQueryString: string): Promise<LambdaResponse> =>
      handler({ ...recorded('function-url'), rawPath, rawQueryString, requestContext: { http: { method: 'GET' } } });
    expect((await ask('/schemas/signup.json', '')).statusCode).toBe(200);
    const refused = await ask('/schemas/signup.json', 'a=b');
    expect([refused.statusCode, JSON.parse(refused.body)]).toEqual([400, expect.objectContaining({ field: 'a' })]);
    expect((await ask('/webhooks/../schemas/signup.json', '')).statusCode).toBe(400);
    expect((await ask(`/${'a'.repeat(20_000)}`, '')).statusCode).toBe(414);
  });

  it('tries again to make its gateway when that has failed', async () => {
    const { gateway } = await bench();
    let tries = 0;
    const handler = createLambdaHandler(() => ((tries += 1) === 1 ? Promise.reject(new Error('not yet')) : Promise.resolve(gateway)));
    const event = { ...recorded('function-url'), rawPath: '/healthz', requestContext: { http: { method: 'GET' } } };
    await expect(handler(event)).rejects.toThrow('not yet');
    expect((await handler(event)).statusCode).toBe(200);
  });

  it.each([['function-url'], ['http-api']])('of %s sees the bytes that were signed, whichever way AWS wraps them', async (name) => {
    const { handler, sink } = await start();
    const body = JSON.stringify(paid('A-1', { note: 'ünï ¢ 🐟 \\u0041 \u2028' }), undefined, '\t');
    for (const isBase64Encoded of [true, false]) {
      const event = await withRequest({ ...recorded(name), isBase64Encoded }, signup(body));
      expect((await handler({ ...event, rawPath: '/webhooks/signup' })).statusCode).toBe(200);
    }
    expect(sink.events).toHaveLength(1);
  });

  it('reads headers as payload format 2.0 has them: in lower case, several of a name joined by commas', async () => {
    const { handler } = await start();
    const event = await withRequest(recorded('http-api'), stripe(stripeEvent({ type: 'checkout.session.completed', object: session() })));
    const signature = event.headers?.['stripe-signature'] ?? '';
    const [time, good] = signature.split(',');
    const joined = { ...event.headers, 'stripe-signature': `${time},v1=${'0'.repeat(64)},${good}` };
    expect((await handler({ ...event, headers: joined })).statusCode).toBe(200);
    const upper = Object.fromEntries(Object.entries(joined).map(([name, value]) => [name.toUpperCase(), value]));
    expect((await handler({ ...event, headers: upper })).statusCode).toBe(200);
  });

  it.each<[string, Record<string, unknown>]>([
    ['payload format 1.0', { version: '1.0', path: '/webhooks/signup', httpMethod: 'POST', requestContext: { httpMethod: 'POST' } }],
    ['a load balancer', { path: '/webhooks/signup', httpMethod: 'POST', requestContext: { elb: { targetGroupArn: 'arn' } } }],
    ['a queue', { Records: [{ body: '{}' }] }],
    ['nothing', {}],
    ['a path that is none', { ...recorded('function-url'), rawPath: '@elsewhere/healthz' }],
    ['a header that is none', { ...recorded('function-url'), headers: { 'content-type': 'a\nb' } }],
    ['a method that is none', { ...recorded('function-url'), body: '{}', requestContext: { http: { method: 'TRACE' } } }],
  ])('answers %s with 400, not with a failure that AWS would write down with its event', async (_what, event) => {
    const { handler } = await start();
    const response = await handler(event as unknown as LambdaRequest);
    expect(response).toMatchObject({ statusCode: 400, headers: { 'content-type': 'application/problem+json' } });
  });

  it.each<[string, Partial<LambdaRequest>, number]>([
    ['no body', { body: undefined as unknown as string }, 401],
    ['a body of null', { body: null }, 401],
    ['a body that is no base64', { body: '***', isBase64Encoded: true }, 401],
    ['a body that is no UTF-8', { body: Buffer.from([0xff, 0xfe]).toString('base64'), isBase64Encoded: true }, 400],
    ['a body of six megabytes', { body: 'x'.repeat(6_000_000), isBase64Encoded: false }, 413],
    ['no headers', { headers: undefined as unknown as Record<string, string> }, 415],
    ['no content type', { headers: { 'content-type': undefined } }, 415],
  ])('answers a request with %s by its own status', async (_what, changes, status) => {
    const { handler, sink } = await start();
    expect((await handler({ ...recorded('function-url'), ...changes })).statusCode).toBe(status);
    expect(sink.events).toEqual([]);
  });

  it('passes 503 on with Retry-After, so that the sender tries again', async () => {
    const { handler, sink } = await start();
    sink.isDown = true;
    const response = await handler(await withRequest(recorded('function-url'), signup(paid())));
    expect(response).toMatchObject({ statusCode: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) as unknown } });
  });
});
