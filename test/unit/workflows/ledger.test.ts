/** What the ledger of a dom0 promises, as a table and as properties. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY, type Amounts, type Capacity, type Dom0Policy, type Holding, type NotRenewed } from '../../../contract/capacity.ts';
import type { Dom0Facts, Dom0State, ReserveRequest } from '../../../contract/dom0.ts';
import type { GoldenRenewal } from '../../../contract/golden.ts';
import { afterRenewal } from '../../../workflows/capacity/not-renewed.ts';
import { capacityOf, isReserved, released, reserve, sellableOf } from '../../../workflows/capacity/ledger.ts';

const GiB = 2 ** 30;
const NOW = '2026-01-01T00:00:00.000Z';

function facts(changes: Partial<Dom0Facts> = {}): Dom0Facts {
  return {
    host: 'xen1',
    seenAt: NOW,
    xenVersion: '4.17.7',
    memoryBytes: 18 * GiB,
    memoryFreeBytes: 15 * GiB,
    cpus: 4,
    pools: [{ name: 'vg01', sizeBytes: 101 * GiB, freeBytes: 101 * GiB }],
    imageDirFreeBytes: GiB,
    network: { cidr: '192.0.2.0/24', gateway: '192.0.2.1', bridge: 'xenbr0' },
    addresses: [],
    workerVersion: '0.1.0',
    domains: [{ name: 'Domain-0', id: 0, memoryMiB: 2048, vcpus: 2, state: 'running', cpuSeconds: 1 }],
    ...changes,
  };
}

function state(changes: Partial<Dom0State> = {}): Dom0State {
  return { host: 'xen1', facts: facts(), drained: false, promised: [], ...changes };
}

function request(guest: string, changes: Partial<ReserveRequest> = {}): ReserveRequest {
  return { guest, order: `order-${guest}`, plan: 'small', memoryBytes: GiB, vcpus: 1, diskBytes: 10 * GiB, ...changes };
}

function hand(what: string, changes: Partial<Amounts>): Holding {
  return { what, memoryBytes: 0, vcpus: 0, diskBytes: 0, ...changes };
}

const policy = (changes: Partial<Dom0Policy>): Dom0Policy => ({ ...DEFAULT_POLICY, ...changes });

describe('what may be sold of a dom0', () => {
  it('is what it has without dom0, Xen and the reserve; vcpus four times', () => {
    // Of 18 GiB dom0 has 2, and 1 is Xen's: it is neither free nor a domain's. Of 101 GiB of disk 1 is kept for snapshots.
    expect(sellableOf(facts())).toEqual({ memoryBytes: 15 * GiB, vcpus: 16, diskBytes: 100 * GiB });
  });

  it.each<[string, Partial<Dom0Policy>, Amounts]>([
    ['a reserve', { reserve: { memoryBytes: 5 * GiB, diskBytes: 11 * GiB } }, { memoryBytes: 10 * GiB, vcpus: 16, diskBytes: 90 * GiB }],
    [
      'oversell ratios',
      { oversell: { vcpus: 2, memory: 1.5, disk: 3 }, reserve: { memoryBytes: 5 * GiB, diskBytes: GiB } },
      { memoryBytes: 15 * GiB, vcpus: 8, diskBytes: 300 * GiB },
    ],
    [
      'a reserve larger than all',
      { reserve: { memoryBytes: 99 * GiB, diskBytes: 999 * GiB } },
      { memoryBytes: 0, vcpus: 16, diskBytes: 0 },
    ],
  ])('follows the policy: %s', (_what, changes, expected) => {
    expect(sellableOf(facts({ policy: policy(changes) }))).toEqual(expected);
  });

  it('does not count a running guest as Xen’s own', () => {
    const guest = { name: 'g', id: 3, memoryMiB: 4096, vcpus: 1, state: 'running' as const, cpuSeconds: 1 };
    expect(sellableOf(facts({ memoryFreeBytes: 11 * GiB, domains: [...facts().domains, guest] })).memoryBytes).toBe(15 * GiB);
  });
});

describe('an order', () => {
  it.each<[string, Partial<ReserveRequest>, string, RegExp]>([
    ['memory', { memoryBytes: 16 * GiB }, 'memory', /memory is 1 GiB short \(16 GiB asked for, 15 GiB free of 15 GiB\)/],
    ['disk', { diskBytes: 110 * GiB }, 'disk', /disk is 10 GiB short/],
    ['vcpus', { vcpus: 18 }, 'vcpus', /vcpus is 2 short \(18 asked for, 16 free of 16\)/],
    ['two things', { memoryBytes: 16 * GiB, diskBytes: 110 * GiB }, 'memory', /memory is 1 GiB short .*; disk is 10 GiB short/],
  ])('that is too large is told what is short, by how much: %s', (_what, changes, field, message) => {
    expect(reserve(state(), request('web1', changes), NOW)).toMatchObject({
      type: 'NoCapacity',
      field,
      message: expect.stringMatching(message) as string,
    });
  });

  it('counts what was made by hand as used', () => {
    const used = state({
      facts: facts({
        holdings: [hand('domain old', { memoryBytes: 14 * GiB, vcpus: 2 }), hand('volume vg01/old', { diskBytes: 95 * GiB })],
      }),
    });
    expect(capacityOf(used)).toMatchObject({
      byHand: { memoryBytes: 14 * GiB, vcpus: 2, diskBytes: 95 * GiB },
      free: { memoryBytes: GiB, vcpus: 14, diskBytes: 5 * GiB },
    });
    expect(reserve(used, request('web1'), NOW)).toMatchObject({
      type: 'NoCapacity',
      field: 'disk',
      message: expect.stringContaining('5 GiB short') as string,
    });
  });

  it('counts an orphan as used, and a guest of the ledger once', () => {
    const own: Holding = { ...hand('guest web1', { memoryBytes: GiB, diskBytes: 10 * GiB, vcpus: 1 }), guest: 'web1', order: 'order-web1' };
    const holds = facts({ holdings: [own, { ...own, what: 'guest lost', guest: 'lost', order: 'x' }] });
    expect(capacityOf(state({ facts: holds, promised: [{ ...request('web1'), since: NOW }] })).free).toEqual({
      memoryBytes: 13 * GiB,
      vcpus: 14,
      diskBytes: 80 * GiB,
    });
  });

  it('whose guest is there before the ledger knows it does not stand in its own way', () => {
    const own: Holding = {
      ...hand('guest web1', { memoryBytes: 15 * GiB, diskBytes: 100 * GiB, vcpus: 1 }),
      guest: 'web1',
      order: 'order-web1',
    };
    expect(
      reserve(state({ facts: facts({ holdings: [own] }) }), request('web1', { memoryBytes: 15 * GiB, diskBytes: 100 * GiB }), NOW),
    ).toHaveProperty('reservation');
  });

  it.each<[string, Partial<Dom0State>, Partial<ReserveRequest>, object]>([
    ['a dom0 that is drained', { drained: true }, {}, { type: 'NoCapacity', field: 'dom0' }],
    ['a dom0 that has not registered', { facts: undefined as never }, {}, { type: 'HostNotReady', field: 'dom0' }],
    ['a plan that it does not take', { facts: facts({ policy: policy({ plans: ['large'] }) }) }, {}, { type: 'NoCapacity', field: 'plan' }],
    [
      'a name that another order has',
      { promised: [{ ...request('web1', { order: 'other' }), since: NOW }] },
      {},
      { type: 'NotOurs', field: 'name' },
    ],
    [
      'a customer who has one there, when it is to be apart',
      { promised: [{ ...request('web0', { customer: 'c1' }), since: NOW }] },
      { customer: 'c1', apart: true },
      { type: 'NoCapacity', field: 'customer' },
    ],
  ])('is refused on %s', (_what, changes, asked, expected) => {
    expect(reserve(state(changes), request('web1', asked), NOW)).toMatchObject(expected);
  });

  it('is refused on a dom0 that is lost, even again; the undo of a change is not', () => {
    const { reservation } = reserve(state(), request('web1'), NOW) as { reservation: Dom0State['promised'][number] };
    const lost = state({ lost: NOW, promised: [reservation] });
    const refused = { type: 'HostNotReady', field: 'dom0', message: expect.stringContaining('guestflow dom0 found xen1') as string };
    expect(reserve(lost, request('web1'), NOW)).toMatchObject(refused);
    expect(reserve(lost, request('web2'), NOW)).toMatchObject(refused);
    expect(isReserved(lost, request('web1'))).toBe(false);
    expect(reserve(lost, request('web1', { restores: true }), NOW)).toMatchObject({ reservation: { guest: 'web1' } });
    expect(capacityOf(lost)).toMatchObject({ lost: NOW, guests: 1 });
  });

  it('that comes again has what it had, even on a dom0 that is full and drained', () => {
    const reservation = { ...request('web1', { memoryBytes: 15 * GiB, customer: 'c1' }), since: '2025-01-01T00:00:00.000Z' };
    expect(reserve(state({ drained: true, promised: [reservation] }), request('web1', { memoryBytes: 15 * GiB }), NOW)).toEqual({
      reservation,
    });
  });

  it('has just what it asks for when nothing of that differs', () => {
    const asked = request('a', { overheadBytes: 2 ** 21 });
    const made = reserve(state(), asked, NOW);
    if ('type' in made) throw new Error(made.message);
    const ledger = state({ promised: [made.reservation] });
    expect(isReserved(ledger, { ...asked, apart: true })).toBe(true);
    expect(isReserved(state(), asked)).toBe(false);
    for (const changes of [{ order: 'b' }, { plan: 'large' }, { memoryBytes: 2 }, { overheadBytes: 2 }, { vcpus: 2 }, { diskBytes: 2 }])
      expect(isReserved(ledger, { ...asked, ...changes }), JSON.stringify(changes)).toBe(false);
  });

  it('that becomes larger must fit beside the others, and keeps what it had when it does not', () => {
    const promised = [
      { ...request('web1'), since: NOW },
      { ...request('web2', { memoryBytes: 10 * GiB }), since: NOW },
    ];
    expect(reserve(state({ promised }), request('web1', { memoryBytes: 5 * GiB, plan: 'large' }), NOW)).toMatchObject({
      reservation: { memoryBytes: 5 * GiB, plan: 'large' },
    });
    expect(reserve(state({ promised }), request('web1', { memoryBytes: 6 * GiB }), NOW)).toMatchObject({
      type: 'NoCapacity',
      message: expect.stringContaining('1 GiB short') as string,
    });
  });

  it('is released by its own id only, and then all that it took can be sold again', () => {
    const own: Holding = { ...hand('guest web1', { memoryBytes: GiB, diskBytes: 10 * GiB, vcpus: 1 }), guest: 'web1', order: 'order-web1' };
    const before = state({
      facts: facts({ holdings: [own, hand('domain old', { memoryBytes: GiB })] }),
      promised: [{ ...request('web1'), since: NOW }],
    });
    expect(released(before, { guest: 'web1', order: 'other' })).toEqual(before);
    const after = released(before, { guest: 'web1', order: 'order-web1' });
    expect(capacityOf(after)).toMatchObject({
      guests: 0,
      byHand: { memoryBytes: GiB },
      free: { memoryBytes: 14 * GiB, vcpus: 16, diskBytes: 100 * GiB },
    });
  });
});

describe('a dom0 with two pools', () => {
  const pools = [
    { name: 'vg01', sizeBytes: 101 * GiB, freeBytes: 101 * GiB },
    { name: 'slow', sizeBytes: 31 * GiB, freeBytes: 31 * GiB },
  ];
  const two = (changes: Partial<Dom0State> = {}): Dom0State => state({ facts: facts({ pools }), ...changes });
  const reservedFor = (...requests: ReserveRequest[]): Dom0State => two({ promised: requests.map((each) => ({ ...each, since: NOW })) });

  it('sells each by itself: a promise, and what was made by hand, takes room where its disk lies', () => {
    const holdings = [{ ...hand('volume slow/home', { diskBytes: 5 * GiB }), pool: 'slow' }, hand('volume vg01/old', { diskBytes: GiB })];
    const ledger = { ...reservedFor(request('a'), request('b', { pool: 'slow' })), facts: facts({ pools, holdings }) };
    expect(capacityOf(ledger).pools).toEqual([
      { name: 'vg01', sellableBytes: 100 * GiB, freeBytes: 89 * GiB },
      { name: 'slow', sellableBytes: 30 * GiB, freeBytes: 15 * GiB },
    ]);
    expect(capacityOf(ledger).free?.diskBytes).toBe(89 * GiB);
    expect(capacityOf(ledger, 'slow').free?.diskBytes).toBe(15 * GiB);
  });

  it('refuses what does not fit into the pool that is asked for, whatever is free in the other', () => {
    const ledger = reservedFor(request('a', { pool: 'slow', diskBytes: 25 * GiB }));
    expect(reserve(ledger, request('b', { pool: 'slow' }), NOW)).toMatchObject({ type: 'NoCapacity', field: 'disk' });
    expect(reserve(ledger, request('b'), NOW)).toMatchObject({ reservation: { guest: 'b' } });
    expect(reserve(ledger, request('b', { pool: 'vg01' }), NOW)).toMatchObject({ reservation: { pool: 'vg01' } });
  });

  it('says which pools there are when the one that is asked for is not among them', () => {
    expect(reserve(two(), request('a', { pool: 'fast' }), NOW)).toEqual({
      type: 'HostNotReady',
      message: 'dom0 xen1 has no pool fast: it has vg01, slow',
      field: 'pool',
    });
  });
});

describe('whatever comes in whatever order', () => {
  const size = fc.integer({ min: 1, max: 40 }).map((gib) => gib * 2 ** 28);
  const step = fc.oneof(
    fc.record({
      do: fc.constant('reserve' as const),
      guest: fc.integer({ min: 0, max: 12 }),
      memoryBytes: size,
      vcpus: fc.integer({ min: 1, max: 6 }),
      diskBytes: size.map((bytes) => bytes * 8),
    }),
    fc.record({ do: fc.constant('release' as const), guest: fc.integer({ min: 0, max: 12 }) }),
  );

  it('no more is promised than may be sold, and a refusal changes nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.double({ min: 1, max: 4, noNaN: true }), size, (steps, ratio, byHand) => {
        let now = state({
          facts: facts({
            policy: policy({ oversell: { vcpus: ratio, memory: 1, disk: ratio } }),
            holdings: [hand('domain x', { memoryBytes: byHand })],
          }),
        });
        for (const one of steps) {
          const name = `g${String(one.guest)}`;
          if (one.do === 'release') now = released(now, { guest: name, order: `order-${name}` });
          else {
            const { memoryBytes, vcpus, diskBytes } = one;
            const answer = reserve(now, request(name, { memoryBytes, vcpus, diskBytes }), NOW);
            if ('reservation' in answer)
              now = { ...now, promised: [...now.promised.filter(({ guest }) => guest !== name), answer.reservation] };
          }
          const { free }: Capacity = capacityOf(now);
          expect(Math.min(free?.memoryBytes ?? -1, free?.vcpus ?? -1, free?.diskBytes ?? -1)).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe('the trial of a golden image', () => {
  const trial = { guest: 'golden/bookworm', order: 'renewal', memoryBytes: GiB, vcpus: 1, diskBytes: 2 * GiB, since: NOW };
  const held: Holding = { what: 'guest golden/bookworm', ...trial };

  it.each<[string, Partial<Dom0State>]>([
    ['is reserved for', { promised: [trial] }],
    ['was left', { facts: facts({ holdings: [held] }) }],
  ])('that %s keeps no order from the room that it has, since it gives way', (_what, changes) => {
    expect(reserve(state(changes), request('web1', { memoryBytes: 15 * GiB, diskBytes: 100 * GiB }), NOW)).toHaveProperty('reservation');
  });

  it('gets only what orders have left, and counts as taken', () => {
    const full = state({ promised: [{ ...request('web1', { memoryBytes: 15 * GiB }), since: NOW }] });
    expect(reserve(full, trial, NOW)).toMatchObject({ type: 'NoCapacity' });
    expect(capacityOf(state({ promised: [trial] })).free?.memoryBytes).toBe(14 * GiB);
  });
});

describe('golden images that could not be renewed', () => {
  const failed = { dist: 'bookworm', createdAt: NOW, roots: 0, problem: 'it shows no login. The end of its console:\nKernel panic' };
  const LATER = '2026-01-02T00:00:00.000Z';
  const remembered = { dist: 'bookworm', reason: 'it shows no login.', since: NOW };

  it.each<[string, Partial<GoldenRenewal>, readonly NotRenewed[]]>([
    ['since their first failure', {}, [remembered]],
    ['until they are renewed', { roots: 1 }, []],
    ['when there was no time for it, as before', { isLeftForLater: true }, [remembered]],
    ['while others are', { dist: 'trixie', roots: 1 }, [remembered]],
  ])('are remembered %s', (_what, changes, expected) => {
    const before = afterRenewal([], [failed], NOW);
    expect(before).toEqual([remembered]);
    const { problem, ...well } = failed;
    const outcome = changes.roots === undefined ? { ...well, problem } : well;
    expect(afterRenewal(before, [{ ...outcome, ...changes }], LATER)).toEqual(expected);
  });

  it('are not remembered for want of room', () => {
    expect(afterRenewal([], [{ ...failed, isLeftForLater: true }], NOW)).toEqual([]);
  });
});
