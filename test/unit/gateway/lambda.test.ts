/** The gateway as a Lambda function, with events as AWS sends them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLambdaHandler, type LambdaHandler, type LambdaRequest } from '../../../gateway/lambda.ts';
import { bench, paid, signup, stripe, type Bench } from './bench.ts';
import { session, stripeEvent } from './stripe-events.ts';

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

  it('passes the query on', async () => {
    const { handler } = await start();
    const event = recorded('function-url');
    expect(
      (await handler({ ...event, rawPath: '/schemas/signup.json', rawQueryString: 'a=b', requestContext: { http: { method: 'GET' } } }))
        .statusCode,
    ).toBe(200);
  });

  it('tries again to make its gateway when that has failed', async () => {
    const { gateway } = await bench();
    let tries = 0;
    const handler = createLambdaHandler(() => ((tries += 1) === 1 ? Promise.reject(new Error('not yet')) : Promise.resolve(gateway)));
    const event = { ...recorded('function-url'), rawPath: '/healthz', requestContext: { http: { method: 'GET' } } };
    await expect(handler(event)).rejects.toThrow('not yet');
    expect((await handler(event)).statusCode).toBe(200);
  });
});
