/** Who gets which address, as a table and as properties. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NetworkSettings, NetworkState } from '../../../contract/capacity.ts';
import { ip6Of, macFrom } from '../../../workflows/capacity/lease-addresses.ts';
import { joined, lease, newNetwork, replaced, returned, withOtherMac } from '../../../workflows/capacity/leases.ts';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString();
const of = (guest: string): { guest: string; order: string } => ({ guest, order: `order-${guest}` });

function network(cidr = '192.0.2.0/29', settings: Partial<NetworkSettings> = {}): NetworkState {
  const fresh = newNetwork(cidr, '192.0.2.1');
  return { ...fresh, settings: { ...fresh.settings, ...settings } };
}

/** Leases, and fails the test when it is refused. */
function take(
  state: NetworkState,
  guest: string,
  more: { ip?: string; mac?: string } = {},
  seconds = 0,
): { state: NetworkState; ip: string; mac: string } {
  const answer = lease(state, { ...of(guest), ...more }, at(seconds));
  if ('type' in answer) throw new Error(answer.message);
  return { state: answer.state, ip: answer.lease.ip, mac: answer.lease.mac };
}

describe('an address', () => {
  it('is the lowest that is free: not the network’s, the gateway’s or the broadcast address', () => {
    const first = take(network(), 'a');
    expect(first.ip).toBe('192.0.2.2');
    expect(take(first.state, 'b').ip).toBe('192.0.2.3');
  });

  it('of a /31 is the other one, whichever the gateway has: it has neither a network nor a broadcast address', () => {
    expect(take(network('192.0.2.0/31'), 'a').ip).toBe('192.0.2.0');
    const other = take(network('192.0.2.0/31', { gateway: '192.0.2.0' }), 'a');
    expect(other.ip).toBe('192.0.2.1');
    expect(lease(other.state, of('b'), at(1))).toMatchObject({ type: 'NoCapacity' });
    const join = { gateway: '192.0.2.1', members: [] };
    expect(joined(network('192.0.2.0/31'), join)).not.toHaveProperty('type');
    expect(joined(network('192.0.2.1/32'), join)).toMatchObject({ type: 'InvalidInput', field: 'cidr' });
  });

  it('comes from the ranges, without what is excluded', () => {
    const limited = network('192.0.2.0/24', {
      ranges: ['192.0.2.10-192.0.2.12', '192.0.2.64/31'],
      exclude: ['192.0.2.10', '192.0.2.12/32'],
    });
    const first = take(limited, 'a');
    const second = take(first.state, 'b');
    expect([first.ip, second.ip, take(second.state, 'c').ip]).toEqual(['192.0.2.11', '192.0.2.64', '192.0.2.65']);
  });

  it('is the same for the same order, and another order of that name is refused', () => {
    const first = take(network(), 'a');
    expect(take(first.state, 'a')).toEqual(first);
    expect(lease(first.state, { guest: 'a', order: 'other' }, at(0))).toMatchObject({ type: 'NotOurs' });
    expect(lease(first.state, { ...of('a'), ip: '192.0.2.6' }, at(0))).toMatchObject({ type: 'InvalidInput', field: 'ip' });
  });

  it('that came back is given to nobody else for a quarter of an hour', () => {
    const first = take(network('192.0.2.0/30'), 'a');
    const back = returned(first.state, of('a'), at(0));
    expect(lease(back, of('b'), at(899))).toMatchObject({
      type: 'NoCapacity',
      message: expect.stringMatching(/1 in quarantine, 1 short/) as string,
    });
    expect(lease(back, { ...of('b'), ip: first.ip }, at(899))).toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('until') as string,
    });
    expect(take(back, 'a', {}, 899)).toMatchObject({ ip: first.ip, mac: first.mac });
    expect(take(back, 'b', {}, 900).ip).toBe(first.ip);
  });

  it('that came back is not held any longer by the cfg that the guest had', () => {
    const { state, ip } = take(network(), 'a');
    const seen = joined(state, {
      gateway: '192.0.2.1',
      members: [{ dom0: 'xen1', bridge: 'xenbr0', exclude: [], addresses: [{ ip, guest: 'a' }] }],
    });
    if ('type' in seen) throw new Error(seen.message);
    expect(take(returned(seen, of('a'), at(0)), 'b', {}, 900).ip).toBe(ip);
  });

  it('that is ordered again under the same name is taken out of quarantine', () => {
    const back = returned(take(network(), 'a', { ip: '192.0.2.5' }).state, of('a'), at(0));
    expect(lease(back, { guest: 'a', order: 'next', ip: '192.0.2.5' }, at(1))).toMatchObject({
      lease: { ip: '192.0.2.5' },
      state: { quarantined: [] },
    });
  });

  it('is returned by its own order only', () => {
    const { state } = take(network(), 'a');
    expect(returned(state, { guest: 'a', order: 'other' }, at(0)).leases).toHaveLength(1);
  });

  it.each([
    ['192.0.2.1', /gateway/],
    ['192.0.2.0', /network/],
    ['192.0.2.7', /broadcast/],
    ['192.0.3.1', /not in the network/],
    ['192.0.2.2', /a has it/],
    ['192.0.2.3', /byhand on dom0 xen1 has it/],
    ['192.0.2.4', /excluded/],
  ])('%s is refused', (ip, reason) => {
    const { state } = take(network('192.0.2.0/29', { exclude: ['192.0.2.4'] }), 'a');
    const known = joined(state, {
      gateway: '192.0.2.1',
      members: [{ dom0: 'xen1', bridge: 'xenbr0', exclude: [], addresses: [{ ip: '192.0.2.3', guest: 'byhand' }] }],
    });
    if ('type' in known) throw new Error(known.message);
    expect(lease(known, { ...of('b'), ip }, at(0))).toMatchObject({
      type: 'InvalidInput',
      field: 'ip',
      message: expect.stringMatching(reason) as string,
    });
  });

  it('at which something answers is marked and replaced; asked twice, by the same one', () => {
    const first = take(network(), 'a');
    const second = replaced(first.state, { ...of('a'), ip: first.ip, dom0: 'xen1' }, at(0));
    if ('type' in second) throw new Error(second.message);
    expect(second).toMatchObject({ lease: { ip: '192.0.2.3' }, state: { taken: [{ ip: '192.0.2.2', dom0: 'xen1' }] } });
    expect(replaced(second.state, { ...of('a'), ip: first.ip, dom0: 'xen1' }, at(1))).toMatchObject({ lease: { ip: '192.0.2.3' } });
    expect(take(second.state, 'b').ip).toBe('192.0.2.4');
    expect(take(second.state, 'c', {}, 90_000).ip).toBe('192.0.2.2');
  });
});

