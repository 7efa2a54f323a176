/** From a signed event to a guest and back, on a real Temporal. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventAnswer } from '../../contract/billing-types.ts';
import { NOW, paid, signup } from '../unit/gateway/bench.ts';
import { startBilling, until, type BillingBench } from './billing-bench.ts';

let bench: BillingBench;
beforeAll(async () => { bench = await startBilling(); });
afterAll(async () => { await bench.close(); });

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
  return until(async () => ({ guest: (await bench.guest(order)).phase, order: (await bench.order(order)).phase }), (seen) => seen.guest === phase && seen.order === 'settled');
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
    await until(() => bench.guest(order), ({ plan }) => plan === 'large');
    await send(event('order.terminated', order, 4));
    await settled(order, 'terminating');
    expect((await bench.guest(order)).graceUntil).toBeDefined();
    await send(event('order.unsuspended', order, 5));
    await settled(order, 'running');
    await until(() => Promise.resolve(bench.told.filter(({ data }) => data.order === order)), (told) => told.length === 5);
    expect(bench.told.filter(({ data }) => data.order === order).map(({ type }) => type).sort()).toEqual(['guest.resumed', 'guest.resumed', 'guest.running', 'guest.suspended', 'guest.terminated']);
  });
});
