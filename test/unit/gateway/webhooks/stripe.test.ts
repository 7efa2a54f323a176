/** What Stripe's events mean, in the shapes of today's API and of older ones. */
import { describe, expect, it } from 'vitest';
import type { BillingStatements } from '../../../../contract/billing.ts';
import { bench, NOW, problemOf, stripe, STRIPE_SECRET } from '../bench.ts';
import {
  invoice,
  metadata,
  oldInvoice,
  oldSubscription,
  session,
  stripeEvent,
  subscription,
  type StripeEventInput,
} from './stripe-events.ts';

async function says(input: StripeEventInput, options: Parameters<typeof bench> = []): Promise<BillingStatements | 'ignored'> {
  const { gateway, sink } = await bench(...options);
  const response = await gateway(stripe(stripeEvent(input)));
  expect(response.status).toBe(200);
  // What may be a guest's is kept until its order is known; by itself it comes to nothing.
  return 'ignored' in ((await response.json()) as object) ? 'ignored' : (sink.events[0]?.says ?? 'ignored');
}

describe('a checkout', () => {
  it.each([['paid'], ['no_payment_required']])('that is complete and %s is an order', async (payment_status) => {
    expect(await says({ type: 'checkout.session.completed', object: session({ payment_status }) })).toMatchObject({
      life: 'paid',
      namedPlan: { plan: 'small' },
      wishes: { hostname: 's-1.example.org', customer: 'cus_1' },
    });
  });

  it('that is complete and unpaid orders nothing until it is paid', async () => {
    expect(await says({ type: 'checkout.session.completed', object: session({ payment_status: 'unpaid' }) })).not.toHaveProperty('life');
    expect(await says({ type: 'checkout.session.async_payment_succeeded', object: session() })).toMatchObject({ life: 'paid' });
  });

  it.each([['checkout.session.async_payment_failed'], ['checkout.session.expired']])('that ends by %s says nothing', async (type) => {
    expect(await says({ type, object: session({ payment_status: 'unpaid' }) })).toBe('ignored');
  });

  it('that only sets up a card orders nothing', async () => {
    expect(
      await says({ type: 'checkout.session.completed', object: session({ mode: 'setup', payment_status: 'no_payment_required' }) }),
    ).toBe('ignored');
  });
});

