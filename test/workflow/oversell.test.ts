/** Nothing is sold that is not there: many orders at once against the ledgers of a few dom0s. Server, workers and client are real. */
import { defaultPayloadConverter } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { anOrder, changed, type Changes } from '../an-order.ts';
import { until } from '../../system/until.ts';
import { createControlActivities } from '../../activities/control/activities.ts';
import { Leases } from '../../activities/control/leases.ts';
import { auditLedger } from '../../client/dom0s/ledger.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import { openSession, type Session } from '../../client/session.ts';
import { findEndpoint } from '../../client/config.ts';
import { readProgress } from '../../client/guests/look.ts';
import { chooseDom0, placeOrder } from '../../client/guests/place.ts';
import { readNetwork } from '../../client/networks.ts';
import { DEFAULT_POLICY, type NetworkAccess } from '../../contract/capacity.ts';
import { DOM0_UPDATES, dom0WorkflowId, QUERIES } from '../../contract/names.ts';
import { amountsOf, xenMemoryOf } from '../../contract/overhead.ts';
import type { Dom0Facts, Dom0State, MarkedThing, LeasedAddress, ReserveRequest } from '../../contract/dom0.ts';
import type { GuestOrder, UnplacedOrder } from '../../contract/guest.ts';
import { macFrom } from '../../workflows/capacity/lease-addresses.ts';
import { DOM0, startServer, withWorkers, type AnyActivities } from './temporal.ts';

const GiB = 2 ** 30;
const CIDR = '198.51.100.0/24';

/** What a PV guest of one GiB takes of its dom0's memory. */
const EACH = xenMemoryOf(amountsOf(anOrder('any', '', { size: { memoryBytes: GiB } })));

/** A dom0 with room for so many guests of one GiB. */
function facts(host: string, guests: number): Dom0Facts {
  return {
    host,
    seenAt: '2026-01-01T00:00:00.000Z',
    xenVersion: '4.17.7',
    memoryBytes: guests * EACH,
    memoryFreeBytes: guests * EACH,
    cpus: 512,
    pools: [{ name: 'vg01', sizeBytes: 2 ** 50, freeBytes: 2 ** 50 }],
    imageDirFreeBytes: GiB,
    network: { cidr: CIDR, gateway: '198.51.100.1', bridge: 'xenbr0' },
    addresses: [],
    workerVersion: '0.1.0',
    domains: [],
    policy: DEFAULT_POLICY,
  };
}

function order(name: string, changes: Changes<GuestOrder> = {}): GuestOrder {
  return changed(anOrder(name, '', { size: { memoryBytes: GiB, diskBytes: GiB } }), changes);
}

let environment: TestWorkflowEnvironment;
let session: Session;
let activities: ReturnType<typeof createControlActivities>;
let finish = (): void => undefined;
let workers: Promise<void>;

/** Visibility may be a moment behind. */
async function untilCounted(type: string, wanted: number): Promise<void> {
  const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Running'`;
  await until(async () => (await environment.client.workflow.count(query)).count === wanted, { everyMs: 100 });
}

beforeAll(async () => {
  environment = await startServer();
  const end = new Promise<void>((resolve) => {
    finish = resolve;
  });
  activities = createControlActivities(environment.client);
  const looks: AnyActivities = { dom0Facts: () => Promise.resolve(seen), audit: () => Promise.resolve(things) };
  workers = withWorkers(environment, { ...(activities as unknown as AnyActivities), ...looks }, () => end);
  session = await openSession(await findEndpoint({ address: environment.address }));
  for (const [host, guests] of [
    ['dom0-a', 20],
    ['dom0-b', 50],
    ['dom0-c', 30],
  ] as const)
    await registerDom0(environment.client, facts(host, guests));
  await untilCounted('dom0', 3);
});
afterAll(async () => {
  await session.close();
  finish();
  await workers;
  await environment.teardown();
});

/** What the steps of the dom0 that is served find there. */
let seen = facts(DOM0, 10);
let things: MarkedThing[] = [];

async function ledger(host: string): Promise<Dom0State> {
  return environment.client.workflow.getHandle(dom0WorkflowId(host)).query<Dom0State>(QUERIES.ledger);
}

