/** From a signed event to a guest and back, on a real Temporal. */
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOLD_HOSTNAME, hostnameWorkflowId, type EventAnswer } from '../../contract/billing.ts';
import { guestNameOfOrder } from '../../order/billing-events.ts';
import { guestNameOfLife } from '../../contract/guest-name.ts';
import { billingWorkflowId, CONTROL_QUEUE, guestWorkflowId, WORKFLOWS } from '../../contract/names.ts';
import { readSignup } from '../../gateway/webhooks/signup.ts';
import { remember } from '../../workflows/billing/inbox.ts';
import { afterEvent } from '../../workflows/billing/rules.ts';
import { firstState, type OrderState } from '../../workflows/billing/state.ts';
import { workflowBundle } from './temporal.ts';
import { acknowledge, listOrders } from '../../client/billing-orders.ts';
import { NOW, paid, signup, stripe } from '../unit/gateway/bench.ts';
import {
  invoice,
  metadata,
  session as stripeSession,
  stripeEvent,
  subscription,
  type StripeEventInput,
} from '../unit/gateway/webhooks/stripe-events.ts';
import { startBilling, until, type BillingBench } from './billing-bench.ts';

let bench: BillingBench;
beforeAll(async () => {
  bench = await startBilling();
});
afterAll(async () => {
  await bench.close();
});

let sent = 0;

async function send(body: object, id?: string): Promise<EventAnswer> {
  sent += 1;
  const response = await bench.gateway(signup(body, { id: id ?? `msg_${sent}` }));
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as EventAnswer;
}

/** An event of an order, so many seconds after its payment. */
function event(type: string, order: string, after: number, data: object = {}): object {
  return { type, timestamp: new Date((NOW - 100 + after) * 1_000).toISOString(), data: { order, ...data } };
}

function settled(order: string, phase: string): Promise<unknown> {
  return until(
    async () => ({ guest: (await bench.guest(order)).phase, order: (await bench.order(order)).phase }),
    (seen) => seen.guest === phase && seen.order === 'settled',
  );
}

describe('an order of billing', () => {
  it('becomes a guest, is suspended, resumed, given another plan, terminated and taken back, as billing says', async () => {
    const order = 'life-1';
    const answer = await send({ ...event('order.paid', order, 0), data: (paid(order) as { data: object }).data });
    await settled(order, 'running');
    expect(await bench.guest(order)).toMatchObject({ name: answer.guest, order, plan: 'small' });
    expect((await bench.guest(order)).spec).toMatchObject({ hostname: 'life-1.example.org', customer: 'C-7' });
    await send(event('order.suspended', order, 1));
    await settled(order, 'suspended');
    await send(event('order.unsuspended', order, 2));
    await settled(order, 'running');
    await send(event('order.upgraded', order, 3, { plan: 'large' }));
    await until(
      () => bench.guest(order),
      ({ plan }) => plan === 'large',
    );
    // An order that rests says that it does nothing.
    await until(
      () => bench.order(order),
      ({ phase, doing }) => phase === 'settled' && doing === '',
    );
    await send(event('order.terminated', order, 4));
    await settled(order, 'terminating');
    expect((await bench.guest(order)).graceUntil).toBeDefined();
    await send(event('order.unsuspended', order, 5));
    await settled(order, 'running');
    await until(
      () => Promise.resolve(bench.told.filter(({ data }) => data.order === order)),
      (told) => told.length === 5,
    );
    expect(
      bench.told
        .filter(({ data }) => data.order === order)
        .map(({ type }) => type)
        .sort(),
    ).toEqual(['guest.resumed', 'guest.resumed', 'guest.running', 'guest.suspended', 'guest.terminated']);
  });
});