describe('a subscription', () => {
  it.each([
    ['active', 'active'],
    ['trialing', 'active'],
    ['past_due', undefined],
    ['unpaid', 'suspended'],
    ['paused', 'suspended'],
    ['incomplete', undefined],
    ['incomplete_expired', undefined],
    ['canceled', 'terminated'],
    ['something_new', undefined],
  ])('that is %s says: %s', async (status, life) => {
    for (const type of ['customer.subscription.created', 'customer.subscription.updated']) {
      const statements = await says({ type, object: subscription(status) });
      expect(statements).toMatchObject({ plan: { plan: 'small' } });
      expect((statements as BillingStatements).life).toBe(life);
    }
  });

  it('whose payment is late is suspended at once, where that is the policy', async () => {
    expect(
      await says({ type: 'customer.subscription.updated', object: subscription('past_due') }, [{ stripePolicy: { pastDue: 'suspend' } }]),
    ).toMatchObject({ life: 'suspended' });
  });

  it('that is deleted ends the order, whatever its status says', async () => {
    expect(await says({ type: 'customer.subscription.deleted', object: subscription('active') })).toMatchObject({ life: 'terminated' });
  });

  it('has the plan that its price stands for, not the one in its metadata', async () => {
    const object = subscription('active', { items: { data: [{ price: { id: 'price_large' } }] } });
    expect(await says({ type: 'customer.subscription.updated', object })).toMatchObject({ plan: { plan: 'large' } });
  });

  it.each([
    ['of an item, expanded', { items: { data: [{ price: { id: 'price_large', object: 'price' } }] } }],
    ['of an item, by its id', { items: { data: [{ price: 'price_large' }] } }],
    ['of an item of an older API', { items: { data: [{ plan: { id: 'price_large' } }] } }],
    ['beside one that is no guest', { items: { data: [{ price: { id: 'price_of_a_domain' } }, { price: { id: 'price_large' } }] } }],
  ])('has its price found: %s', async (_where, changes) => {
    expect(await says({ type: 'customer.subscription.updated', object: subscription('active', changes) })).toMatchObject({
      plan: { plan: 'large' },
    });
  });

  it('of the oldest API has its plan at the top', async () => {
    expect(
      await says({
        type: 'customer.subscription.updated',
        object: oldSubscription('active', { plan: { id: 'price_large' } }),
        version: '2017-08-15',
      }),
    ).toMatchObject({ life: 'active', plan: { plan: 'large' } });
  });

  it('for something else than a guest is ignored', async () => {
    expect(
      await says({
        type: 'customer.subscription.created',
        object: subscription('active', { items: { data: [{ price: { id: 'price_of_a_domain' } }] } }),
      }),
    ).toBe('ignored');
    expect(await says({ type: 'customer.subscription.created', object: subscription('active', { metadata: {} }) })).toBe('ignored');
  });

  it('with prices of two plans has its life taken, and its plan as a problem: nobody could say which', async () => {
    const object = subscription('active', { items: { data: [{ price: { id: 'price_small' } }, { price: { id: 'price_large' } }] } });
    const said = await says({ type: 'customer.subscription.created', object });
    expect(said).toMatchObject({
      life: 'active',
      bad: [{ field: 'plan', reason: expect.stringMatching(/small.*large|large.*small/) as unknown }],
    });
    expect(said).not.toHaveProperty('plan');
  });

  it.each([
    [
      'of quantity 0',
      {
        items: {
          data: [
            { price: { id: 'price_small' }, quantity: 0 },
            { price: { id: 'price_large' }, quantity: 1 },
          ],
        },
      },
    ],
    ['that is deleted', { items: { data: [{ price: { id: 'price_small' }, deleted: true }, { price: { id: 'price_large' } }] } }],
  ])('with an item %s has the plan of the other one', async (_what, changes) => {
    expect(await says({ type: 'customer.subscription.updated', object: subscription('active', changes) })).toMatchObject({
      plan: { plan: 'large' },
    });
  });

  it('has its plan from metadata where there is no file of prices', async () => {
    expect(await says({ type: 'customer.subscription.created', object: subscription('active') }, [{}, {}])).toMatchObject({
      life: 'active',
      namedPlan: { plan: 'small' },
    });
  });
});

