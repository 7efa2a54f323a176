/** What the signup webhook promises its senders. */
import { describe, expect, it } from 'vitest';
import { guestNameOfOrder } from '../../../../order/billing-events.ts';
import { bench, paid, problemOf, signup, SIGNUP_SECRET } from '../bench.ts';

describe('POST /webhooks/signup', () => {
  it('takes an order that is paid, and says which guest it gets', async () => {
    const { gateway, sink } = await bench();
    const response = await gateway(signup(paid('A-1')));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ event: 'signup/msg_1', order: 'A-1', guest: guestNameOfOrder('A-1') });
    expect(sink.events[0]).toMatchObject({
      order: 'A-1',
      says: {
        life: 'active',
        plan: { plan: 'small', size: { memoryBytes: 256 * 2 ** 20 } },
        wishes: { hostname: 'a-1.example.org', customer: 'C-7', sshKeys: [] },
      },
    });
  });

  it('keeps nothing of the customer but the id', async () => {
    const { gateway, sink } = await bench();
    await gateway(signup(paid()));
    expect(JSON.stringify(sink.events)).not.toContain('someone@example.org');
  });

  it('gives the same answer to the same event', async () => {
    const { gateway, sink } = await bench();
    const first = await (await gateway(signup(paid()))).text();
    const again = await (await gateway(signup(paid()))).text();
    expect(again).toBe(first);
    expect(sink.events).toHaveLength(1);
  });

  it('refuses the same id with another body by 409', async () => {
    const { gateway } = await bench();
    await gateway(signup(paid()));
    const refused = await gateway(signup(paid('A-1', { plan: 'large' })));
    expect(refused.status).toBe(409);
    expect(await problemOf(refused)).toMatchObject({ type: 'urn:guestflow:problem:event-conflict' });
  });

  it('takes a price for the plan that it stands for', async () => {
    const { gateway, sink } = await bench();
    await gateway(signup(paid('A-1', { plan: undefined, price: 'price_large' })));
    expect(sink.events[0]?.says.plan?.plan).toBe('large');
  });

  it.each([
    ['order.upgraded', { order: 'A-1', plan: 'large' }, { plan: { plan: 'large' } }],
    ['order.suspended', { order: 'A-1' }, { life: 'suspended' }],
    ['order.unsuspended', { order: 'A-1' }, { life: 'active' }],
    ['order.terminated', { order: 'A-1' }, { life: 'terminated' }],
  ])('understands %s', async (type, data, says) => {
    const { gateway, sink } = await bench();
    expect((await gateway(signup({ ...paid(), type, data }))).status).toBe(200);
    expect(sink.events[0]?.says).toMatchObject(says);
  });

  it('ignores types that it does not know, with 200', async () => {
    const { gateway, sink } = await bench();
    expect((await gateway(signup({ type: 'customer.created', timestamp: 'whenever', data: 7 }))).status).toBe(200);
    expect(sink.events).toEqual([]);
  });

  it('counts each of several secrets, and a message that is signed with two', async () => {
    const other = `whsec_${Buffer.from('the secret that follows it').toString('base64')}`;
    const { gateway } = await bench({ signupSecrets: [other, SIGNUP_SECRET] });
    expect((await gateway(signup(paid()))).status).toBe(200);
    expect((await gateway(signup(paid(), { secret: other }))).status).toBe(200);
    const [first, second] = [signup(paid()), signup(paid(), { secret: `whsec_${Buffer.from('unknown').toString('base64')}` })];
    const both = `${second.headers.get('webhook-signature') ?? ''} ${first.headers.get('webhook-signature') ?? ''}`;
    expect((await gateway(signup(paid(), { headers: { 'webhook-signature': both } }))).status).toBe(200);
  });
});