describe('events', () => {
  it('that are of the same order get there in any order, and the newest wins', async () => {
    const order = 'late-1';
    await send(event('order.terminated', order, 9));
    await send({ ...event('order.paid', order, 1), data: (paid(order) as { data: object }).data });
    await send(event('order.suspended', order, 5));
    const status = await until(
      () => bench.order(order),
      ({ events, phase }) => events.length === 3 && phase === 'over',
    );
    expect(status.wish).toBe('terminated');
    await expect(bench.guest(order)).rejects.toMatchObject({ type: 'NotFound' });
  });

  it('sent a hundred times at once make one guest, and all get the same answer', async () => {
    const order = 'often-1';
    const body = paid(order);
    const answers = await Promise.all(Array.from({ length: 100 }, () => send(body, 'msg_often')));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    await settled(order, 'running');
    expect((await bench.order(order)).events).toHaveLength(1);
    expect(bench.calls.filter((call) => call === 'createImage').length).toBeGreaterThan(0);
  });

  it('that come again with another body are refused by 409, change nothing, and are shown until acknowledged', async () => {
    const order = 'conflict-1';
    await send(paid(order), 'msg_conflict');
    await settled(order, 'running');
    const refused = await bench.gateway(signup(paid(order, { plan: 'large' }), { id: 'msg_conflict' }));
    expect(refused.status).toBe(409);
    expect((await bench.gateway(signup(paid(order, { plan: 'large' }), { id: 'msg_conflict' }))).status).toBe(409);
    const { phase, refused: problems } = await bench.order(order);
    expect(phase).toBe('problem');
    expect(problems).toMatchObject([{ type: 'EventConflict', event: 'signup/msg_conflict' }]);
    const listed = await until(
      () => listOrders(bench.session, true),
      (orders) => orders.some((each) => each.order === order),
    );
    expect(listed.every((each) => each.phase === 'problem')).toBe(true);
    expect((await bench.guest(order)).plan).toBe('small');
    expect((await acknowledge(bench.session, order)).refused).toEqual([]);
    await settled(order, 'running');
  });

  it('that come again in the name of another order are refused, too, and make no guest', async () => {
    const order = 'conflict-2';
    await send(paid(order), 'msg_other_order');
    expect((await bench.gateway(signup(paid('conflict-3'), { id: 'msg_other_order' }))).status).toBe(409);
    expect((await bench.order(order)).refused).toHaveLength(1);
    await expect(bench.order('conflict-3')).rejects.toThrow();
    await acknowledge(bench.session, order);
    await settled(order, 'running');
  });

  it('that take back what is being done meanwhile are carried out after it: paid again while it is being suspended, the guest resumes', async () => {
    const order = 'again-1';
    await send({ ...event('order.paid', order, 0), data: (paid(order) as { data: object }).data });
    await settled(order, 'running');
    const release = bench.hold(order);
    await send(event('order.suspended', order, 5));
    await until(
      () => bench.guest(order),
      ({ operation }) => operation?.kind === 'suspend',
    );
    await send(event('order.unsuspended', order, 6));
    release();
    await until(
      () => Promise.resolve(bench.told.filter(({ data }) => data.order === order).map(({ type }) => type)),
      (types) => types.includes('guest.resumed'),
    );
    await settled(order, 'running');
  });

  it('are answered while the guest is being made', async () => {
    const order = 'slow-1';
    const release = bench.hold(order);
    await send({ ...event('order.paid', order, 0), data: (paid(order) as { data: object }).data });
    await until(
      () => bench.guest(order),
      ({ phase }) => phase === 'provisioning',
    );
    await send(event('order.suspended', order, 5));
    release();
    await settled(order, 'suspended');
  });
});

