/** Guests for `/v1` without a Temporal. */
import { GuestflowError } from '../../../contract/errors.ts';
import type { UnplacedOrder } from '../../../order/order.ts';
import type { GuestSpec, GuestStatus, OperationRequest } from '../../../contract/guest.ts';
import type { OperationOutcome } from '../../../contract/billing.ts';
import type { GuestApi } from '../../../gateway/v1/guest-api.ts';

export interface FakeGuests extends GuestApi {
  readonly orders: UnplacedOrder[];
  readonly requests: OperationRequest[];
}

export const HASH = '$6$planted$hash';

export function fakeGuests(): FakeGuests {
  const orders: UnplacedOrder[] = [];
  const requests: OperationRequest[] = [];
  const outcomes = new Map<string, OperationOutcome>();
  const find = (name: string): UnplacedOrder => {
    const order = orders.find((known) => known.name === name);
    if (order === undefined) throw new GuestflowError('NotFound', `there is no guest ${name}`);
    return order;
  };
  return {
    orders,
    requests,
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
        ...(order.hostname === undefined ? {} : { hostname: order.hostname }),
        order: order.order,
        plan: order.plan,
        dom0: 'xen1',
        phase: 'running',
        orderedAt: '2026-01-01T00:00:00.000Z',
        spec,
        queued: [],
        warnings: [],
        backups: [],
        leftovers: [],
      };
      return Promise.resolve(status);
    },
    list: ({ limit, cursor }) => {
      const from = cursor === undefined ? 0 : Number(Buffer.from(cursor, 'base64url').toString());
      const guests = orders
        .slice(from, from + limit)
        .map(({ name, order, plan }) => ({ name, order, plan, dom0: 'xen1', phase: 'running', orderedAt: '2026-01-01T00:00:00.000Z' }));
      return Promise.resolve({
        guests,
        ...(from + limit < orders.length ? { next: Buffer.from(String(from + limit)).toString('base64url') } : {}),
      });
    },
    operate: (name, request) => {
      find(name);
      const outcome =
        outcomes.get(request.id) ??
        (request.kind === 'suspend'
          ? { state: 'done' as const, result: { kind: request.kind, phase: 'suspended' as const } }
          : { state: 'pending' as const });
      if (!outcomes.has(request.id)) requests.push(request);
      outcomes.set(request.id, outcome);
      return Promise.resolve(outcome);
    },
    operations: (name) =>
      Promise.resolve(requests.map(({ kind, id }) => ({ id: `${kind}.${id}`, guest: name, kind, state: 'pending' as const }))),
    operation: (name, kind, id) => Promise.resolve({ id: `${kind}.${id}`, guest: name, kind, state: 'done' as const }),
  };
}
