/** What the neighbours of a guest get of what it sends, behind the real script, vif-bridge and nft. Frames are judged where they arrive. */
import { beforeAll, describe, expect, it } from 'vitest';
import { titled } from './machine.ts';
import { arp, bpdu, icmp6, icmp6BehindOptions, icmp6InFragments, ICMPV6, rarp, tagged, udp4, udp6 } from './vif/frames.ts';
import { A, B, GATEWAY, rigOfFile, vifOf, whyNoRig } from './vif/rig.ts';

const IPV6 = { a: '2001:db8::a', b: '2001:db8::b', linkOfA: 'fe80::216:3eff:fe00:a', linkOfB: 'fe80::216:3eff:fe00:b' };
const { mac, ip } = A;

const why = whyNoRig();

describe.skipIf(why !== undefined)(titled('a vif with script=vif-guestflow', why), () => {
  const rig = rigOfFile('gf-vif');
  const sees = (...frames: Buffer[]): Promise<Buffer[]> => rig.arrived(A, B, frames);

  describe('of a guest with an IPv4 address', () => {
    beforeAll(() => rig.bothOnline());

    it('starts as with vif-bridge: on the bridge, and libxl is told that it is connected', async () => {
      expect((await rig.ports()).sort()).toEqual([vifOf(A), vifOf(B)]);
      expect(rig.said(A, 'hotplug-status')).toBe('connected');
    });

    it.each([
      ['IPv4 from its address', udp4({ mac, from: ip, to: B.ip })],
      ['a question for a neighbour’s MAC', arp({ mac, sender: ip, target: B.ip })],
      ['an answer with its own MAC', arp({ mac, sender: ip, target: B.ip, answer: true })],
      ['an announcement of its own address', arp({ mac, sender: ip, target: ip })],
      ['a probe whether somebody has its own address', arp({ mac, sender: '0.0.0.0', target: ip })],
    ])('passes on %s', async (_what, frame) => {
      expect(await sees(frame)).toEqual([frame]);
    });

    it.each([
      ['IPv4 from a neighbour’s address', udp4({ mac, from: B.ip, to: GATEWAY })],
      ['IPv4 from no address', udp4({ mac, from: '0.0.0.0', to: '255.255.255.255', ports: [68, 67] })],
      ['IPv4 from its address with a neighbour’s MAC', udp4({ mac: B.mac, from: ip, to: GATEWAY })],
      ['an answer for a neighbour’s address', arp({ mac, sender: B.ip, target: GATEWAY, answer: true })],
      ['a question from a neighbour’s address', arp({ mac, sender: B.ip, target: GATEWAY })],
      ['an announcement of a neighbour’s address', arp({ mac, sender: B.ip, target: B.ip })],
      ['an announcement of the gateway’s address', arp({ mac, sender: GATEWAY, target: GATEWAY, answer: true })],
      ['an answer for its address with a neighbour’s MAC in it', arp({ mac, senderMac: B.mac, sender: ip, target: GATEWAY, answer: true })],
      ['a question from its address with a neighbour’s MAC on it', arp({ mac: B.mac, senderMac: mac, sender: ip, target: GATEWAY })],
      ['a probe for a neighbour’s address', arp({ mac, sender: '0.0.0.0', target: B.ip })],
      ['an answer of a DHCP server', udp4({ mac, from: ip, to: '255.255.255.255', ports: [67, 68] })],
      ['an answer of a DHCP server from another port', udp4({ mac, from: ip, to: '255.255.255.255', ports: [1067, 68] })],
      ['an answer of a DHCP server to a relay', udp4({ mac, from: ip, to: B.ip, ports: [67, 67] })],
      ['a frame with a VLAN tag', tagged(udp4({ mac, from: ip, to: B.ip }), 7)],
      ['ARP with a VLAN tag', tagged(arp({ mac, sender: B.ip, target: GATEWAY }), 7)],
      ['reverse ARP', rarp(mac)],
      ['what bridges say to each other of their spanning tree', bpdu(mac)],
      ['IPv6, where it was given none', udp6({ mac, from: IPV6.a })],
      ['a router advertisement, where it was given no IPv6', icmp6({ mac, from: IPV6.linkOfA, type: ICMPV6.routerAdvert })],
    ])('refuses %s', async (_what, frame) => {
      expect(await sees(frame)).toEqual([]);
    });
  });

  describe('of a guest with an IPv6 address, too', () => {
    beforeAll(async () => {
      await rig.bothOnline();
      rig.say(A, { ip: `${ip} ${IPV6.a}` });
      expect(await rig.call(A, 'online')).toMatchObject({ code: 0, stderr: '' });
    });

    it.each([
      ['IPv6 from its address', udp6({ mac, from: IPV6.a })],
      ['an echo from its link-local address', icmp6({ mac, from: IPV6.linkOfA, type: ICMPV6.echo, hopLimit: 64 })],
      ['a question for a neighbour’s MAC', icmp6({ mac, from: IPV6.a, type: ICMPV6.neighbourSolicit, target: IPV6.b })],
      ['an answer for its address', icmp6({ mac, from: IPV6.a, type: ICMPV6.neighbourAdvert, target: IPV6.a })],
      ['an answer for its link-local address', icmp6({ mac, from: IPV6.linkOfA, type: ICMPV6.neighbourAdvert, target: IPV6.linkOfA })],
      ['a question whether somebody has its address', icmp6({ mac, from: '::', type: ICMPV6.neighbourSolicit, target: IPV6.a })],
      ['a question for routers', icmp6({ mac, from: IPV6.linkOfA, type: ICMPV6.routerSolicit })],
      ['a question for routers before it has an address', icmp6({ mac, from: '::', type: ICMPV6.routerSolicit })],
      ['what groups it listens to', icmp6({ mac, from: '::', type: ICMPV6.listenerReport })],
      ['a fragment from its address', icmp6InFragments({ mac, from: IPV6.a, type: ICMPV6.echo, hopLimit: 64 })[0]],
    ])('passes on %s', async (_what, frame) => {
      expect(await sees(frame)).toEqual([frame]);
    });

    it.each([
      ['IPv6 from a neighbour’s address', [udp6({ mac, from: IPV6.b })]],
      ['IPv6 from a neighbour’s link-local address', [udp6({ mac, from: IPV6.linkOfB })]],
      ['IPv6 from no address', [udp6({ mac, from: '::' })]],
      ['an answer for a neighbour’s address', [icmp6({ mac, from: IPV6.a, type: ICMPV6.neighbourAdvert, target: IPV6.b })]],
      ['an answer for the gateway', [icmp6({ mac, from: IPV6.linkOfA, type: ICMPV6.neighbourAdvert, target: 'fe80::1' })]],
      ['an answer from a neighbour’s address', [icmp6({ mac, from: IPV6.b, type: ICMPV6.neighbourAdvert, target: IPV6.b })]],
      ['a question from a neighbour’s address', [icmp6({ mac, from: IPV6.b, type: ICMPV6.neighbourSolicit, target: IPV6.a })]],
      [
        'a question whether somebody has a neighbour’s address',
        [icmp6({ mac, from: '::', type: ICMPV6.neighbourSolicit, target: IPV6.b })],
      ],
      ['a router advertisement', [icmp6({ mac, from: IPV6.linkOfA, type: ICMPV6.routerAdvert })]],
      ['a router advertisement behind options', [icmp6BehindOptions({ mac, from: IPV6.linkOfA, type: ICMPV6.routerAdvert })]],
      ['a router advertisement in fragments', icmp6InFragments({ mac, from: IPV6.linkOfA, type: ICMPV6.routerAdvert })],
      ['a redirect', [icmp6({ mac, from: IPV6.linkOfA, type: ICMPV6.redirect, target: IPV6.b })]],
      ['a query for listeners', [icmp6({ mac, from: IPV6.linkOfA, type: ICMPV6.listenerQuery })]],
      ['an answer of a DHCPv6 server', [udp6({ mac, from: IPV6.linkOfA, ports: [547, 546] })]],
      ['an answer of a DHCPv6 server from another port', [udp6({ mac, from: IPV6.linkOfA, ports: [1547, 546] })]],
      ['an answer of a DHCPv6 server to a relay', [udp6({ mac, from: IPV6.a, ports: [547, 547] })]],
    ])('refuses %s', async (_what, frames) => {
      expect(await sees(...frames)).toEqual([]);
    });
  });
});