describe('an order that is paid for and not complete', () => {
  it('is shown as a problem until an event says what it is', async () => {
    const order = 'half-1';
    await send(event('order.unsuspended', order, 0));
    const shown = await until(
      async () => (await listOrders(bench.session, true)).find((status) => status.order === order),
      (found) => found !== undefined && found.doing !== '',
    );
    expect(shown).toMatchObject({
      phase: 'waiting',
      wish: 'active',
      doing: expect.stringContaining('no event has named its plan') as unknown,
    });
    await send({ ...event('order.paid', order, 1), data: (paid(order) as { data: object }).data });
    await settled(order, 'running');
    await until(
      () => listOrders(bench.session, true),
      (orders) => orders.every((status) => status.order !== order),
    );
  });
});

describe('a host name', () => {
  it("is one order's: the second is shown, and gets it when the first has gone", async () => {
    const [first, second] = ['name-1', 'name-2'];
    await send({
      ...event('order.paid', first, 0),
      data: { ...(paid(first, { hostname: 'same.example.org', plan: 'grace0' }) as { data: object }).data },
    });
    await settled(first, 'running');
    await send(paid(second, { hostname: 'same.example.org' }));
    const shown = await until(
      () => bench.order(second),
      ({ trouble }) => trouble !== undefined,
    );
    expect(shown).toMatchObject({
      phase: 'problem',
      trouble: { type: 'HostnameTaken', message: expect.stringContaining(first) as unknown },
    });
    await expect(bench.guest(second)).rejects.toMatchObject({ type: 'NotFound' });
    await until(
      () => Promise.resolve(bench.told),
      (told) => told.some(({ type, data }) => type === 'guest.failed' && data.order === second),
    );
    await send(event('order.terminated', first, 1));
    await until(
      () => bench.order(first),
      ({ phase }) => phase === 'over',
    );
    await acknowledge(bench.session, second);
    await settled(second, 'running');
  });

  it('is given back by an order that takes another one before it has a guest', async () => {
    const order = 'rename-1';
    bench.fail(order, 'NoCapacity');
    await send({ ...event('order.paid', order, 0), data: (paid(order, { hostname: 'before.example.org' }) as { data: object }).data });
    expect(
      await until(
        () => bench.order(order),
        ({ trouble }) => trouble !== undefined,
      ),
    ).toMatchObject({ trouble: { type: 'NoCapacity' } });
    bench.fail(order, undefined);
    await send({ ...event('order.paid', order, 1), data: (paid(order, { hostname: 'after.example.org' }) as { data: object }).data });
    await settled(order, 'running');
    expect((await bench.guest(order)).spec?.hostname).toBe('after.example.org');
    const held = bench.session.client.workflow.getHandle(hostnameWorkflowId('before.example.org'));
    await until(
      () => held.describe(),
      ({ status }) => status.name === 'COMPLETED',
    );
  });
});

describe('an order that cannot be had', () => {
  it('tells why, once, and becomes a guest as soon as it can be', async () => {
    const order = 'full-1';
    bench.fail(order, 'NoCapacity');
    await send(paid(order));
    await until(
      () => bench.order(order),
      ({ trouble }) => trouble?.type === 'NoCapacity',
    );
    await acknowledge(bench.session, order);
    await until(
      () => bench.order(order),
      ({ trouble }) => trouble?.type === 'NoCapacity',
    );
    bench.fail(order, undefined);
    await acknowledge(bench.session, order);
    await settled(order, 'running');
    const told = await until(
      () => Promise.resolve(bench.told.filter(({ data }) => data.order === order)),
      (all) => all.some(({ type }) => type === 'guest.running'),
    );
    expect(told.map(({ type }) => type)).toEqual(['guest.failed', 'guest.running']);
    expect(told[0]?.data.error).toMatchObject({ type: 'NoCapacity' });
  });
});