describe('a subscription as shops have it', () => {
  const item = (price: string, more: object = {}): object => ({
    id: `si_${price}`,
    object: 'subscription_item',
    quantity: 1,
    price: { id: price, object: 'price' },
    ...more,
  });

  it.each([
    [
      'a domain and a backup beside the guest',
      { items: { data: [item('price_of_a_domain'), item('price_large'), item('price_of_a_backup')] } },
    ],
    [
      'the monthly and the metered price of one plan',
      {
        items: { data: [item('price_large'), item('price_large', { price: { id: 'price_large', recurring: { usage_type: 'metered' } } })] },
      },
    ],
    ['ids where others have objects', { items: { data: [{ id: 'si_1', price: 'price_large' }] }, customer: 'cus_1' }],
    [
      'objects where others have ids',
      { items: { data: [item('price_large')] }, customer: { id: 'cus_1', object: 'customer', email: 'x@example.org', deleted: true } },
    ],
    ['a test-mode object', { items: { data: [item('price_large')] }, livemode: false }],
    [
      'a paused collection, which is Stripe’s own affair',
      { items: { data: [item('price_large')] }, pause_collection: { behavior: 'void', resumes_at: null } },
    ],
    [
      'a cancellation that is yet to come',
      { items: { data: [item('price_large')] }, cancel_at_period_end: true, cancel_at: NOW + 1_000_000 },
    ],
    [
      'a pending update that is not paid yet',
      { items: { data: [item('price_large')] }, pending_update: { subscription_items: [item('price_small')] } },
    ],
  ])('with %s runs on the plan of its guest', async (_what, changes) => {
    expect(await says({ type: 'customer.subscription.updated', object: subscription('active', changes) })).toMatchObject({
      life: 'active',
      plan: { plan: 'large' },
    });
  });

  it('whose guest is not among the items that Stripe sends (the first of many) has the plan that its metadata names', async () => {
    const items = { has_more: true, data: Array.from({ length: 10 }, (_, index) => item(`price_of_domain_${index}`)) };
    expect(await says({ type: 'customer.subscription.updated', object: subscription('unpaid', { items }) })).toMatchObject({
      life: 'suspended',
      namedPlan: { plan: 'small' },
    });
    expect(
      await says({ type: 'customer.subscription.updated', object: subscription('active', { items: { ...items, has_more: false } }) }),
    ).toBe('ignored');
  });

  it.each([[null], [{}], [{ order: '' }], [{ hostname: 'shop.example.org' }]])('with metadata %j is not ours', async (own) => {
    expect(await says({ type: 'customer.subscription.updated', object: subscription('active', { metadata: own }) })).toBe('ignored');
  });

  it.each([
    [null, 'it has no order in its metadata'],
    [{ order: '#1001' }, 'what its metadata have for an order is no id of one'],
  ])('with a price of a guest and metadata %j is ignored with what to mend: nobody can say whose guest it is', async (own, why) => {
    const { gateway, lines } = await bench();
    const event = { type: 'customer.subscription.updated', object: subscription('active', { metadata: own }) };
    const answer = await gateway(stripe(stripeEvent(event)));
    const ignored = `${why}, and its price is that of a guest: write the order into metadata.order of the subscription`;
    expect([answer.status, await answer.json()]).toEqual([200, { ignored }]);
    expect(lines.at(-1)).toMatchObject({ ignored });
  });

  it('in a status that Stripe has yet to think of keeps its plan and its wishes, and says nothing of its life', async () => {
    const said = await says({ type: 'customer.subscription.updated', object: subscription('snoozed') });
    expect(said).toMatchObject({ plan: { plan: 'small' }, wishes: { hostname: 's-1.example.org' } });
    expect(said).not.toHaveProperty('life');
  });

  it('that has no items at all is not a guest’s', async () => {
    expect(await says({ type: 'customer.subscription.updated', object: subscription('active', { items: null }) })).toBe('ignored');
    expect(
      await says({
        type: 'customer.subscription.updated',
        object: subscription('active', { items: { data: [{ price: null, plan: null }] } }),
      }),
    ).toBe('ignored');
  });
});

