/** Guests for `/v1` without a Temporal. */
import { GuestflowError } from '../../../contract/errors.ts';
import type { UnplacedOrder } from '../../../order/order.ts';
import type { BackupRecord } from '../../../contract/backup.ts';
import type { GuestSpec, GuestStatus } from '../../../contract/guest.ts';
import type { OperationRequest } from '../../../contract/guest-requests.ts';
import type { GuestUsage } from '../../../contract/usage.ts';
import type { OperationOutcome } from '../../../contract/billing.ts';
import type { Amounts } from '../../../contract/capacity.ts';
import type { FleetLook, GuestApi } from '../../../gateway/v1/guest-api.ts';

export interface FakeGuests extends GuestApi {
  readonly orders: UnplacedOrder[];
  readonly requests: OperationRequest[];
  /** What a guest's state is, beside what its order makes it. */
  readonly changes: Map<string, Partial<GuestStatus>>;
  /** What is done when a console is asked for. */
  readonly consoles: { open: GuestApi['openConsole'] };
  /** What is done when a backup is to be opened. */
  readonly files: { open: GuestApi['openFiles'] };
}

export const HASH = '$6$planted$hash';

/** A guest of these has two backups; the first one is proven. */
export const BACKUPS: readonly BackupRecord[] = ['20260101T020000Z', '20260102T020000Z'].map((id, index) => ({
  id,
  guest: 'guest1',
  takenAt: `2026-01-0${index + 1}T02:00:00.000Z`,
  repository: '/planted/path',
  key: `guest1/${id}.img.zst`,
  bytes: 1_000,
  dumpedBytes: 2_000,
  sha256: 'a'.repeat(64),
  engine: 'blocks',
  seconds: 1,
  consistency: 'crash',
  ...(index === 0
    ? { state: 'proven', proof: { at: '2026-01-03T00:00:00.000Z', seconds: 40, outcome: 'proven', what: 'guest1 login:' } }
    : { state: 'verified', warnings: ['a warning'] }),
}));

/** What each of these guests has used. */
export const USAGE: GuestUsage = {
  since: '2025-12-24T12:00:00.000Z',
  months: [
    { month: '2026-01', inBytes: 3 * 2 ** 30, outBytes: 12 * 2 ** 30 },
    { month: '2025-12', inBytes: 2 ** 20, outBytes: 6 * 2 ** 30 },
  ],
  diskBytes: 9 * 2 ** 30,
  memoryBytes: 2 ** 29,
  vcpus: 1,
};

const amounts = (vcpus: number): Amounts => ({ memoryBytes: vcpus * 2 ** 30, vcpus, diskBytes: vcpus * 2 ** 33 });

/** One dom0 that works, and one that has only registered its name. */
const FLEET: FleetLook = {
  dom0s: [
    {
      isServed: false,
      waiting: { short: 0, bulk: 0 },
      capacity: { host: 'xen2', drained: true, plans: ['small'], guests: 0, promised: amounts(0), byHand: amounts(0) },
    },
    {
      isServed: true,
      waiting: { short: 0, bulk: 0 },
      capacity: {
        host: 'xen1',
        drained: false,
        guests: 1,
        cpus: 8,
        sellable: amounts(8),
        promised: amounts(3),
        byHand: amounts(1),
        free: amounts(4),
        pools: [{ name: 'vg01', sellableBytes: 2 ** 36, freeBytes: 2 ** 35 }],
      },
    },
  ],
  networks: [
    {
      cidr: '192.0.2.0/29',
      settings: { gateway: '192.0.2.1', ranges: [], exclude: [], quarantineSeconds: 900 },
      members: [{ dom0: 'xen1', bridge: 'xenbr0', exclude: [], addresses: [{ ip: '192.0.2.3', guest: 'planted-by-hand' }] }],
      leases: [
        { guest: 'planted-guest', order: 'planted-order', ip: '192.0.2.2', mac: '00:16:3E:00:00:01', since: '2026-01-01T00:00:00.000Z' },
      ],
      quarantined: [],
      taken: [],
    },
  ],
};

/** Its disk does not become smaller than this. */
const LEAST_BYTES = 2 ** 30 + 2 ** 22;