describe('Stripe', () => {
  it('an unpaid checkout orders nothing until its invoice is paid; its subscription then rules the guest', async () => {
    const order = 'stripe-1';
    const own = { metadata: metadata(order) };
    const post = async (input: StripeEventInput): Promise<void> => {
      expect((await bench.gateway(stripe(stripeEvent(input)))).status).toBe(200);
    };
    await post({ type: 'checkout.session.completed', object: stripeSession({ payment_status: 'unpaid', ...own }), after: -90 });
    await post({ type: 'customer.subscription.created', object: subscription('incomplete', own), after: -90 });
    expect(await bench.order(order)).toMatchObject({ wish: 'nothing', phase: 'waiting' });
    await post({ type: 'invoice.paid', object: invoice({ parent: { subscription_details: own } }), after: -80 });
    await settled(order, 'running');
    await post({ type: 'customer.subscription.updated', object: subscription('past_due', own), after: -70 });
    await post({ type: 'customer.subscription.updated', object: subscription('unpaid', own), after: -60 });
    await settled(order, 'suspended');
    await post({
      type: 'customer.subscription.updated',
      object: subscription('active', { ...own, items: { data: [{ price: { id: 'price_large' } }] } }),
      after: -50,
    });
    await until(
      () => bench.guest(order),
      ({ phase, plan }) => phase === 'running' && plan === 'large',
    );
    await post({ type: 'customer.subscription.deleted', object: subscription('canceled', own), after: -40 });
    await settled(order, 'terminating');
    await post({ type: 'invoice.paid', object: invoice({ parent: { subscription_details: own } }), after: -30 });
    await settled(order, 'terminating');
  });
});

describe('a wish that cannot be had', () => {
  it('is shown and told once, holds the guest back while nothing else was said, and goes with the event that mends it', async () => {
    const order = 'wish-1';
    const post = async (input: StripeEventInput): Promise<void> => {
      expect((await bench.gateway(stripe(stripeEvent(input)))).status).toBe(200);
    };
    const own = (changes: object): object => ({ metadata: metadata(order, changes) });
    await post({ type: 'customer.subscription.created', object: subscription('active', own({ hostname: 'my shop' })), after: -90 });
    await post({
      type: 'customer.subscription.updated',
      object: subscription('active', own({ hostname: 'my shop', note: 'x' })),
      after: -80,
    });
    const shown = await until(
      async () => (await listOrders(bench.session, true)).find((each) => each.order === order),
      (found) => found !== undefined && found.doing !== '',
    );
    expect(shown).toMatchObject({
      phase: 'problem',
      wish: 'active',
      doing: expect.stringContaining('hostname') as unknown,
      problems: [{ field: 'hostname', since: new Date((NOW - 90) * 1_000).toISOString(), isMissed: true }],
    });
    await expect(bench.guest(order)).rejects.toMatchObject({ type: 'NotFound' });
    await post({ type: 'customer.subscription.updated', object: subscription('active', own({})), after: -70 });
    await settled(order, 'running');
    expect((await bench.order(order)).problems).toEqual([]);
    await post({ type: 'customer.subscription.updated', object: subscription('unpaid', own({ timezone: 'Mars/Olympus' })), after: -60 });
    await until(
      () => bench.guest(order),
      ({ phase }) => phase === 'suspended',
    );
    await post({
      type: 'customer.subscription.deleted',
      object: subscription('canceled', own({ hostname: '-', sshKeys: 'none' })),
      after: -50,
    });
    await settled(order, 'terminating');
    const told = await until(
      () => Promise.resolve(bench.told.filter(({ data }) => data.order === order)),
      (all) => all.some(({ type }) => type === 'guest.terminated'),
    );
    const problems = told.filter(({ type }) => type === 'order.problem').map(({ data }) => data.problem);
    expect(problems).toMatchObject([{ field: 'hostname', mend: expect.any(String) as unknown }, { field: 'timezone' }]);
  });
});