describe('an invoice', () => {
  it('that is paid is a payment, with its order where the API of these days has it', async () => {
    expect(await says({ type: 'invoice.paid', object: invoice() })).toMatchObject({
      life: 'paid',
      namedPlan: { plan: 'small' },
      wishes: { hostname: 's-1.example.org' },
    });
  });

  it('has its order where older APIs have it', async () => {
    expect(await says({ type: 'invoice.paid', object: oldInvoice(), version: '2024-06-20' })).toMatchObject({ life: 'paid' });
    const oldest = oldInvoice({
      subscription_details: undefined,
      lines: { data: [{ metadata: metadata('S-9'), plan: { id: 'price_small' } }] },
    });
    expect(await says({ type: 'invoice.paid', object: oldest, version: '2019-12-03' })).toMatchObject({
      life: 'paid',
      wishes: { hostname: 's-9.example.org' },
    });
  });

  it.each([
    ['of nothing, since a trial begins', { amount_due: 0, amount_paid: 0, billing_reason: 'subscription_create' }],
    [
      'with its customer and its subscription as objects',
      { customer: { id: 'cus_1' }, parent: { subscription_details: { subscription: { id: 'sub_1' }, metadata: metadata() } } },
    ],
    [
      'with the guest’s line among those of a domain',
      { lines: { data: [{ pricing: { price_details: { price: 'price_of_a_domain' } } }, { price: { id: 'price_small' } }] } },
    ],
    [
      'with more lines than Stripe sends',
      { lines: { has_more: true, data: [{ pricing: { price_details: { price: 'price_of_a_domain' } } }] } },
    ],
    ['without lines', { lines: null }],
    ['with lines without a price (a credit, say)', { lines: { data: [{ pricing: null, price: null, plan: null }] } }],
    ['that was written by hand, with the order in its own metadata', { parent: null, metadata: metadata() }],
  ])('%s is a payment', async (_what, changes) => {
    expect(await says({ type: 'invoice.paid', object: invoice(changes) })).toMatchObject({ life: 'paid', namedPlan: { plan: 'small' } });
  });

  it('of a change of plan, with lines of both plans, leaves the plan to the subscription', async () => {
    const lines = { data: ['price_small', 'price_large'].map((price) => ({ pricing: { price_details: { price } } })) };
    expect(await says({ type: 'invoice.paid', object: invoice({ lines }) })).toMatchObject({ life: 'paid', namedPlan: { plan: 'small' } });
  });

  it('for something else than a guest is ignored', async () => {
    expect(
      await says({
        type: 'invoice.paid',
        object: invoice({ lines: { data: [{ pricing: { price_details: { price: 'price_of_a_domain' } } }] } }),
      }),
    ).toBe('ignored');
    expect(await says({ type: 'invoice.paid', object: invoice({ parent: null }) })).toBe('ignored');
  });
});

describe('what comes with it', () => {
  it('SSH keys, distribution and time zone are taken from metadata; empty fields are none', async () => {
    const key = `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32, 7)]).toString('base64')}`;
    const object = session({ metadata: metadata('S-1', { sshKeys: `${key}\n`, dist: 'trixie', timezone: '' }) });
    expect(await says({ type: 'checkout.session.completed', object })).toMatchObject({ wishes: { sshKeys: [key], dist: 'trixie' } });
  });

  it.each([
    ['hostname', { hostname: 'not a host' }],
    ['sshKeys', { sshKeys: 'ssh-rsa AAAA' }],
    ['dist', { dist: 'warty' }],
    ['timezone', { timezone: 'Mars/Olympus' }],
  ])('a bad %s refuses nothing: it is said to be bad, and the rest is taken', async (field, changes) => {
    const said = await says({
      type: 'customer.subscription.updated',
      object: subscription('unpaid', { metadata: metadata('S-1', changes) }),
    });
    expect(said).toMatchObject({
      life: 'suspended',
      plan: { plan: 'small' },
      bad: [{ field, mend: expect.stringContaining(field) as unknown }],
    });
    expect((said as BillingStatements).wishes).not.toHaveProperty(field);
  });

  it('a bad customer is nobody’s problem: Stripe has an id of its own', async () => {
    const said = await says({
      type: 'invoice.paid',
      object: invoice({ parent: { subscription_details: { metadata: metadata('S-1', { customer: 'Jürgen Müller' }) } } }),
    });
    expect(said).toMatchObject({ wishes: { customer: 'cus_1' } });
    expect(said).not.toHaveProperty('bad');
  });

  it('a private key that was pasted by mistake is not repeated', async () => {
    const said = await says({
      type: 'checkout.session.completed',
      object: session({ metadata: metadata('S-1', { sshKeys: '-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0' }) }),
    });
    expect(said).toMatchObject({ bad: [{ field: 'sshKeys', reason: expect.stringContaining('private') as unknown }] });
    expect(JSON.stringify(said)).not.toContain('c2VjcmV0');
  });
});

