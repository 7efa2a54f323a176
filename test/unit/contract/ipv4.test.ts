import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as ip from '../../../contract/ipv4.ts';

const address = fc.integer({ min: 0, max: 0xffffffff });
const prefix = fc.integer({ min: 0, max: 32 });

describe('addresses', () => {
  it('any number is written and read back as itself', () => {
    fc.assert(fc.property(address, (number) => ip.parseIpv4(ip.formatIpv4(number)) === number));
  });

  it.each([
    '',
    '10',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.-1',
    '10.0.0.01',
    '010.0.0.1',
    '10.0.0.1 ',
    ' 10.0.0.1',
    '10.0.0.1\n',
    '0x0a.0.0.1',
    '10.0.0.1.2',
    '10..0.1',
    '::1',
    '१.0.0.1',
  ])('%j is no address', (text) => {
    expect(ip.parseIpv4(text)).toBeUndefined();
  });

  it.each([
    ['0.0.0.5', /this network/],
    ['127.0.0.1', /loopback/],
    ['224.0.0.1', /multicast/],
    ['239.255.255.255', /multicast/],
    ['240.0.0.1', /reserved/],
    ['255.255.255.255', /broadcast/],
  ])("%s is no machine's", (text, reason) => {
    expect(ip.whyNotUnicast(ip.parseIpv4(text) ?? 0)).toMatch(reason);
  });
});

describe('netmasks', () => {
  it('every prefix length is written and read back as itself', () => {
    fc.assert(fc.property(prefix, (length) => ip.prefixOfNetmask(ip.netmaskOfPrefix(length)) === length));
  });

  it.each([
    ['255.255.252.0', 22],
    ['255.255.255.0', 24],
    ['255.0.0.0', 8],
    ['0.0.0.0', 0],
    ['255.255.255.255', 32],
  ])('%s is /%i', (mask, length) => {
    expect(ip.prefixOfNetmask(mask)).toBe(length);
  });

  it.each(['255.0.255.0', '0.255.255.255', '255.255.255.1', '192.168.0.1', 'x'])('%s is none', (mask) => {
    expect(ip.prefixOfNetmask(mask)).toBeUndefined();
  });
});

describe('networks', () => {
  it('hold their own addresses from the first to the last, and no other', () => {
    fc.assert(
      fc.property(address, prefix, address, (one, length, other) => {
        const network = ip.networkOf(one, length);
        expect(ip.inNetwork(one, network)).toBe(true);
        expect(ip.inNetwork(network.first, network) && ip.inNetwork(ip.lastOf(network), network)).toBe(true);
        expect(ip.inNetwork(other, network)).toBe(ip.networkOf(other, length).first === network.first);
      }),
    );
  });

  it('are written and read back as themselves', () => {
    fc.assert(
      fc.property(address, prefix, (one, length) => {
        const network = ip.networkOf(one, length);
        expect(ip.parseCidr(ip.formatCidr(network))).toEqual(network);
      }),
    );
  });

  it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '/24', '10.0.0.0/-1', '10.0.0/24', '10.0.0.0/24 '])('%j is none', (text) => {
    expect(ip.parseCidr(text)).toBeUndefined();
  });

  it('give no machine their own address or their broadcast address', () => {
    const network = ip.networkOf(ip.parseIpv4('10.32.0.136') ?? 0, 22);
    const why = (text: string): string | undefined => ip.whyNotHostIn(ip.parseIpv4(text) ?? 0, network);
    expect(why('10.32.0.0')).toMatch(/address of the network/);
    expect(why('10.32.3.255')).toMatch(/broadcast/);
    expect(why('10.32.4.1')).toMatch(/not in the network 10\.32\.0\.0\/22/);
    expect(why('10.32.3.254')).toBeUndefined();
  });

  it('of two addresses (/31, RFC 3021) give both to machines', () => {
    expect(ip.whyNotHostIn(0x0a000000, ip.networkOf(0x0a000000, 31))).toBeUndefined();
  });
});
