/** How many addresses of a network are left: as many as can be leased, one after the other. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NetworkState } from '../../../contract/capacity.ts';
import { countFree } from '../../../contract/network-addresses.ts';
import { lease, newNetwork } from '../../../workflows/capacity/leases.ts';

const NOW = '2026-01-02T00:00:00.000Z';
const EARLIER = '2026-01-01T23:00:00.000Z';
const LATER = '2026-01-02T01:00:00.000Z';

interface Wish extends Partial<Omit<NetworkState, 'settings'>>, Partial<Pick<NetworkState['settings'], 'gateway' | 'ranges' | 'exclude'>> {}

function network(cidr: string, { gateway = '192.0.2.1', ranges = [], exclude = [], ...rest }: Wish = {}): NetworkState {
  const fresh = newNetwork(cidr, gateway);
  return { ...fresh, settings: { ...fresh.settings, ranges, exclude }, ...rest };
}

/** Leases until there is none left. */
function leasable(state: NetworkState): number {
  for (let count = 0, now = state; ; count += 1) {
    const answer = lease(now, { guest: `g${count}`, order: 'o' }, NOW);
    if ('type' in answer) {
      expect(answer.type).toBe('NoCapacity');
      return count;
    }
    now = answer.state;
  }
}

describe('the count of free addresses', () => {
  it('leaves out the ends of the network and its gateway', () => {
    expect(countFree(network('192.0.2.0/29'), NOW)).toBe(5);
    expect(countFree(network('192.0.2.0/31'), NOW)).toBe(1);
  });

  it('does not look at each address: a network of sixteen million is counted at once', () => {
    const state = network('10.0.0.0/8', { gateway: '10.0.0.1', exclude: ['10.1.0.0/16'] });
    const before = process.cpuUsage();
    expect(countFree(state, NOW)).toBe(2 ** 24 - 2 - 1 - 2 ** 16);
    expect(process.cpuUsage(before).user).toBeLessThan(500_000);
  });

  it('gives back what quarantine and a foreign machine held no longer', () => {
    const held = { guest: 'a', order: 'o', mac: '00:16:3E:00:00:01', since: EARLIER };
    const state = (until: string, seenAt: string): NetworkState =>
      network('192.0.2.0/29', { quarantined: [{ ...held, ip: '192.0.2.2', until }], taken: [{ ip: '192.0.2.3', dom0: 'xen1', seenAt }] });
    expect(countFree(state(LATER, EARLIER), NOW)).toBe(3);
    expect(countFree(state(EARLIER, '2025-12-31T00:00:00.000Z'), NOW)).toBe(5);
  });

  it('is what can be leased, whatever ranges and holes a network has', () => {
    const address = fc.integer({ min: 0, max: 40 }).map((last) => `192.0.2.${last}`);
    const span = fc
      .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 12 }))
      .map(([from, more]) => `192.0.2.${from}-192.0.2.${from + more}`);
    const text = fc.oneof(address, span, fc.constantFrom('192.0.2.8/30', '192.0.2.16/29', '198.51.100.0/24'));
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 3 }),
        fc.array(text, { maxLength: 3 }),
        fc.uniqueArray(address, { maxLength: 5 }),
        (ranges, exclude, used) => {
          const members = [{ dom0: 'xen1', bridge: 'xenbr0', exclude: [], addresses: used.map((ip) => ({ ip, guest: `by-hand-${ip}` })) }];
          const state = network('192.0.2.0/27', { ranges, exclude, members });
          expect(countFree(state, NOW)).toBe(leasable(state));
        },
      ),
      { numRuns: 150 },
    );
  });
});
