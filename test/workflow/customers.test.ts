/** A customer's guests are found by a mark, which tells nobody who the customer is. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codecKey } from '../../client/codec/keys.ts';
import { customerMark, customerMarks, isOfCustomer } from '../../client/customers.ts';
import { findEndpoint } from '../../client/config.ts';
import { orderGuest } from '../../client/guests/order.ts';
import { pageOfGuests } from '../../client/guests/list.ts';
import { readStatus } from '../../client/guests/look.ts';
import { openSession, type Session } from '../../client/session.ts';
import { spendTicket } from '../../client/tickets.ts';
import { guestWorkflowId, ticketWorkflowId } from '../../contract/names.ts';
import { order, scripted, until } from './scripted.ts';
import { startServer, withKeptWorkers } from './temporal.ts';

let environment: TestWorkflowEnvironment;
let session: Session;
beforeAll(async () => {
  environment = await startServer();
  session = await openSession(await findEndpoint({ address: environment.address }));
});
afterAll(async () => {
  await session.close();
  await environment.teardown();
});

const namesOf = async (customer: string): Promise<string[]> =>
  (await pageOfGuests(session, { limit: 50, customer })).rows.map(({ name }) => name).sort();

it("a customer's guests are found, and nobody else's, also after they have continued as new", async () => {
  await withKeptWorkers(environment, scripted([]), async () => {
    const [own, foreign, nobodys] = [order({ customer: 'C-1' }), order({ customer: 'C-2' }), order()];
    for (const document of [own, foreign, nobodys]) {
      await orderGuest(session, document);
      await until(
        () => readStatus(session, document.name),
        ({ phase, operation }) => phase === 'running' && operation === undefined,
      );
    }
    expect((await readStatus(session, own.name)).customer).toBe('C-1');
    const handle = session.client.workflow.getHandle(guestWorkflowId(own.name));
    const { runId: former } = await handle.describe();
    // A guest that was cancelled while nothing ran continues as new.
    await handle.cancel();
    await until(
      () => session.client.workflow.getHandle(guestWorkflowId(own.name)).describe(),
      ({ runId }) => runId !== former,
    );
    await until(
      () => namesOf('C-1'),
      (names) => names.length > 0,
    );
    expect(await namesOf('C-1')).toEqual([own.name]);
    expect(await namesOf('C-3')).toEqual([]);
    expect(await isOfCustomer(session, own.name, 'C-1')).toBe(true);
    for (const { name } of [foreign, nobodys, { name: 'none-such' }]) expect(await isOfCustomer(session, name, 'C-1')).toBe(false);
    // What stands in the clear is no id.
    expect(JSON.stringify((await handle.describe()).raw.workflowExecutionInfo?.searchAttributes)).not.toContain('C-1');
  });
});

it('a ticket is spent once, however many gateways are asked at once, and whether or not a worker is there', async () => {
  const other = await openSession(await findEndpoint({ address: environment.address }));
  const spend = (id: string): Promise<boolean[]> =>
    Promise.all(Array.from({ length: 10 }, (_one, index) => spendTicket(index % 2 === 0 ? session : other, id)));
  const first = await spend('without-worker');
  expect(first.filter((isFirst) => isFirst)).toHaveLength(1);
  await withKeptWorkers(environment, scripted([]), async () => {
    const second = await spend('with-worker');
    expect(second.filter((isFirst) => isFirst)).toHaveLength(1);
    // Its workflow has ended; the ticket stays spent.
    await session.client.workflow.getHandle(ticketWorkflowId('with-worker')).result();
    expect(await spendTicket(session, 'with-worker')).toBe(false);
  });
  await other.close();
});

describe('a mark', () => {
  const under = (...fills: number[]): Session => ({
    ...session,
    endpoint: { ...session.endpoint, codecKeys: fills.map((fill) => codecKey(Buffer.alloc(32, fill))) },
  });

  it('is another one under each codec key', () => {
    const marks = [under(), under(1), under(2)].map((one) => customerMark(one, 'C-1'));
    expect(new Set(marks).size).toBe(3);
    for (const mark of marks) expect(mark).toMatch(/^[0-9a-f]{32}$/);
  });

  it('of a guest from before a key was set, or replaced, is still known', () => {
    const now = customerMarks(under(2, 1), 'C-1');
    for (const former of [under(), under(1), under(2)]) expect(now).toContain(customerMark(former, 'C-1'));
    expect(now).not.toContain(customerMark(under(2), 'C-2'));
  });
});