describe('an event that has nothing of a guest but the id of an order', () => {
  it('is taken by an order that is known, and begins none', async () => {
    const order = 'known-1';
    const strange = { items: { data: [{ price: { id: 'price_archived' } }] }, metadata: { order } };
    const unpaid = stripeEvent({ type: 'customer.subscription.updated', object: subscription('unpaid', strange), after: -50 });
    const before = await bench.gateway(stripe(unpaid));
    expect([before.status, await before.json()]).toEqual([200, { ignored: expect.any(String) as unknown }]);
    await expect(bench.order(order)).rejects.toThrow('not found');
    const created = stripeEvent({
      type: 'customer.subscription.created',
      object: subscription('active', { metadata: metadata(order) }),
      after: -90,
    });
    expect((await bench.gateway(stripe(created))).status).toBe(200);
    await settled(order, 'running');
    expect(await (await bench.gateway(stripe(unpaid))).json()).toMatchObject({ order });
    await until(
      () => bench.guest(order),
      ({ phase }) => phase === 'suspended',
    );
    expect(await bench.order(order)).toMatchObject({ plan: 'small', problems: [{ field: 'plan' }] });
  });

  it('is kept when it may be a guest’s by the plan that it names, and comes to nothing by itself', async () => {
    const order = 'kept-1';
    const strange = { items: { data: [{ price: { id: 'price_archived' } }] }, metadata: metadata(order) };
    const ended = stripeEvent({ type: 'customer.subscription.deleted', object: subscription('canceled', strange), after: -50 });
    expect(await (await bench.gateway(stripe(ended))).json()).toMatchObject({ ignored: expect.any(String) as unknown });
    expect(await bench.order(order)).toMatchObject({ wish: 'nothing', phase: 'waiting', problems: [] });
    const created = stripeEvent({
      type: 'customer.subscription.created',
      object: subscription('active', { metadata: metadata(order) }),
      after: -90,
    });
    await bench.gateway(stripe(created));
    expect((await bench.order(order)).wish).toBe('terminated');
    await expect(bench.guest(order)).rejects.toMatchObject({ type: 'NotFound' });
  });
});

describe('an order that is begun anew after its end', () => {
  const over = (order: string): Promise<unknown> =>
    until(
      () => bench.order(order),
      ({ phase }) => phase === 'over',
    );
  const guestOfLife = (order: string, life: number): Promise<{ phase: string }> =>
    bench.flow.status(guestNameOfLife(guestNameOfOrder(order), life));
  /** As Temporal does it when its retention has passed. */
  const forget = async (workflowId: string): Promise<void> => {
    const { workflow, workflowService } = bench.session.client;
    await workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution: { workflowId } });
    await until(
      () =>
        workflow
          .getHandle(workflowId)
          .describe()
          .then(
            () => 'there',
            () => 'forgotten',
          ),
      (state) => state === 'forgotten',
    );
  };

  it('within the grace period keeps its guest; when that is gone, it gets another one, under another name and number', async () => {
    const order = 'again-2';
    const data = (paid(order, { plan: 'grace0' }) as { data: object }).data;
    await send({ ...event('order.paid', order, 0), data });
    await settled(order, 'running');
    await send(event('order.terminated', order, 1));
    await over(order);
    await send({ ...event('order.paid', order, 2), data });
    const second = await until(
      () => guestOfLife(order, 2),
      ({ phase }) => phase === 'running',
    );
    expect(second).toMatchObject({ order, spec: { hostname: 'again-2.example.org' } });
    expect(await bench.order(order)).toMatchObject({ life: 2, guest: guestNameOfLife(guestNameOfOrder(order), 2) });
    expect((await guestOfLife(order, 1)).phase).toBe('gone');
    await send(event('order.suspended', order, 3));
    await until(
      () => guestOfLife(order, 2),
      ({ phase }) => phase === 'suspended',
    );
    const told = await until(
      () => Promise.resolve(bench.told.filter(({ data: said }) => said.order === order)),
      (all) => all.some(({ type }) => type === 'guest.suspended'),
    );
    expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
  });

  it('when its workflow has ended, counts the lives that Temporal remembers, and begins with the first one when they are forgotten', async () => {
    const order = 'again-3';
    const data = (paid(order, { plan: 'grace0' }) as { data: object }).data;
    const { workflow } = bench.session.client;
    await send({ ...event('order.paid', order, 0), data });
    await settled(order, 'running');
    await send(event('order.terminated', order, 1));
    await over(order);
    await workflow.getHandle(billingWorkflowId(order)).terminate('five weeks have passed');
    await send({ ...event('order.paid', order, 2), data });
    await until(
      () => guestOfLife(order, 2),
      ({ phase }) => phase === 'running',
    );
    await send(event('order.terminated', order, 3));
    await over(order);
    await workflow.getHandle(billingWorkflowId(order)).terminate('five weeks have passed');
    await Promise.all([1, 2].map((life) => forget(guestWorkflowId(guestNameOfLife(guestNameOfOrder(order), life)))));
    await send({ ...event('order.paid', order, 4), data });
    await until(
      () => guestOfLife(order, 1),
      ({ phase }) => phase === 'running',
    );
    expect((await bench.order(order)).life).toBe(1);
  });
});

