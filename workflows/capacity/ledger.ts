/** What a dom0 has to sell, and what is reserved for whom. Pure, so that it can be tested as a table. */
import { DEFAULT_POLICY, type Amounts, type Capacity, type Holding, type PoolCapacity, type PoolFacts } from '../../contract/capacity.ts';
import { GOLDEN, type Dom0Facts, type Dom0State, type ReserveRequest } from '../../contract/dom0.ts';
import { xenMemoryOf } from '../../contract/overhead.ts';
import { shortageOf } from '../../contract/shortage.ts';
import { MiB } from '../../contract/sizes.ts';
import { defined } from '../../contract/defined.ts';

/** A refusal: type, message and field, for an ApplicationFailure. */
export interface LedgerRefusal {
  readonly type: 'InvalidInput' | 'NoCapacity' | 'HostNotReady' | 'NotOurs';
  readonly message: string;
  readonly field: string;
}

export type Reservation = Dom0State['promised'][number];

/** Reserves for an order its part of the dom0, or says why not. The same order gets what it has. */
export function reserve(state: Dom0State, request: ReserveRequest, now: string): { readonly reservation: Reservation } | LedgerRefusal {
  if (state.lost !== undefined && request.restores !== true)
    return { type: 'HostNotReady', message: whyLost(state.host, state.lost), field: 'dom0' };
  if (state.facts === undefined)
    return { type: 'HostNotReady', message: `dom0 ${state.host} has not said yet what it has: is its worker running?`, field: 'dom0' };
  const own = state.promised.find((reservation) => reservation.guest === request.guest);
  if (own !== undefined && own.order !== request.order)
    return { type: 'NotOurs', message: `the name ${request.guest} is reserved for order ${own.order}`, field: 'name' };
  if (own !== undefined) return request.restores === true ? { reservation: withAmounts(own, request) } : changed(state, own, request);
  if (state.drained) return { type: 'NoCapacity', message: `dom0 ${state.host} is drained: it takes no new guests`, field: 'dom0' };
  const refusal = planRefusal(state, request) ?? customerRefusal(state, request) ?? poolRefusal(state, request) ?? shortage(state, request);
  if (refusal !== undefined) return refusal;
  const { apart: _asked, restores: _restored, ...taken } = request;
  return { reservation: { ...taken, since: now } };
}

/** Why nothing is done on a dom0 that is lost. */
export function whyLost(host: string, since: string): string {
  return `dom0 ${host} was declared lost at ${since}: nothing is done on it unless somebody says "guestflow dom0 found ${host}"`;
}

/** Whether an order has reserved exactly what it asks for. */
export function isReserved({ promised, lost }: Dom0State, request: ReserveRequest): boolean {
  if (lost !== undefined) return false;
  const own = promised.find(({ guest, order }) => guest === request.guest && order === request.order);
  return own !== undefined && RESERVED_KEYS.every((key) => own[key] === request[key]);
}

const RESERVED_KEYS = ['plan', 'memoryBytes', 'overheadBytes', 'vcpus', 'diskBytes'] as const;

/** Changes a guest's reservation. If there is no room for that, the guest keeps what it had. */
function changed(state: Dom0State, own: Reservation, request: ReserveRequest): { readonly reservation: Reservation } | LedgerRefusal {
  const others = { ...state, promised: state.promised.filter((reservation) => reservation !== own) };
  const isMore = xenMemoryOf(request) > xenMemoryOf(own) || request.diskBytes > own.diskBytes || request.vcpus > own.vcpus;
  const refusal = (request.plan === own.plan ? undefined : planRefusal(state, request)) ?? (isMore ? shortage(others, request) : undefined);
  return refusal ?? { reservation: withAmounts(own, request) };
}

function withAmounts({ overheadBytes: _former, ...own }: Reservation, request: ReserveRequest): Reservation {
  const { memoryBytes, overheadBytes, vcpus, diskBytes, plan } = request;
  const more = { ...defined({ overheadBytes, plan }) };
  return { ...own, memoryBytes, vcpus, diskBytes, ...more };
}

/** The ledger without this order's reservation. What the guest had on the dom0 was removed before this: it stops counting now, not at the next audit. */
export function released(state: Dom0State, { guest, order }: { guest: string; order: string }): Dom0State {
  const isOthers = (one: { readonly guest?: string; readonly order?: string }): boolean => one.guest !== guest || one.order !== order;
  const { facts } = state;
  const known = facts?.holdings === undefined ? {} : { facts: { ...facts, holdings: facts.holdings.filter(isOthers) } };
  return { ...state, ...known, promised: state.promised.filter(isOthers) };
}

function planRefusal({ host, facts }: Dom0State, { guest, plan }: ReserveRequest): LedgerRefusal | undefined {
  const plans = facts?.policy?.plans;
  if (plans === undefined || plan === undefined || plans.includes(plan)) return undefined;
  return {
    type: 'NoCapacity',
    message: `dom0 ${host} takes no guests of plan ${plan}, which ${guest} is: only of ${plans.join(', ')}`,
    field: 'plan',
  };
}

function customerRefusal({ host, promised }: Dom0State, { guest, customer, apart }: ReserveRequest): LedgerRefusal | undefined {
  const other = apart === true && customer !== undefined ? promised.find((reservation) => reservation.customer === customer) : undefined;
  return other === undefined
    ? undefined
    : {
        type: 'NoCapacity',
        message: `dom0 ${host} has ${other.guest} of the same customer, and ${guest} was asked to be elsewhere`,
        field: 'customer',
      };
}