describe('a network', () => {
  it('is known by the first dom0; one that says another gateway is refused', () => {
    const join = { gateway: '192.0.2.1', members: [{ dom0: 'xen1', bridge: 'xenbr0', exclude: ['192.0.2.2'], addresses: [] }] };
    const known = joined(network(), join);
    if ('type' in known) throw new Error(known.message);
    expect(take(known, 'a').ip).toBe('192.0.2.3');
    expect(joined(known, { gateway: '192.0.2.3', members: [] })).toMatchObject({ type: 'HostNotReady' });
  });

  it.each([
    [{ ranges: ['192.0.2.9-192.0.2.1'] }, 'ranges'],
    [{ exclude: ['everything'] }, 'ranges'],
    [{ ipv6: '2001:db8::/48' }, 'ipv6'],
    [{ gateway: '192.0.3.1' }, 'gateway'],
  ])('refuses %j', (wrong, field) => {
    const settings = { ...network().settings, ...wrong };
    expect(joined(network(), { gateway: settings.gateway, members: [], settings })).toMatchObject({ type: 'InvalidInput', field });
  });

  it('with a /64 gives each lease an IPv6 address that says its IPv4 address', () => {
    expect(lease(network('192.0.2.0/29', { ipv6: '2001:db8:0:1::/64' }), of('a'), at(0))).toMatchObject({
      lease: { ip6: '2001:db8:0:1:192:0:2:2', gateway6: '2001:db8:0:1::1' },
    });
    const named = network('192.0.2.0/29', { ipv6: '2001:db8:0:1::/64', ipv6Gateway: 'fe80::1' });
    expect(lease(named, of('a'), at(0))).toMatchObject({ lease: { gateway6: 'fe80::1' } });
    expect(ip6Of('2001:db8::/64', '192.0.2.10')).toBe('2001:db8:0:0:192:0:2:10');
  });
});

