import { beforeAll, describe, expect, it } from 'vitest';
import { GuestflowError } from '../../../contract/errors.ts';
import { checkAgainstFacts, parseFacts, type CheckedFacts } from '../../../order/facts.ts';
import { checkOrder } from '../../../order/order.ts';
import { loadPlans, type Plans } from '../../../order/plans.ts';

const GiB = 2 ** 30;
const FACTS: CheckedFacts = {
  host: 'xen1',
  memoryFreeBytes: GiB + 2 * 2 ** 20,
  cpus: 4,
  pools: [{ name: 'vg01', sizeBytes: 10 * GiB, freeBytes: 10 * GiB }],
  imageDirFreeBytes: 20 * GiB,
  network: { cidr: '192.168.77.0/24', gateway: '192.168.77.1', bridge: 'xenbr0' },
  addresses: [
    { ip: '192.168.77.10', guest: 'other' },
    { ip: '192.168.77.11', guest: 'mine' },
  ],
  domains: [{ name: 'Domain-0' }, { name: 'mine' }],
};

let plans: Plans;
beforeAll(async () => {
  plans = await loadPlans();
});

function problem(raw: object, facts = FACTS): GuestflowError | undefined {
  try {
    checkAgainstFacts(checkOrder({ name: 'guest1', ...raw }, { plans }), facts);
    return undefined;
  } catch (error) {
    if (error instanceof GuestflowError) return error;
    throw error;
  }
}

describe('an order against the facts of a dom0', () => {
  it('that fits is taken', () => {
    expect(
      problem({ ip: '192.168.77.12', netmask: '255.255.255.0', gateway: '192.168.77.1', memory: '1GiB', disk: '9Gb', swap: '1Gb' }),
    ).toBeUndefined();
  });

  it.each([
    [{ memory: '2GiB' }, 'memory', /1\.0 GiB free, 1 GiB too little/],
    [{ disk: '10Gb' }, 'disk', /vg01 has 10 GiB free, 128 MiB too little/],
    [{ vcpus: 5 }, 'vcpus', /4 cpus/],
  ])('%j is refused for what is short', (raw, field, reason) => {
    expect(problem(raw)).toMatchObject({ type: 'NoCapacity', details: { field }, message: expect.stringMatching(reason) as unknown });
  });

  it.each([
    [{ ip: '192.168.77.10' }, 'ip', /taken by guest other/],
    [{ ip: '192.168.78.10' }, 'ip', /not in the network/],
    [{ ip: '192.168.77.1' }, 'ip', /gateway/],
    [{ ip: '192.168.77.255' }, 'ip', /broadcast/],
    [{ ip: '192.168.77.12', netmask: '255.255.252.0' }, 'netmask', /192\.168\.77\.0\/24/],
    [{ dom0: 'xen2' }, 'dom0', /xen1/],
  ])('%j is refused as it is written', (raw, field, reason) => {
    expect(problem(raw)).toMatchObject({ type: 'InvalidInput', details: { field }, message: expect.stringMatching(reason) as unknown });
  });

  it('tells all that is wrong and all that is short', () => {
    expect(problem({ ip: '192.168.77.10', memory: '2GiB' })?.message).toMatch(/2 problems[^]*taken[^]*too little/);
  });

  it('of a guest that is there already does not count its own address and memory against it', () => {
    expect(problem({ name: 'mine', ip: '192.168.77.11', memory: '2GiB' })).toBeUndefined();
  });
});

describe('facts', () => {
  it('are read by themselves or from a ledger', () => {
    expect(parseFacts(FACTS, 'f')).toEqual(FACTS);
    expect(parseFacts({ host: 'xen1', facts: FACTS, drained: false, promised: [] }, 'f')).toEqual(FACTS);
  });

  it.each([
    [{ ...FACTS, network: null }, 'network must be a document of keys and values'],
    [{ ...FACTS, pools: {} }, 'pools "{}" must be a list'],
    [{ ...FACTS, cpus: 'four' }, 'cpus "four" must be a number'],
    [{ ...FACTS, memoryFreeBytes: -1 }, 'memoryFreeBytes "-1" must be at least 0'],
    [{ ...FACTS, host: undefined }, 'host is missing'],
    [{ ...FACTS, network: { ...FACTS.network, cidr: '300.1.1.1/24' } }, 'network.cidr "300.1.1.1/24" is no network, like 192.168.77.0/24'],
  ])('that are damaged (%#) are refused in words', (raw, message) => {
    expect(() => parseFacts(raw, 'facts.json')).toThrow(`facts.json: ${message}`);
  });

  it('that are none are refused', () => {
    expect(() => parseFacts({ host: 'xen1' }, 'facts.json')).toThrow(/facts\.json has/);
  });
});