describe('the webhooks that go out', () => {
  it('do not hold the order up when the receiver is down', async () => {
    const order = 'deaf-1';
    bench.deafen(order);
    await send(paid(order));
    await settled(order, 'running');
    const notification = bench.session.client.workflow.getHandle(`notify/${order}.0`);
    expect(
      (
        await until(
          () => notification.describe(),
          () => true,
        )
      ).status.name,
    ).toBe('RUNNING');
    // For three days, at least once an hour, however often that is.
    const { events } = await notification.fetchHistory();
    const scheduled = events?.find((entry) => entry.activityTaskScheduledEventAttributes)?.activityTaskScheduledEventAttributes;
    expect(Number(scheduled?.scheduleToCloseTimeout?.seconds)).toBe(3 * 86_400);
    expect(Number(scheduled?.retryPolicy?.maximumInterval?.seconds)).toBe(3_600);
    expect(scheduled?.retryPolicy?.maximumAttempts ?? 0).toBe(0);
    await notification.terminate('the test is over');
  });
});

describe('an order that continues as new', () => {
  it('knows its events, and goes on with its work', async () => {
    const order = 'carried-1';
    const guest = guestNameOfOrder(order);
    const first = readSignup(JSON.stringify(paid(order)), 'msg_carried', bench.catalogue, Date.now());
    if (typeof first === 'string') throw new Error(first);
    const blank = firstState(order, guest, new Date().toISOString());
    const carried: OrderState = {
      ...blank,
      heard: { ...blank.heard, facts: afterEvent({}, first), inbox: remember([], first, new Date().toISOString()) },
    };
    await bench.session.client.workflow.start(WORKFLOWS.billingOrder, {
      workflowId: billingWorkflowId(order),
      taskQueue: CONTROL_QUEUE,
      args: [{ order, guest, carried }],
    });
    expect((await bench.gateway(signup(paid(order), { id: 'msg_carried' }))).status).toBe(200);
    expect((await bench.gateway(signup(paid(order, { plan: 'large' }), { id: 'msg_carried' }))).status).toBe(409);
    await until(
      () => bench.guest(order),
      ({ phase }) => phase === 'running',
    );
    expect((await bench.order(order)).events).toHaveLength(1);
  });
});

describe('the histories of all orders', () => {
  it('replay with the code as it is', async () => {
    const types = [WORKFLOWS.billingOrder, WORKFLOWS.notify, HOLD_HOSTNAME.workflow].map((type) => `'${type}'`).join(', ');
    const histories = bench.session.client.workflow.list({ query: `WorkflowType IN (${types})` }).intoHistories();
    const failures: string[] = [];
    let count = 0;
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: await workflowBundle() }, histories)) {
      count += 1;
      if (error !== undefined) failures.push(`${workflowId}: ${error.message}`);
    }
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(20);
  });
});
