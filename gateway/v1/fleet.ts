/** What can be sold: the plans, and what of each dom0 is sold and left. */
import type { NetworkState } from '../../contract/capacity.ts';
import { defined } from '../../contract/defined.ts';
import { countFree } from '../../contract/network-addresses.ts';
import type { Dom0Look } from '../../client/dom0s/fleet.ts';
import { roomOf, type Plan } from '../../order/plans.ts';
import { jsonResponse } from '../../system/http/problem.ts';
import { declare } from './declaration.ts';
import type { FleetLook } from './guest-api.ts';
import { capacitySchema, planListSchema, type CapacityDocument, type PlanDocument } from './answers.ts';

const plans = declare({
  method: 'GET',
  path: '/v1/plans',
  operationId: 'listPlans',
  summary: 'The plans that can be ordered',
  scope: 'plans:read',
  about: 'plans',
  gives: { 200: ['PlanList', 'The plans, in the order of their file. An order that names none gets the first one.'] },
  answer: (_call, { plans: known }) =>
    Promise.resolve(jsonResponse(200, planListSchema.parse({ plans: [...known].map(([name, plan]) => planOf(name, plan)) }))),
});

const capacity = declare({
  method: 'GET',
  path: '/v1/capacity',
  operationId: 'getCapacity',
  summary: 'What of each dom0 is sold and left',
  scope: 'fleet:read',
  about: 'fleet',
  gives: { 200: ['Capacity', 'Each dom0 and each network, by name. At most a second old.'] },
  answer: async (_call, { guests }) => jsonResponse(200, toCapacity(await guests.fleet(), new Date().toISOString())),
});

export const FLEET_ROUTES = [plans, capacity];

function planOf(name: string, plan: Plan): PlanDocument {
  const { memory: memoryBytes, vcpus, disk: diskBytes, swap: swapBytes, type, dist, graceDays, rate } = plan;
  return {
    name,
    memoryBytes,
    vcpus,
    ...roomOf(plan, { memoryBytes, vcpus }),
    ...defined({ rate }),
    diskBytes,
    swapBytes,
    type,
    dist,
    graceDays,
  };
}

/** What is shown of a fleet: names, sums and counts; no guest, no order, no address. */
function toCapacity({ dom0s, networks }: FleetLook, now: string): CapacityDocument {
  const free = new Map(networks.map((network) => [network.cidr, countFree(network, now)]));
  const byName = <T>(rows: readonly T[], nameOf: (row: T) => string): T[] => rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return capacitySchema.parse({
    dom0s: byName(dom0s, ({ capacity: { host } }) => host).map((look) => dom0Of(look, networks, free)),
    networks: byName(networks, ({ cidr }) => cidr).map(({ cidr, members, leases }) => ({
      cidr,
      dom0s: members.map(({ dom0 }) => dom0).sort(),
      leased: leases.length,
      free: free.get(cidr),
    })),
  });
}

function dom0Of(
  { capacity: { host, promised: sold, free: left, pools, ...told }, isServed }: Dom0Look,
  networks: readonly NetworkState[],
  freeOf: ReadonlyMap<string, number>,
): object {
  const mine = networks.filter(({ members }) => members.some(({ dom0 }) => dom0 === host)).map(({ cidr }) => cidr);
  return {
    ...told,
    dom0: host,
    isServed,
    sold,
    ...defined({ left, pools: pools?.map(({ freeBytes: leftBytes, ...pool }) => ({ ...pool, leftBytes })) }),
    networks: mine.toSorted(),
    freeAddresses: mine.reduce((sum, cidr) => sum + (freeOf.get(cidr) ?? 0), 0),
  };
}