function outcomeOf({ kind, resize }: OperationRequest): OperationOutcome {
  if (resize !== undefined && resize.diskBytes < LEAST_BYTES)
    return { state: 'failed', type: 'InvalidInput', message: 'what is on the disk does not fit', field: 'disk' };
  return kind === 'suspend' ? { state: 'done', result: { kind, phase: 'suspended' } } : { state: 'pending' };
}

export function fakeGuests(): FakeGuests {
  const orders: UnplacedOrder[] = [];
  const requests: OperationRequest[] = [];
  const changes = new Map<string, Partial<GuestStatus>>();
  const consoles: FakeGuests['consoles'] = { open: () => Promise.resolve() };
  const files: FakeGuests['files'] = { open: () => Promise.resolve() };
  const outcomes = new Map<string, OperationOutcome>();
  const find = (name: string): UnplacedOrder => {
    const order = orders.find((known) => known.name === name);
    if (order === undefined) throw new GuestflowError('NotFound', `there is no guest ${name}`);
    return order;
  };
  return {
    orders,
    requests,
    changes,
    order: (order) => {
      const known = orders.find(({ name }) => name === order.name);
      if (known !== undefined && known.plan !== order.plan)
        return Promise.reject(new GuestflowError('InvalidInput', 'given before with another content', { field: 'order' }));
      if (known === undefined) orders.push(order);
      return Promise.resolve({ guest: order.name, order: order.order, dom0: 'xen1' });
    },
    status: (name) => {
      const order = find(name);
      const spec = {
        ...order,
        access: { ...order.access, passwordHash: HASH },
        dom0: 'xen1',
        network: { ip: '192.0.2.10' },
      } as unknown as GuestSpec;
      const status: GuestStatus = {
        name,
        ...(order.customer === undefined ? {} : { customer: order.customer }),
        ...(order.hostname === undefined ? {} : { hostname: order.hostname }),
        order: order.order,
        plan: order.plan,
        dom0: 'xen1',
        phase: 'running',
        orderedAt: '2026-01-01T00:00:00.000Z',
        spec,
        queued: [],
        warnings: [],
        backups: BACKUPS,
        leftovers: [],
        ...changes.get(name),
      };
      return Promise.resolve(status);
    },
    usage: (name) => {
      find(name);
      return Promise.resolve(USAGE);
    },
    isOf: (name, customer) => Promise.resolve(orders.some((order) => order.name === name && order.customer === customer)),
    list: ({ limit, cursor, customer, guest }) => {
      const wanted = orders.filter(
        (order) => (customer === undefined || order.customer === customer) && (guest === undefined || order.name === guest),
      );
      const from = cursor === undefined ? 0 : Number(Buffer.from(cursor, 'base64url').toString());
      const guests = wanted
        .slice(from, from + limit)
        .map(({ name, order, plan }) => ({ name, order, plan, dom0: 'xen1', phase: 'running', orderedAt: '2026-01-01T00:00:00.000Z' }));
      return Promise.resolve({
        guests,
        ...(from + limit < wanted.length ? { next: Buffer.from(String(from + limit)).toString('base64url') } : {}),
      });
    },
    operate: (name, request) => {
      find(name);
      const outcome = outcomes.get(request.id) ?? outcomeOf(request);
      if (!outcomes.has(request.id)) requests.push(request);
      outcomes.set(request.id, outcome);
      return Promise.resolve(outcome);
    },
    operations: (name) =>
      Promise.resolve(requests.map(({ kind, id }) => ({ id: `${kind}.${id}`, guest: name, kind, state: 'pending' as const }))),
    operation: (name, kind, id) => Promise.resolve({ id: `${kind}.${id}`, guest: name, kind, state: 'done' as const }),
    cancel: (name) => {
      find(name);
      return Promise.resolve(requests.at(-1)?.kind);
    },
    openConsole: (name, console) => {
      find(name);
      return consoles.open(name, console);
    },
    openFiles: (name, wish) => files.open(name, wish),
    consoles,
    files,
    fleet: () => Promise.resolve(FLEET),
  };
}