function poolRefusal({ host, facts }: Dom0State, { pool }: ReserveRequest): LedgerRefusal | undefined {
  if (pool === undefined || facts?.pools.some(({ name }) => name === pool) === true) return undefined;
  const there = facts?.pools.map(({ name }) => name).join(', ') ?? '';
  return { type: 'HostNotReady', message: `dom0 ${host} has no pool ${pool}: it has ${there === '' ? 'none' : there}`, field: 'pool' };
}

/** The pool of this name; without a name, the first. */
function poolOf({ pools }: Dom0Facts, name: string | undefined): PoolFacts | undefined {
  return name === undefined ? pools[0] : pools.find((pool) => pool.name === name);
}

/** What may be sold in all, by the policy. It excludes what dom0 and Xen take for themselves; what Xen takes for a guest is sold with the guest. */
export function sellableOf(facts: Dom0Facts, pool?: string): Amounts {
  const { oversell, reserve: kept } = facts.policy ?? DEFAULT_POLICY;
  const domains = facts.domains.reduce((sum, { memoryMiB }) => sum + memoryMiB * MiB, 0);
  const dom0 = facts.domains.filter(({ id }) => id === 0).reduce((sum, { memoryMiB }) => sum + memoryMiB * MiB, 0);
  const forGuests = (facts.holdings ?? []).reduce((sum, { overheadBytes = 0 }) => sum + overheadBytes, 0);
  const xen = Math.max(0, facts.memoryBytes - facts.memoryFreeBytes - domains - forGuests);
  const times = (ratio: number, amount: number): number => Math.floor(ratio * Math.max(0, amount));
  return {
    memoryBytes: times(oversell.memory, facts.memoryBytes - dom0 - xen - kept.memoryBytes),
    vcpus: times(oversell.vcpus, facts.cpus),
    diskBytes: times(oversell.disk, (poolOf(facts, pool)?.sizeBytes ?? 0) - kept.diskBytes),
  };
}

type Placed = Amounts & { readonly pool?: string };

/** The sum of what they take. Disk counts only in this pool; an entry that names no pool is in the first one. */
function sumOf(all: readonly Placed[], pool: string | undefined, first: string | undefined): Amounts {
  const sum = (of: (amounts: Placed) => number): number => all.reduce((total, amounts) => total + of(amounts), 0);
  return {
    memoryBytes: sum(xenMemoryOf),
    vcpus: sum(({ vcpus }) => vcpus),
    diskBytes: sum((amounts) => ((amounts.pool ?? first) === (pool ?? first) ? amounts.diskBytes : 0)),
  };
}

/** What is on the dom0 without a reservation: made by hand, or an orphan. */
export function unreserved({ facts, promised }: Pick<Dom0State, 'facts' | 'promised'>): readonly Holding[] {
  const owners = new Set(promised.map(({ guest, order }) => `${guest} ${order}`));
  return (facts?.holdings ?? []).filter(({ guest = '', order = '' }) => !owners.has(`${guest} ${order}`));
}

/** What the dom0 has to sell, has sold, and has left. Disk counts in this pool; default: the first. */
export function capacityOf(state: Dom0State, pool?: string): Capacity {
  const { host, drained, lost, facts } = state;
  const first = facts?.pools[0]?.name;
  const promised = sumOf(state.promised, pool, first);
  const byHand = sumOf(unreserved(state), pool, first);
  const plans = facts?.policy?.plans;
  const golden = { golden: facts?.golden, notRenewed: state.notRenewed };
  const known = { host, drained, promised, byHand, guests: state.promised.length, ...defined({ plans, lost, ...golden }) };
  if (facts === undefined) return known;
  const sellable = sellableOf(facts, pool);
  const free = {
    memoryBytes: sellable.memoryBytes - promised.memoryBytes - byHand.memoryBytes,
    vcpus: sellable.vcpus - promised.vcpus - byHand.vcpus,
    diskBytes: sellable.diskBytes - promised.diskBytes - byHand.diskBytes,
  };
  return { ...known, sellable, free, pools: poolsOf(state, facts), cpus: facts.cpus };
}

function poolsOf(state: Dom0State, facts: Dom0Facts): PoolCapacity[] {
  const first = facts.pools[0]?.name;
  return facts.pools.map(({ name, ...pool }) => {
    const sellableBytes = sellableOf(facts, name).diskBytes;
    const taken = [...state.promised, ...unreserved(state)];
    return {
      name,
      sellableBytes,
      freeBytes: sellableBytes - sumOf(taken, name, first).diskBytes,
      ...defined({ filledShare: filledOf(pool) }),
    };
  });
}

function filledOf({ sizeBytes, freeBytes, thin }: Omit<PoolFacts, 'name'>): number | undefined {
  return thin === undefined ? undefined : Math.max(sizeBytes === 0 ? 1 : 1 - freeBytes / sizeBytes, thin.metadataShare);
}

/** The trial of a golden image ends as soon as an order comes. */
function givesWay(guest: string | undefined): boolean {
  return guest?.startsWith(GOLDEN) === true;
}

/** All that is short, and by how much, in one message. What the order already has on the dom0, from before the ledger knew it, is not counted against it. */
function shortage(state: Dom0State, request: ReserveRequest): LedgerRefusal | undefined {
  const holdings = (state.facts?.holdings ?? []).filter(
    ({ guest, order }) => (guest !== request.guest || order !== request.order) && !givesWay(guest),
  );
  const promised = state.promised.filter(({ guest }) => !givesWay(guest));
  const others = { ...state, promised, ...(state.facts === undefined ? {} : { facts: { ...state.facts, holdings } }) };
  const short = shortageOf(capacityOf(others, request.pool), request);
  return short === undefined ? undefined : { type: 'NoCapacity', ...short };
}