describe('a hostile or broken sender', () => {
  it('without our secret gets 401', async () => {
    const { gateway, sink } = await bench();
    const refused = await gateway(signup(paid(), { secret: `whsec_${Buffer.from('guessed').toString('base64')}` }));
    expect(refused.status).toBe(401);
    expect((await gateway(signup(paid(), { headers: { 'webhook-signature': '' } }))).status).toBe(401);
    expect((await gateway(signup(paid(), { headers: { 'webhook-id': 'msg_2' } }))).status).toBe(401);
    expect(sink.events).toEqual([]);
  });

  it('that alters one character of the body gets 401', async () => {
    const { gateway } = await bench();
    const request = signup(paid());
    const altered = (await request.clone().text()).replace('small', 'large');
    expect((await gateway(new Request(request.url, { method: 'POST', headers: request.headers, body: altered }))).status).toBe(401);
  });

  it.each([
    ['stale', -301],
    ['from-the-future', 400],
  ])('whose signature is %s gets 400', async (code, shift) => {
    const { gateway } = await bench();
    const refused = await gateway(signup(paid(), { shift }));
    expect(refused.status).toBe(400);
    expect((await problemOf(refused)).type).toContain(code);
  });

  it('whose event says that it is of next year gets 400: it would win over all until then', async () => {
    const { gateway } = await bench();
    const refused = await gateway(signup({ ...paid(), timestamp: new Date(Date.now() + 3.15e10).toISOString() }));
    expect(refused.status).toBe(400);
    expect(await problemOf(refused)).toMatchObject({ field: 'timestamp' });
  });

  it('that sends too much gets 413 before it is read whole', async () => {
    const { gateway } = await bench({ body: { bytes: 1_000, ms: 5_000 } });
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 100;
        controller.enqueue(new Uint8Array(100).fill(32));
      },
    });
    const refused = await gateway(
      new Request('http://gateway/webhooks/signup', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: endless,
        duplex: 'half',
      }),
    );
    expect(refused.status).toBe(413);
    expect(sent).toBeLessThan(2_000);
  });

  it('that announces too much gets 413 before anything is read', async () => {
    const { gateway } = await bench();
    const body = new ReadableStream<Uint8Array>(
      {
        pull() {
          throw new Error('it was read');
        },
      },
      { highWaterMark: 0 },
    );
    const refused = await gateway(
      new Request('http://gateway/webhooks/signup', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': '9999999' },
        body,
        duplex: 'half',
      }),
    );
    expect(refused.status).toBe(413);
  });

  it('that never ends its body gets 408', async () => {
    const { gateway } = await bench({ body: { bytes: 1_000, ms: 20 } });
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from('{'));
      },
    });
    expect(
      (
        await gateway(
          new Request('http://gateway/webhooks/signup', {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body,
            duplex: 'half',
          }),
        )
      ).status,
    ).toBe(408);
  });

  it.each([['text/plain'], ['application/x-www-form-urlencoded'], ['application/json; charset=latin1'], ['']])(
    'with media type "%s" gets 415',
    async (type) => {
      const { gateway } = await bench();
      expect((await gateway(signup(paid(), { headers: { 'content-type': type } }))).status).toBe(415);
    },
  );

  it.each([['gzip'], ['br'], ['deflate, gzip']])('that compresses (%s) gets 415', async (coding) => {
    const { gateway } = await bench();
    expect((await gateway(signup(paid(), { headers: { 'content-encoding': coding } }))).status).toBe(415);
  });

  it('whose body is no UTF-8 gets 400', async () => {
    const { gateway } = await bench();
    const refused = await gateway(
      new Request('http://gateway/webhooks/signup', {
        method: 'POST',
        headers: signup(paid()).headers,
        body: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]),
      }),
    );
    expect(await problemOf(refused)).toMatchObject({ status: 400, type: 'urn:guestflow:problem:not-utf-8' });
  });

  it.each([
    ['', 400],
    ['{"type":', 400],
    ['\ufeff{}', 400],
    ['[]', 422],
    ['null', 422],
    ['"order.paid"', 422],
    ['{"type":7}', 422],
  ])('whose body is %j gets %i', async (text, status) => {
    const { gateway } = await bench();
    expect((await gateway(signup(text))).status).toBe(status);
  });

  it('that nests ten thousand levels deep gets 422', async () => {
    const { gateway } = await bench();
    expect((await problemOf(await gateway(signup(`${'['.repeat(10_000)}${']'.repeat(10_000)}`)))).type).toContain('too-deep');
    expect((await problemOf(await gateway(signup('{"a":'.repeat(10_000))))).type).toContain('too-deep');
  });

  it('may write brackets into text', async () => {
    const { gateway } = await bench();
    expect((await gateway(signup(paid('A-1', { note: `\\"${'['.repeat(500)}` })))).status).toBe(200);
  });

  it('that sends the key __proto__, at any depth, gets 422', async () => {
    const { gateway } = await bench();
    expect((await gateway(signup('{"type":"order.paid","__proto__":{"x":1}}'))).status).toBe(422);
    expect((await gateway(signup('{"type":"order.paid","data":{"a":[{"__proto__":1}]}}'))).status).toBe(422);
    expect(Object.prototype).not.toHaveProperty('x');
  });

  it.each([
    ['data.order', { order: '../../etc' }],
    ['data.hostname', { hostname: 'a b; rm -rf /' }],
    ['data.hostname', { hostname: '10.0.0.1' }],
    ['data.plan', { plan: 'Not a plan!' }],
    ['data.plan', { price: 'price_small' }],
    ['data.price', { plan: undefined, price: 'no price' }],
    ['data.plan', { plan: '', price: '' }],
    ['data.sshKeys[0]', { sshKeys: ['-----BEGIN OPENSSH PRIVATE KEY-----'] }],
    ['data.passwordHash', { passwordHash: 'correct horse' }],
  ])('is told the field that is wrong: %s', async (field, changes) => {
    const { gateway, sink } = await bench();
    const problem = await problemOf(await gateway(signup(paid('A-1', changes))));
    expect(problem).toMatchObject({ status: 422, field });
    expect(problem.reason).toMatch(/\w/);
    expect(JSON.stringify(problem)).not.toMatch(/PRIVATE KEY-----|correct horse/);
    expect(sink.events).toEqual([]);
  });

  it.each([
    ['a plan that there is not', { plan: 'huge' }, 'huge'],
    ['a price that stands for none', { plan: undefined, price: 'price_of_a_domain' }, 'price_of_a_domain'],
  ])('that names %s is taken, as of Stripe: what is paid for is kept, with what to mend', async (_what, changes, value) => {
    const { gateway, sink } = await bench();
    expect((await gateway(signup(paid('A-1', changes)))).status).toBe(200);
    expect(sink.events[0]?.says).toMatchObject({
      life: 'active',
      wishes: { hostname: 'a-1.example.org' },
      bad: [{ field: 'plan', reason: expect.stringContaining(value) as unknown }],
    });
    expect(sink.events[0]?.says).not.toHaveProperty('plan');
  });

  it('that sends an order as a number, capitals, a final dot, and empty fields is understood', async () => {
    const { gateway, sink } = await bench();
    const left = { price: '', sshKeys: '', passwordHash: '', dist: '', timezone: '' };
    expect((await gateway(signup(paid('A-1', { order: 1_742, hostname: 'Shop.Example.ORG.', customer: { id: 7 }, ...left })))).status).toBe(
      200,
    );
    expect(sink.events[0]).toMatchObject({
      order: '1742',
      says: { plan: { plan: 'small' }, wishes: { hostname: 'shop.example.org', customer: '7', sshKeys: [] } },
    });
    const { dist, timezone, passwordHash } = sink.events[0]?.says.wishes ?? {};
    expect([dist, timezone, passwordHash]).toEqual([undefined, undefined, undefined]);
  });

  it.each([['constructor'], ['__proto__'], ['toString']])('of a type called %s is ignored', async (type) => {
    const { gateway } = await bench();
    expect((await gateway(signup(JSON.stringify({ ...paid(), type })))).status).toBe(200);
  });

  it('is told to try again when Temporal is down', async () => {
    const { gateway, sink } = await bench();
    sink.isDown = true;
    const refused = await gateway(signup(paid()));
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.text()).not.toContain('7233');
    sink.isDown = false;
    expect((await gateway(signup(paid()))).status).toBe(200);
  });

  it('finds nothing where there is no secret', async () => {
    const { gateway } = await bench({ signupSecrets: [] });
    expect((await gateway(signup(paid()))).status).toBe(404);
  });

  it('gets 405 for a GET, with what is allowed', async () => {
    const { gateway } = await bench();
    const refused = await gateway(new Request('http://gateway/webhooks/signup'));
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('what is written down', () => {
  it('has nothing of body, signature or address in it', async () => {
    const { gateway, lines } = await bench();
    const request = signup(paid('A-1', { hostname: 'planted-host.example.org', note: 'planted-note' }));
    const signature = request.headers.get('webhook-signature') ?? '?';
    await gateway(request);
    await gateway(signup('{"planted'));
    await gateway(new Request('http://gateway/planted-path?planted=query'));
    const written = JSON.stringify(lines);
    expect(lines).toHaveLength(3);
    expect(written).toContain('A-1');
    expect(written).not.toContain('planted');
    expect(written).not.toContain(signature);
  });
});

describe('GET /schemas/signup.json', () => {
  it('publishes the schema that is checked with', async () => {
    const { gateway } = await bench();
    const schema = (await (await gateway(new Request('http://gateway/schemas/signup.json'))).json()) as {
      oneOf: { properties: { type: { const: string } } }[];
    };
    expect(schema.oneOf.map(({ properties }) => properties.type.const)).toEqual([
      'order.paid',
      'order.upgraded',
      'order.suspended',
      'order.unsuspended',
      'order.terminated',
    ]);
  });
});