describe('an IPv6 address', () => {
  it('stays its guest’s through its quarantine, and is nobody else’s for as long', () => {
    const six = (answer: ReturnType<typeof lease>): string | undefined => ('type' in answer ? answer.message : answer.lease.ip6);
    const first = lease(network('192.0.2.0/29', { ipv6: '2001:db8::/64' }), of('a'), at(0));
    if ('type' in first) throw new Error(first.message);
    const given = returned(first.state, of('a'), at(10));
    expect(six(lease(given, of('b'), at(20)))).not.toBe(first.lease.ip6);
    expect(six(lease(given, of('a'), at(20)))).toBe(first.lease.ip6);
    expect(six(lease(given, of('b'), at(10 + 901)))).toBe(first.lease.ip6);
  });

  it.each([
    ['2001:db8::/64', true],
    ['2001:db8:1:2::/64', true],
    ['2001:db8:1:2:0:0:0:0/64', true],
    ['::/64', true],
    ['2001:db8::1/64', false],
    ['2001:db8::/48', false],
    ['2001:db8::1::/64', false],
    ['2001:db8:1:2:3:4:5:6:7::/64', false],
    ['2001:db8:12345::/64', false],
    ['192.0.2.0/64', false],
  ])('belongs to a /64: %s', (prefix, isOne) => {
    expect(ip6Of(prefix, '192.0.2.10') !== undefined).toBe(isOne);
  });

  it.each([
    [{ ipv6Gateway: '2001:db8::1' }, 'needs an IPv6 network'],
    [{ ipv6: '2001:db8::/64', ipv6Gateway: 'fe80::1%eth0' }, 'no IPv6 address'],
    [{ ipv6: '2001:db8::/64', ipv6Gateway: '192.0.2.1' }, 'no IPv6 address'],
  ])('has a gateway that is one: %j', (more, reason) => {
    const settings = { gateway: '192.0.2.1', ranges: [], exclude: [], quarantineSeconds: 900, ...more };
    expect(joined(network(), { gateway: '192.0.2.1', members: [], settings })).toMatchObject({
      type: 'InvalidInput',
      field: 'ipv6Gateway',
      message: expect.stringContaining(reason) as string,
    });
  });
});

describe('a MAC', () => {
  it('is unicast, in Xen’s range, and the same for the same name', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(macFrom(name)).toMatch(/^00:16:3E:[0-7][0-9A-F](:[0-9A-F]{2}){2}$/);
        expect(macFrom(name)).toBe(macFrom(name));
      }),
    );
  });

  it('that another network has given gives way to the next of that name; asked twice, to the same one', () => {
    const first = take(network(), 'a');
    const asked = { ...of('a'), mac: first.mac };
    const second = withOtherMac(first.state, asked, at(1));
    if ('type' in second) throw new Error(second.message);
    expect(second.lease).toMatchObject({ ip: first.ip, mac: macFrom(`a/${first.mac}/0`) });
    expect(withOtherMac(second.state, asked, at(2))).toMatchObject({ lease: second.lease });
    expect(withOtherMac(second.state, { ...asked, order: 'another' }, at(2))).toMatchObject({ type: 'NotOurs' });
  });

  it('that is ordered and another guest’s is refused', () => {
    const { state, mac } = take(network(), 'a');
    expect(lease(state, { ...of('b'), mac }, at(0))).toMatchObject({ type: 'InvalidInput', field: 'mac' });
  });
});

describe('whatever comes in whatever order', () => {
  const step = fc.record({
    do: fc.constantFrom('lease', 'order', 'release', 'replace'),
    guest: fc.integer({ min: 0, max: 9 }),
    last: fc.integer({ min: 0, max: 15 }),
    wait: fc.integer({ min: 0, max: 600 }),
  });

  it('no address and no MAC is two guests’, and none is another’s within its quarantine', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let state = network('192.0.2.0/28');
        let seconds = 0;
        const left = new Map<string, { guest: string; at: number }>();
        for (const one of steps) {
          seconds += one.wait;
          const owner = of(`g${String(one.guest)}`);
          const before = state.leases.find(({ guest }) => guest === owner.guest)?.ip;
          if (one.do === 'release') {
            state = returned(state, owner, at(seconds));
            if (before !== undefined) left.set(before, { guest: owner.guest, at: seconds });
            continue;
          }
          const answer =
            one.do === 'replace' && before !== undefined
              ? replaced(state, { ...owner, ip: before, dom0: 'xen1' }, at(seconds))
              : lease(state, one.do === 'order' ? { ...owner, ip: `192.0.2.${String(one.last)}` } : owner, at(seconds));
          if ('type' in answer) continue;
          state = answer.state;
          const former = left.get(answer.lease.ip);
          if (answer.lease.ip !== before && former !== undefined && former.guest !== owner.guest)
            expect(seconds - former.at).toBeGreaterThanOrEqual(900);
          expect(new Set(state.leases.map(({ ip }) => ip)).size).toBe(state.leases.length);
          expect(new Set(state.leases.map(({ mac }) => mac)).size).toBe(state.leases.length);
        }
      }),
    );
  });
});