describe('the signature', () => {
  it('of either secret counts while one is rolled', async () => {
    const { gateway } = await bench({ stripeSecrets: ['whsec_the_new_one', STRIPE_SECRET] });
    const event = stripeEvent({ type: 'invoice.paid', object: invoice() });
    expect((await gateway(stripe(event))).status).toBe(200);
    expect((await gateway(stripe(event, { secret: 'whsec_the_new_one' }))).status).toBe(200);
    const [old, fresh] = [stripe(event), stripe(event, { secret: 'whsec_the_new_one' })].map(
      (request) => request.headers.get('stripe-signature') ?? '',
    );
    expect((await gateway(stripe(event, { headers: { 'stripe-signature': `${fresh},${old?.split(',')[1]}` } }))).status).toBe(200);
  });

  it.each([[''], ['t=1,v1=00'], ['v1=00'], ['t=,v1='], ['garbage'], ['t=NaN,v1=zz'], ['t=1,v0=00']])('%j gets 401', async (header) => {
    const { gateway } = await bench();
    expect(
      (await gateway(stripe(stripeEvent({ type: 'invoice.paid', object: invoice() }), { headers: { 'stripe-signature': header } }))).status,
    ).toBe(401);
  });

  it('that is too old, or of the future, gets 400', async () => {
    const { gateway, sink } = await bench();
    const event = stripeEvent({ type: 'invoice.paid', object: invoice() });
    expect((await problemOf(await gateway(stripe(event, { shift: -301 })))).type).toContain('stale');
    expect((await problemOf(await gateway(stripe(event, { shift: 400 })))).type).toContain('from-the-future');
    expect(sink.events).toEqual([]);
  });

  it('of an event that is created next year gets 400', async () => {
    const { gateway } = await bench();
    expect((await gateway(stripe(stripeEvent({ type: 'invoice.paid', object: invoice(), after: 3.15e7 })))).status).toBe(400);
  });
});

describe('one event twice', () => {
  it('is the same, although Stripe counts down its pending deliveries', async () => {
    const { gateway, sink } = await bench();
    const event = stripeEvent({ type: 'invoice.paid', object: invoice() });
    const first = await (await gateway(stripe(event))).text();
    expect(await (await gateway(stripe({ ...event, pending_webhooks: 0 }))).text()).toBe(first);
    expect(sink.events).toHaveLength(1);
  });

  it('with another content gets 409', async () => {
    const { gateway } = await bench();
    const event = stripeEvent({ type: 'invoice.paid', object: invoice() });
    await gateway(stripe(event));
    expect((await gateway(stripe({ ...event, created: (event['created'] as number) + 1 }))).status).toBe(409);
  });

  it('says the same in the shapes of two API versions', async () => {
    const { gateway, sink } = await bench();
    const event = stripeEvent({ id: 'evt_both', type: 'invoice.paid', object: invoice() });
    await gateway(stripe(event));
    await gateway(stripe({ ...event, id: 'evt_other', api_version: '2024-06-20', data: { object: oldInvoice() } }));
    expect(sink.events[0]?.meaning).toBe(sink.events[1]?.meaning);
    expect(sink.events[0]?.variant).not.toBe(sink.events[1]?.variant);
  });
});

describe('an event that is not for guestflow', () => {
  it.each([['charge.refunded'], ['constructor'], ['customer.subscription.trial_will_end'], ['invoice.payment_failed']])(
    '(%s) is ignored with 200',
    async (type) => {
      expect(await says({ type, object: {} })).toBe('ignored');
    },
  );

  it('(a thin one, of the second kind) is ignored with 200', async () => {
    const { gateway } = await bench();
    expect(
      (await gateway(stripe({ id: 'evt_thin', object: 'v2.core.event', type: 'v1.billing.meter.error', created: '2026-01-01T00:00:00Z' })))
        .status,
    ).toBe(200);
  });

  it('(no event at all) gets 422', async () => {
    const { gateway } = await bench();
    expect((await gateway(stripe('{"id":"evt_1"}'))).status).toBe(422);
    expect((await gateway(stripe('7'))).status).toBe(422);
  });
});