describe('200 orders at once for 100 places', () => {
  const names = Array.from({ length: 200 }, (_value, index) => `shop${String(index)}`);
  let hosts: (string | Error)[] = [];

  it('sell exactly 100; the others are told what is short and by how much, before any work', async () => {
    hosts = await Promise.all(names.map((name) => chooseDom0(session, order(name)).catch((error: unknown) => error as Error)));
    const sold = hosts.filter((host) => typeof host === 'string');
    const refused = hosts.filter((host) => typeof host !== 'string');
    expect(
      refused
        .map((error) => error.message)
        .filter(
          (message) =>
            !/no dom0 can take guest shop\d+: .*memory is 1\.0 GiB short \(1 GiB asked for and 2 MiB that Xen needs for it, nothing free of [\d.]+ GiB\)/.test(
              message,
            ),
        ),
    ).toEqual([]);
    expect(sold).toHaveLength(100);
    const ledgers = await Promise.all(['dom0-a', 'dom0-b', 'dom0-c'].map(ledger));
    expect(ledgers.map(({ promised }) => promised.length)).toEqual([20, 50, 30]);
  });

  it('each asked again gets the dom0 that it had', async () => {
    const index = hosts.findIndex((host) => typeof host === 'string');
    expect(await chooseDom0(session, order(names[index] ?? ''))).toBe(hosts[index]);
  });

  it('lease 100 addresses, none of them twice, however often each is asked for; released, the ledgers are as before', async () => {
    const sold = names
      .map((name, index) => ({ name, dom0: hosts[index] }))
      .filter((one): one is { name: string; dom0: string } => typeof one.dom0 === 'string');
    const leases = await Promise.all(
      sold.flatMap(({ name, dom0 }) => [activities.reserve(order(name, { dom0 })), activities.reserve(order(name, { dom0 }))]),
    );
    const byGuest = new Map<string, Set<string>>();
    leases.forEach(({ ip, mac }: LeasedAddress, index) => {
      const { name } = sold[Math.floor(index / 2)] ?? { name: '' };
      byGuest.set(name, (byGuest.get(name) ?? new Set()).add(`${ip} ${mac}`));
    });
    expect([...byGuest.values()].every((held) => held.size === 1)).toBe(true);
    expect(new Set(leases.map(({ ip }) => ip)).size).toBe(100);
    expect(new Set(leases.map(({ mac }) => mac)).size).toBe(100);
    await Promise.all(sold.map(({ name, dom0 }) => activities.release({ name, order: `order-${name}`, dom0 })));
    expect((await ledger('dom0-b')).promised).toEqual([]);
    expect(await readNetwork(session, CIDR)).toMatchObject({ leases: [], quarantined: { length: 100 } });
  });
});

describe('an order', () => {
  it('goes to the fullest dom0 that it fits on, or to the emptiest, as asked; and where no other of the customer’s is', async () => {
    expect(await chooseDom0(session, order('fit', { customer: 'c1' }))).toBe('dom0-a');
    expect(await chooseDom0(session, order('spread'), { strategy: 'spread' })).toBe('dom0-b');
    expect(await chooseDom0(session, order('apart', { customer: 'c1' }), { apart: true })).toBe('dom0-c');
    expect(await chooseDom0(session, order('large', { size: { memoryBytes: 40 * GiB } }))).toBe('dom0-b');
  });

  it('whose address answers before use gets another one, and the first is marked', async () => {
    const document = order('probed', { dom0: 'dom0-a' });
    const first = await activities.reserve(document);
    const second = await activities.nextAddress({ order: document, ip: first.ip });
    expect(second.ip).not.toBe(first.ip);
    expect(await activities.nextAddress({ order: document, ip: first.ip })).toEqual(second);
    expect((await readNetwork(session, CIDR)).taken).toMatchObject([{ ip: first.ip, dom0: 'dom0-a' }]);
  });

  it('gets a MAC that no network has given, and may not name one that another has', async () => {
    const [first, second] = ['10.77.1.0/24', '10.77.2.0/24'].map((cidr) => ({
      cidr,
      gateway: cidr.replace('0/24', '1'),
      bridge: 'xenbr0',
    })) as [NetworkAccess, NetworkAccess];
    const leases = new Leases(environment.client);
    await leases.lease(order('elsewhere'), [first]);
    const { mac } = await leases.lease(order('holder', { network: { mac: macFrom('wanted/0') } }), [second]);
    await untilCounted('network', 3);
    expect(mac).toBe(macFrom('wanted/0'));
    const looking = new Leases(environment.client);
    expect((await looking.lease(order('wanted'), [first])).mac).toBe(macFrom(`wanted/${macFrom('wanted/0')}/0`));
    await expect(looking.lease(order('named-mac', { network: { mac: macFrom('wanted/0') } }), [first])).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('holder has it, in another network') as string,
    });
  });

  it('is reserved once on its way, whether placement chose its dom0 or it named one; and anew when an audit has freed it meanwhile', async () => {
    const reservations = async (host: string, guest: string): Promise<number> => {
      const { events } = await environment.client.workflow.getHandle(dom0WorkflowId(host)).fetchHistory();
      const taken = (events ?? []).map((event) => event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input);
      return taken.filter((input) => {
        const [payload] = input?.name === DOM0_UPDATES.reserve ? (input.args?.payloads ?? []) : [];
        return payload !== undefined && defaultPayloadConverter.fromPayload<ReserveRequest>(payload).guest === guest;
      }).length;
    };
    const provisioned = async (document: UnplacedOrder): Promise<string> => {
      const { name, dom0 } = await placeOrder(session, document);
      const reserved = async (): Promise<unknown> => (await readProgress(session, name)).operation?.steps[0]?.state;
      await vi.waitFor(async () => expect(await reserved()).toBe('done'), { timeout: 60_000, interval: 200 });
      return dom0;
    };
    const { dom0: _any, ...unplaced } = order('chosen');
    expect(await reservations(await provisioned(unplaced), 'chosen')).toBe(1);
    expect(await reservations(await provisioned(order('says-where', { dom0: 'dom0-b' })), 'says-where')).toBe(1);
    const late = order('late-comer', { dom0: await chooseDom0(session, order('late-comer')) });
    await activities.release({ name: late.name, order: late.order, dom0: late.dom0 });
    await provisioned(late);
    expect(await reservations(late.dom0, late.name)).toBe(2);
    expect((await ledger(late.dom0)).promised.map(({ guest }) => guest)).toContain(late.name);
  });

  it('is not placed on a dom0 that is drained, and says so when all are', async () => {
    for (const host of ['dom0-a', 'dom0-b', 'dom0-c'])
      await environment.client.workflow.getHandle(dom0WorkflowId(host)).executeUpdate(DOM0_UPDATES.drain, { args: [true] });
    await expect(chooseDom0(session, order('late'))).rejects.toMatchObject({
      type: 'NoCapacity',
      message: expect.stringContaining('dom0-b is drained') as string,
    });
  });
});

