/** Ethernet frames, byte by byte, as an honest guest and a dishonest one send them. */

const BROADCAST = 'ff:ff:ff:ff:ff:ff';

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(':', ''), 'hex');
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function ip4(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

/** The 16 bytes of an IPv6 address. */
export function ip6(address: string): Buffer {
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':').map((group) => group.padStart(4, '0')));
  const [head = '', tail] = address.split('::');
  const first = groups(head);
  const last = groups(tail ?? '');
  return bytes([...first, ...Array<string>(8 - first.length - last.length).fill('0000'), ...last].join(''));
}

/** Without padding, which a bridge takes away where it looks into the packet. */
function ethernet(from: string, to: string, type: number, payload: Buffer): Buffer {
  return Buffer.concat([bytes(to), bytes(from), u16(type), payload]);
}

/** The same frame with a VLAN tag. */
export function tagged(frame: Buffer, vlan: number): Buffer {
  return Buffer.concat([frame.subarray(0, 12), u16(0x8100), u16(vlan), frame.subarray(12)]);
}

export interface Arp {
  readonly mac: string;
  /** Default: `mac`. */
  readonly senderMac?: string;
  readonly sender: string;
  readonly target: string;
  /** Default: a request. */
  readonly answer?: boolean;
}

export function arp({ mac, senderMac = mac, sender, target, answer = false }: Arp): Buffer {
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, answer ? 2 : 1]);
  return ethernet(mac, BROADCAST, 0x0806, Buffer.concat([head, bytes(senderMac), ip4(sender), Buffer.alloc(6), ip4(target)]));
}

function sumOf(header: Buffer): Buffer {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return u16(~sum & 0xffff);
}

export interface Udp {
  readonly mac: string;
  readonly from: string;
  readonly to: string;
  /** Source and destination. Default: 40000 to 9. */
  readonly ports?: readonly [number, number];
  readonly text?: string;
}

function datagram([source, destination]: readonly [number, number], text: string): Buffer {
  const data = Buffer.from(text);
  return Buffer.concat([u16(source), u16(destination), u16(8 + data.length), u16(0), data]);
}

/** To everybody on the Ethernet, so that it reaches the neighbour whatever the bridge has learnt. */
export function udp4({ mac, from, to, ports = [40_000, 9], text = '' }: Udp): Buffer {
  const body = datagram(ports, text);
  const [before, after] = [
    Buffer.concat([Buffer.from([0x45, 0]), u16(20 + body.length), u16(1), u16(0), Buffer.from([64, 17])]),
    Buffer.concat([ip4(from), ip4(to)]),
  ];
  const sum = sumOf(Buffer.concat([before, u16(0), after]));
  return ethernet(mac, BROADCAST, 0x0800, Buffer.concat([before, sum, after, body]));
}

interface Ipv6 {
  readonly mac: string;
  readonly from: string;
  readonly to?: string;
  /** Default: 255. */
  readonly hopLimit?: number;
}

function packet6({ mac, from, to = 'ff02::1', hopLimit = 255 }: Ipv6, next: number, payload: Buffer): Buffer {
  const head = Buffer.concat([Buffer.from([0x60, 0, 0, 0]), u16(payload.length), Buffer.from([next, hopLimit])]);
  return ethernet(mac, BROADCAST, 0x86dd, Buffer.concat([head, ip6(from), ip6(to), payload]));
}

export function udp6({ ports = [40_000, 9], text = '', ...packet }: Ipv6 & Pick<Udp, 'ports' | 'text'>): Buffer {
  return packet6({ hopLimit: 64, ...packet }, 17, datagram(ports, text));
}

/** ICMPv6 types. */
export const ICMPV6 = {
  echo: 128,
  listenerQuery: 130,
  routerSolicit: 133,
  routerAdvert: 134,
  neighbourSolicit: 135,
  neighbourAdvert: 136,
  redirect: 137,
  listenerReport: 143,
};

export interface Icmpv6 extends Ipv6 {
  readonly type: number;
  /** Of neighbour discovery. Default: none. */
  readonly target?: string;
}

function message({ type, target }: Icmpv6): Buffer {
  return Buffer.concat([Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]), target === undefined ? Buffer.alloc(16) : ip6(target)]);
}

export function icmp6(packet: Icmpv6): Buffer {
  return packet6(packet, 58, message(packet));
}

/** The message behind a header of options for the destination. */
export function icmp6BehindOptions(packet: Icmpv6): Buffer {
  return packet6(packet, 60, Buffer.concat([Buffer.from([58, 0, 1, 4, 0, 0, 0, 0]), message(packet)]));
}

/** The first fragment has options only; what it is stands in the second. */
export function icmp6InFragments(packet: Icmpv6): [first: Buffer, second: Buffer] {
  const options = Buffer.from([58, 0, 1, 4, 0, 0, 0, 0]);
  const fragment = (offset: number, more: boolean): Buffer =>
    Buffer.concat([Buffer.from([60, 0]), u16(offset | (more ? 1 : 0)), Buffer.from([0, 0, 0, 7])]);
  return [
    packet6(packet, 44, Buffer.concat([fragment(0, true), options])),
    packet6(packet, 44, Buffer.concat([fragment(8, false), message(packet)])),
  ];
}

/** What a bridge says to others to become the root of the spanning tree. */
export function bpdu(mac: string): Buffer {
  const best = Buffer.concat([Buffer.alloc(2), bytes(mac)]);
  const body = Buffer.concat([
    Buffer.from([0x42, 0x42, 3, 0, 0, 0, 0, 0]),
    best,
    Buffer.alloc(4),
    best,
    Buffer.from([0x80, 1, 0, 0, 0x14, 0, 2, 0, 0x0f, 0]),
  ]);
  return ethernet(mac, '01:80:c2:00:00:00', body.length, body);
}

/** Reverse ARP, which some switches learn from. */
export function rarp(mac: string): Buffer {
  return ethernet(
    mac,
    BROADCAST,
    0x8035,
    Buffer.concat([Buffer.from([0, 1, 8, 0, 6, 4, 0, 3]), bytes(mac), Buffer.alloc(4), bytes(mac), Buffer.alloc(4)]),
  );
}
