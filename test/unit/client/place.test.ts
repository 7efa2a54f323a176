/** Where an order goes: to the dom0 that it names, to the one that its guest has, or to one that is chosen. Temporal is scripted. */
import { WorkflowNotFoundError } from '@temporalio/common';
import { beforeEach, expect, it } from 'vitest';
import { placeOrder, type PlaceOptions, type PlacedOrder } from '../../../client/guests/place.ts';
import { toGuestflowError } from '../../../client/failures.ts';
import type { Session } from '../../../client/session.ts';
import { DOM0_UPDATES, QUERIES, WORKFLOWS } from '../../../contract/names.ts';
import type { GuestPhase, UnplacedOrder } from '../../../contract/guest.ts';
import { loadPlans } from '../../../order/plans.ts';
import { checkOrder } from '../../../order/order.ts';

const GiB = 2 ** 30;
const plans = await loadPlans();

/** Guests that there are, room on the dom0s in GiB of memory, and what was asked. */
let guests = new Map<string, { order: string; phase: GuestPhase; dom0: string }>();
let room: Record<string, number> = {};
let reserved: string[] = [];
let served = true;

const ORDER = checkOrder({ name: 'web', order: 'o1', plan: 'small' }, { plans });

function answerOf(id: string, query: string): unknown {
  const [kind, name = ''] = id.split('/');
  if (kind === 'guest' && query === QUERIES.status) {
    const status = guests.get(name);
    if (status === undefined) throw new WorkflowNotFoundError('workflow not found', id, undefined);
    return status;
  }
  const free = { memoryBytes: (room[name] ?? 0) * GiB, vcpus: 64, diskBytes: 900 * GiB };
  return { capacity: { host: name, drained: false, sellable: free, free, pools: [], guests: 0, cpus: 8 }, owners: [] };
}

const workflow = {
  list: () =>
    // eslint-disable-next-line @typescript-eslint/require-await -- as the SDK's
    (async function* list() {
      for (const host of Object.keys(room)) yield { workflowId: `dom0/${host}` };
    })(),
  getHandle: (id: string) => ({
    query: (name: string) => Promise.resolve().then(() => answerOf(id, name)),
    executeUpdate: (name: string) => {
      expect(name).toBe(DOM0_UPDATES.reserve);
      reserved.push(id);
      return Promise.resolve({ networks: [] });
    },
    describe: () =>
      guests.has('web')
        ? Promise.resolve({ status: { name: 'FAILED' }, runId: 'r0' })
        : Promise.reject(new WorkflowNotFoundError('workflow not found', id, undefined)),
  }),
  executeUpdateWithStart: (_name: string, { args: [order] }: { args: [{ name: string; order: string; dom0: string }] }) =>
    Promise.resolve({ workflowId: `${WORKFLOWS.guest}/${order.name}`, runId: 'r1', name: order.name, order: order.order }),
};

function place(order: UnplacedOrder, options?: PlaceOptions): Promise<PlacedOrder> {
  const session = {
    client: {
      workflow,
      options: { namespace: 'default' },
      workflowService: {
        describeTaskQueue: () =>
          Promise.resolve({ pollers: served ? [{ lastAccessTime: { seconds: Date.now() / 1_000 }, identity: 'dom0/a' }] : [] }),
      },
    },
    call: async (subject: string, work: () => Promise<unknown>) => {
      try {
        return await work();
      } catch (error) {
        throw toGuestflowError(error, subject, 'test');
      }
    },
  };
  return placeOrder(session as unknown as Session, order, options);
}

beforeEach(() => {
  guests = new Map();
  room = { a: 4, b: 8 };
  reserved = [];
  served = true;
});

it('an order that names no dom0 is reserved on the fullest that has room, and goes there', async () => {
  expect(await place(ORDER)).toEqual({ workflowId: 'guest/web', runId: 'r1', name: 'web', order: 'o1', dom0: 'a' });
  room = { a: 0, b: 8 };
  expect((await place(ORDER)).dom0).toBe('b');
  expect(reserved).toEqual(['dom0/a', 'dom0/b']);
});

it('an order whose guest is there goes to its dom0, and nothing is reserved; one that failed is placed anew', async () => {
  guests.set('web', { order: 'o1', phase: 'running', dom0: 'b' });
  expect((await place(ORDER)).dom0).toBe('b');
  expect(reserved).toEqual([]);
  guests.set('web', { order: 'o1', phase: 'failed', dom0: 'b' });
  expect((await place(ORDER)).dom0).toBe('a');
  expect(reserved).toEqual(['dom0/a']);
});

it('an order that names its dom0 goes there, if it has registered, or is served where that is asked; nothing is reserved before', async () => {
  expect((await place({ ...ORDER, dom0: 'b' })).dom0).toBe('b');
  await expect(place({ ...ORDER, dom0: 'nowhere' })).rejects.toMatchObject({ type: 'InvalidInput', details: { field: 'dom0' } });
  served = false;
  await expect(place({ ...ORDER, dom0: 'b' }, { mustBeServed: true })).rejects.toMatchObject({ type: 'Unreachable' });
  guests.set('web', { order: 'o1', phase: 'running', dom0: 'b' });
  expect((await place({ ...ORDER, dom0: 'b' }, { mustBeServed: true })).dom0).toBe('b');
  expect(reserved).toEqual([]);
});