describe('an audit', () => {
  it('counts what was made by hand, names orphans, and keeps a promise that is young', async () => {
    await registerDom0(environment.client, seen);
    await activities.reserve(order('young', { dom0: DOM0 }));
    seen = {
      ...seen,
      addresses: [{ ip: '198.51.100.200', guest: 'byhand' }],
      holdings: [
        { what: 'domain byhand', memoryBytes: 4 * GiB, vcpus: 1, diskBytes: 0 },
        { what: 'guest lost', guest: 'lost', order: 'x', memoryBytes: 0, vcpus: 0, diskBytes: GiB },
      ],
    };
    things = [{ what: 'volume vg01/lost-root', guest: 'lost', order: 'x' }];
    expect(await auditLedger(session, DOM0)).toMatchObject({
      freed: [],
      adopted: [],
      byHand: ['domain byhand'],
      orphans: [{ guest: 'lost', order: 'x', reason: 'there is no workflow of that name' }],
    });
    await expect(activities.reserve(order('large', { dom0: DOM0, size: { memoryBytes: 6 * GiB } }))).rejects.toMatchObject({
      type: 'NoCapacity',
      message: expect.stringContaining('memory is 1008 MiB short') as string,
    });
    // A dom0 that has just registered is listed a moment later.
    await vi.waitFor(
      () =>
        expect(chooseDom0(session, order('large2', { size: { memoryBytes: 60 * GiB } }))).rejects.toMatchObject({
          type: 'NoCapacity',
          message: expect.stringContaining(
            'dom0 xen1 cannot take large2: memory is 55.0 GiB short (60 GiB asked for and 2 MiB that Xen needs for it, 5.0 GiB free of 10.0 GiB)',
          ) as string,
        }),
      { timeout: 20_000, interval: 500 },
    );
    await expect(activities.reserve(order('named', { dom0: DOM0, network: { ip: '198.51.100.200' } }))).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('byhand on dom0 xen1 has it') as string,
    });
  });

  it('that cannot look says so, and changes nothing', async () => {
    await expect(auditLedger(session, 'nowhere')).rejects.toMatchObject({ type: 'NotFound' });
    const before = await ledger(DOM0);
    seen = undefined as never;
    const { problem } = await auditLedger(session, DOM0);
    expect(problem).toContain('it could not look');
    expect((await ledger(DOM0)).promised).toEqual(before.promised);
  });
});
