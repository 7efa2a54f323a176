/** Bodies that are signed and still meant badly, or made by a program that is broken: each is refused, with the field, and nothing is ordered. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guestNameOfOrder } from '../../../../order/billing-events.ts';
import { guestNameOfLife, ORDER_ID_PATTERN, whyNotGuestName } from '../../../../contract/guest-name.ts';
import { bench, NOW, paid, problemOf, signup, stripe } from '../bench.ts';
import { metadata, session, stripeEvent, subscription } from '../webhooks/stripe-events.ts';

const PAID = JSON.stringify(paid());

describe('a body that two readers may read differently', () => {
  it.each([
    ['a key twice', PAID.replace('"plan":"small"', '"plan":"small","plan":"large"'), 'key-twice'],
    ['a key twice, once with an escape', PAID.replace('"plan":"small"', '"plan":"small","pl\\u0061n":"large"'), 'key-twice'],
    ['a key twice at the top', `{"type":"order.terminated",${PAID.slice(1)}`, 'key-twice'],
    [
      'a key twice, deep in what is not read',
      PAID.replace('"plan":"small"', '"plan":"small","x":[{"y":{"a":1,"b":[],"a":2}}]'),
      'key-twice',
    ],
    ['a number beyond all numbers', PAID.replace('"plan":"small"', '"plan":"small","x":[1e400]'), 'number'],
    ['the key __proto__, with an escape', PAID.replace('"plan":"small"', '"plan":"small","__pr\\u006fto__":{"x":1}'), 'forbidden-key'],
  ])('(%s) is refused by 422', async (_what, text, code) => {
    const { gateway, sink } = await bench();
    expect(JSON.parse(text)).toHaveProperty('type');
    expect(await problemOf(await gateway(signup(text)))).toMatchObject({ status: 422, type: `urn:guestflow:problem:${code}` });
    expect(sink.events).toEqual([]);
  });

  it.each([
    ['PAID', '"plan":"small","plan":"large"', 'data.plan', 'twice'],
    ['deep', '"plan":"small","x":[0,{"y":{"a":1,"b":[],"a":2}}]', 'data.x[1].y.a', 'twice'],
    ['after a list of strings', '"plan":"small","x":["a","a"],"y":[[],[{"k":1,"k":1}]]', 'data.y[1][0].k', 'twice'],
    ['a number', '"plan":"small","x":[1,{"much":-1e999}]', 'data.x[1].much', 'too large'],
    ['the key', '"plan":"small","x":[{"__proto__":1}]', 'data.x[0].__proto__', 'no object'],
  ])('says where (%s)', async (_what, text, field, reason) => {
    const { gateway } = await bench();
    const problem = await problemOf(await gateway(signup(PAID.replace('"plan":"small"', text))));
    expect(problem).toMatchObject({
      field,
      reason: expect.stringContaining(reason) as unknown,
      detail: expect.stringContaining(field) as unknown,
    });
  });

  it('is told from one that has the same key in several objects, or as a value', async () => {
    const { gateway } = await bench();
    const text = PAID.replace('"plan":"small"', '"plan":"small","a":[{"k":"k"},{"k":["k","k",",","{"]}],"b":{"k":"\\"k\\":1"},"c":{}');
    expect((await gateway(signup(text))).status).toBe(200);
  });

  it('such as one with a key "constructor" reaches into nothing', async () => {
    const { gateway } = await bench();
    const text = PAID.replace('"plan":"small"', '"plan":"small","constructor":{"prototype":{"x":1}},"prototype":{"x":1}');
    expect((await gateway(signup(text))).status).toBe(200);
    expect(Object.prototype).not.toHaveProperty('x');
  });
});

describe('an order whose id', () => {
  it.each([
    ['has a null byte', 'A-1\u0000'],
    ['has a new line', 'A\n1'],
    ['breaks the line', 'A-1\r\nX-Evil: 1'],
    ['is a look-alike (Cyrillic A)', '\u0410-1'],
    ['has digits of another script', 'A-\u0661'],
    ['has a zero-width space', 'A\u200b-1'],
    ['runs from right to left', 'A\u202e-1'],
    ['is half a character', 'A-\ud800'],
    ['is a path', '../A-1'],
    ['is an option', '-A1'],
    ['has 201 characters', 'A'.repeat(201)],
    ['is a megabyte short of one', 'A'.repeat(100_000)],
    ['is a number beyond all digits', 2 ** 53],
    ['is a negative number', -7],
    ['is a fraction', 1.5],
    ['is a list', ['A-1']],
    ['is an object', { toString: 'A-1' }],
    ['is null', null],
  ])('%s is refused by signup, and no order of ours for Stripe', async (_what, order) => {
    const { gateway, sink } = await bench();
    const problem = await problemOf(await gateway(signup(paid('A-1', { order }))));
    expect(problem).toMatchObject({ status: 422, field: 'data.order' });
    const event = stripeEvent({ type: 'checkout.session.completed', object: session({ metadata: metadata('S-1', { order }) }) });
    expect(await (await gateway(stripe(event))).json()).toMatchObject({ ignored: expect.any(String) as unknown });
    expect(sink.events).toEqual([]);
  });

  it('is empty is refused; of Stripe it is an order of something else', async () => {
    const { gateway, sink } = await bench();
    expect((await gateway(signup(paid('A-1', { order: '' })))).status).toBe(422);
    const event = stripeEvent({ type: 'checkout.session.completed', object: session({ metadata: metadata('S-1', { order: '' }) }) });
    expect(await (await gateway(stripe(event))).json()).toMatchObject({ ignored: expect.any(String) as unknown });
    expect(sink.events).toEqual([]);
  });

  it.each([['A'.repeat(200)], [`cs_live_${'a1'.repeat(29)}`], [17], ['0'], ['A.b_c-D'], ['A-17.'], ['CON'], ['x']])(
    'is %s is taken',
    async (order) => {
      const { gateway } = await bench();
      expect((await gateway(signup(paid('A-1', { order })))).status).toBe(200);
    },
  );
});

describe('the name of the guest of an order', () => {
  const ids = fc.stringMatching(ORDER_ID_PATTERN);

  it('is one that xl, LVM and DNS take, whatever the order is called', () => {
    fc.assert(fc.property(ids, (order) => whyNotGuestName(guestNameOfOrder(order)) === undefined));
  });

  it('is one that they take in a later life, too, and no other order’s', () => {
    const lives = fc.tuple(ids, ids, fc.integer({ min: 2, max: 99 }));
    fc.assert(
      fc.property(lives, ([a, b, life]) => {
        const name = guestNameOfLife(guestNameOfOrder(a), life);
        return whyNotGuestName(name) === undefined && name !== guestNameOfOrder(b) && name !== guestNameOfOrder(a);
      }),
    );
  });

  it('is no other order’s, however alike the two are', () => {
    const alike = fc.tuple(ids, ids).filter(([a, b]) => a !== b);
    const nearly = ids.chain((id) =>
      fc
        .constantFrom(id.toUpperCase(), id.toLowerCase(), id.replaceAll('-', '.'), id.replaceAll('_', '-'), `${id}-`)
        .map((other) => [id, other] as const),
    );
    fc.assert(fc.property(alike, ([a, b]) => guestNameOfOrder(a) !== guestNameOfOrder(b)));
    fc.assert(fc.property(nearly, ([a, b]) => a === b || guestNameOfOrder(a) !== guestNameOfOrder(b)));
  });

  it.each([
    ['snapshot-1'],
    ['pvmove0'],
    ['del-1'],
    ['Domain-0'],
    ['17'],
    ['10.0.0.1'],
    ['x_mlog'],
    ['a_tdata'],
    ['-'.padStart(64, 'A')],
    ['A'.padEnd(64, '-')],
    ['a'.padEnd(64, '._-')],
  ])('is harmless for %s, which is none for a guest', (order) => {
    expect(order).toMatch(ORDER_ID_PATTERN);
    expect(whyNotGuestName(guestNameOfOrder(order))).toBeUndefined();
  });

  it('keeps 80 bits of the order’s hash: ids that meet are not found by looking for them', () => {
    expect(guestNameOfOrder('A-10042')).toMatch(/^g-a-10042-[0-9a-f]{20}$/);
  });
});

describe('a host name', () => {
  it.each([
    ['of another script', 'ѕhop.example.org'],
    ['with a full-width dot', 'shop\uff0eexample.org'],
    ['with a null byte', 'shop\u0000.example.org'],
    ['with a line break', 'shop.example.org\nroot'],
    ['with an underscore', 'my_shop.example.org'],
    ['with an empty label', 'shop..example.org'],
    ['of 254 characters', `${'a.'.repeat(126)}bc`],
    ['with a label of 64 characters', `${'a'.repeat(64)}.org`],
    ['with two dots at its end', 'shop.example.org..'],
    ['that is an address in other clothes', '0x7f.1'],
  ])('%s is refused', async (_what, hostname) => {
    const { gateway } = await bench();
    expect(await problemOf(await gateway(signup(paid('A-1', { hostname }))))).toMatchObject({ status: 422, field: 'data.hostname' });
  });

  it.each([
    ['of 253 characters', `${'a.'.repeat(126)}b`, undefined],
    ['whose first label has 63', `${'a'.repeat(63)}.example.org`, undefined],
    ['in capitals, with the dot of the root', 'Shop.Example.ORG.', 'shop.example.org'],
    ['of one label', 'shop', undefined],
  ])('%s is taken', async (_what, hostname, kept = hostname) => {
    const { gateway, sink } = await bench();
    expect((await gateway(signup(paid('A-1', { hostname })))).status).toBe(200);
    expect(sink.events[0]?.says.wishes?.hostname).toBe(kept);
  });
});

describe('a customer’s id', () => {
  it('that is a number is taken to the last digit, or not at all', async () => {
    const { gateway, sink } = await bench();
    expect((await gateway(signup(paid('A-1', { customer: { id: 9_007_199_254_740_991 } })))).status).toBe(200);
    expect(sink.events[0]?.says.wishes?.customer).toBe('9007199254740991');
    // JavaScript reads 9007199254740992: another customer's.
    const text = JSON.stringify(paid('A-2', { customer: { id: 0 } })).replace('"id":0', '"id":9007199254740993');
    expect(await problemOf(await gateway(signup(text, { id: 'msg_2' })))).toMatchObject({ status: 422, field: 'data.customer.id' });
  });

  it.each([[-1], [1.5e300], [true], [{}], ['a/../b']])('is not %j', async (id) => {
    const { gateway } = await bench();
    expect((await gateway(signup(paid('A-1', { customer: { id } })))).status).toBe(422);
  });
});

describe('a time', () => {
  it.each([
    ['2026-02-30T00:00:00Z'],
    ['2026-01-31T24:00:00Z'],
    ['2026-01-31T12:00:00'],
    ['2026-01-31'],
    ['1767225600'],
    [1_767_225_600],
    ['0000-00-00T00:00:00Z'],
    ['+275760-09-13T00:00:00.001Z'],
    [' 2026-01-31T12:00:00Z'],
  ])('is not %j', async (timestamp) => {
    const { gateway } = await bench();
    expect(await problemOf(await gateway(signup({ ...paid(), timestamp })))).toMatchObject({ status: 422, field: 'timestamp' });
  });

  it.each([
    ['0000-01-01T00:00:00+23:59'],
    ['2026-01-01T00:00:00.123456789123456789Z'],
    ['2026-01-01T23:59:59-23:59'],
    ['9999-12-31T23:59:59Z'],
  ])('at the edge, %s, is no defect', async (timestamp) => {
    const { gateway } = await bench();
    expect([200, 400, 422]).toContain((await gateway(signup({ ...paid(), timestamp }))).status);
  });
});

describe('whatever JSON comes, signed', () => {
  const anything = fc.jsonValue({ maxDepth: 4 });

  it('as data of a signup event is answered, and never by a defect', async () => {
    const { gateway, lines } = await bench();
    const data = fc.oneof(
      anything,
      fc.record({ order: anything, hostname: anything, plan: anything, customer: anything, sshKeys: anything }),
    );
    await fc.assert(
      fc.asyncProperty(data, fc.constantFrom('order.paid', 'order.upgraded', 'order.terminated'), async (value, type) => {
        expect([200, 409, 422]).toContain((await gateway(signup({ ...paid(), type, data: value }))).status);
      }),
    );
    expect(lines.filter((line) => 'error' in line)).toEqual([]);
  });

  it('as an object of Stripe is answered, and never by a defect', async () => {
    const { gateway, lines } = await bench();
    const types = ['checkout.session.completed', 'invoice.paid', 'customer.subscription.updated', 'customer.subscription.deleted'];
    const object = fc.record({
      metadata: fc.oneof(anything, fc.constant(metadata())),
      customer: anything,
      items: anything,
      lines: anything,
      parent: anything,
      plan: anything,
      status: anything,
      payment_status: anything,
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, object), fc.constantFrom(...types), async (value, type) => {
        const event = stripeEvent({ type, object: value as object });
        expect([200, 409, 422]).toContain((await gateway(stripe(event))).status);
      }),
    );
    expect(lines.filter((line) => 'error' in line)).toEqual([]);
  });
});

describe('what is written down', () => {
  it('has nothing of body, signature or token in it, whatever the answer', async () => {
    const { gateway, lines, sink } = await bench();
    const planted = { note: 'PLANTED', sshKeys: ['PLANTED'], passwordHash: 'PLANTED' };
    const deletion = stripeEvent({ type: 'customer.subscription.deleted', object: subscription('canceled', { note: 'PLANTED' }) });
    const get = (path: string, headers: Record<string, string>): Request => new Request(`http://gateway${path}`, { headers });
    const asked: readonly [status: number, request: Request][] = [
      [200, signup(paid('A-1', { note: 'PLANTED' }))],
      [200, signup({ ...paid('A-1', { note: 'PLANTED' }), type: 'order.PLANTED' }, { id: 'msg_8' })],
      [409, signup(paid('A-1', { note: 'PLANTED too' }))],
      [422, signup(paid('A-1', planted), { id: 'msg_2' })],
      [422, signup(paid('PLANTED!', { plan: 'PLANTED' }), { id: 'msg_3' })],
      [400, signup('{"PLANTED":', { id: 'msg_4' })],
      [400, signup(paid('A-1', planted), { id: 'msg_5', shift: -1_000 })],
      [401, signup(paid('A-1', planted), { id: 'msg_6', headers: { 'webhook-signature': 'v1,PLANTED' } })],
      [415, signup(paid('A-1', planted), { headers: { 'content-type': 'text/PLANTED' } })],
      [415, signup(paid('A-1', planted), { headers: { 'content-encoding': 'PLANTED' } })],
      [413, signup(paid('A-1', { note: 'PLANTED'.repeat(60_000) }), { id: 'msg_7' })],
      [401, stripe(deletion, { headers: { 'stripe-signature': `t=${NOW},v1=PLANTED` } })],
      [200, stripe(deletion)],
      [404, get('/PLANTED?PLANTED=PLANTED', { authorization: 'Bearer PLANTED', cookie: 'PLANTED' })],
      [405, get('/webhooks/signup?PLANTED', { 'user-agent': 'PLANTED' })],
      [400, get('/%E0%A4%APLANTED', {})],
    ];
    for (const [status, request] of asked) {
      const secret = request.headers.get('webhook-signature') ?? request.headers.get('stripe-signature') ?? 'PLANTED';
      const response = await gateway(request);
      const answer = await response.text();
      expect([response.status, answer]).toEqual([status, expect.not.stringContaining('PLANTED')]);
      expect(JSON.stringify(lines)).not.toContain(secret);
    }
    sink.isDown = true;
    expect((await gateway(signup(paid('A-2', { note: 'PLANTED' }), { id: 'msg_9' }))).status).toBe(503);
    expect(lines).toHaveLength(asked.length + 1);
    expect(JSON.stringify(lines)).not.toContain('PLANTED');
  });
});
