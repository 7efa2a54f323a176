/** A vif specification as xl reads it (`parse_nic_config`, Xen 4.17): parts between commas, blanks before a part skipped, those after it kept. */
import { isIPv4, isIPv6 } from 'node:net';
import { nearestOf } from './known-keys.ts';
import { readNumber } from './numbers.ts';

/** The fields that xl takes as text. */
const TEXT_FIELDS = [
  'bridge',
  'gatewaydev',
  'netdev',
  'script',
  'backend',
  'vifname',
  'model',
  'rate',
  'mtu',
  'devid',
  'accel',
  'forwarddev',
] as const;
const FIELDS: readonly string[] = ['mac', 'ip', 'type', ...TEXT_FIELDS];

export type VifField = 'mac' | 'ip' | 'type' | (typeof TEXT_FIELDS)[number];

export interface VifSpec {
  /** As written; xl reads letters of either case. */
  mac: string | null;
  bridge: string | null;
  /** All addresses of `ip=`. */
  ip: string[];
  script: string | null;
  model: string | null;
  type: 'vif' | 'ioemu' | null;
  vifname: string | null;
  gatewaydev: string | null;
  backend: string | null;
  rate: string | null;
  mtu: string | null;
  /** The parts that xl ignores or misreads, and what it makes of each. */
  faults: VifFault[];
}

export interface VifFault {
  effect: 'refused' | 'dropped' | 'misread' | 'warning';
  reason: string;
}

/** One part of a specification, offsets in it. */
export interface VifPart {
  key: string;
  value: string;
  start: number;
  valueStart: number;
  /** Up to the comma or the end, blanks included, as xl takes it. */
  end: number;
}

export function vifParts(spec: string): VifPart[] {
  const parts: VifPart[] = [];
  let at = 0;
  for (const piece of spec.split(',')) {
    const skipped = /^ */.exec(piece)?.[0].length ?? 0;
    const start = at + skipped;
    const end = at + piece.length;
    at = end + 1;
    if (piece === '') continue;
    const equals = spec.slice(start, end).indexOf('=');
    const key = equals === -1 ? spec.slice(start, end) : spec.slice(start, start + equals);
    const valueStart = equals === -1 ? end : start + equals + 1;
    parts.push({ key, value: spec.slice(valueStart, end), start, valueStart, end });
  }
  return parts;
}

/** Never throws: what xl would not take is in `faults`. */
export function parseVifSpec(spec: string): VifSpec {
  const vif: VifSpec = {
    mac: null,
    bridge: null,
    ip: [],
    script: null,
    model: null,
    type: null,
    vifname: null,
    gatewaydev: null,
    backend: null,
    rate: null,
    mtu: null,
    faults: [],
  };
  for (const part of vifParts(spec)) readPart(vif, part, spec);
  return vif;
}

function readPart(vif: VifSpec, { key, value, start, end }: VifPart, spec: string): void {
  const text = spec.slice(start, end);
  if (key === 'mac' && text.includes('=')) {
    vif.mac = value.trim();
    const fault = macFault(value.trim());
    if (fault) vif.faults.push(fault);
  } else if (key === 'ip' && text.includes('=')) {
    vif.ip = value.split(/\s+/).filter((address) => address !== '');
    for (const address of vif.ip) if (!isAddress(address)) vif.faults.push({ effect: 'warning', reason: `ip=${address} is no address` });
  } else if (key === 'type' && text.includes('=')) {
    if (value === 'vif' || value === 'ioemu') vif.type = value;
    else vif.faults.push({ effect: 'dropped', reason: `type=${value}: xl knows vif and ioemu` });
  } else if ((TEXT_FIELDS as readonly string[]).includes(key) && text.includes('=')) {
    setText(vif, key, value);
  } else if (text !== 'trusted' && text !== 'untrusted' && !key.startsWith('colo_')) {
    vif.faults.push({ effect: 'dropped', reason: unknownReason(key, text) });
  }
}

function setText(vif: VifSpec, key: string, value: string): void {
  if (
    key === 'bridge' ||
    key === 'script' ||
    key === 'model' ||
    key === 'vifname' ||
    key === 'gatewaydev' ||
    key === 'backend' ||
    key === 'rate' ||
    key === 'mtu'
  )
    vif[key] = value;
  if (key === 'netdev') vif.gatewaydev = value;
  const rate = key === 'rate' ? rateFault(value) : undefined;
  if (rate !== undefined) vif.faults.push({ effect: 'refused', reason: `rate=${value}: ${rate}` });
  if ((key === 'mtu' || key === 'devid') && !/^\s*[0-9]/.test(value))
    vif.faults.push({ effect: 'refused', reason: `${key}=${value} is no number` });
  if (key === 'accel') vif.faults.push({ effect: 'dropped', reason: 'accel= is not supported by xl' });
  if (value !== value.trimEnd())
    vif.faults.push({ effect: 'misread', reason: `the blank after ${key}=${value.trimEnd()} is part of the value to xl: remove it` });
}

const UNITS: Readonly<Record<string, bigint>> = { '': 1n, K: 1_000n, M: 1_000_000n, G: 1_000_000_000n };
const MICROSECONDS: Readonly<Record<string, bigint>> = { '': 1_000_000n, s: 1_000_000n, m: 1_000n, ms: 1_000n, u: 1n, us: 1n };

/** What libxlutil has against a rate (`xlu_vif_parse_rate`): the number and the µs of an interval, by default 50 ms, have 32 bits, their product 64. */
function rateFault(rate: string): string | undefined {
  const match = /^([0-9]+)([GMK]?)([Bb])\/s(?:@([0-9]+)([mu]?s?))?$/.exec(rate);
  if (match === null) return 'xl wants 10Mb/s or 1MB/s@20ms';
  const [, count = '', unit = '', size, every = '50', time = 'ms'] = match;
  const number = numberOf(count);
  const bits = number * (UNITS[unit] ?? 1n) * (size === 'b' ? 1n : 8n);
  const interval = numberOf(every) * (MICROSECONDS[time] ?? 1n);
  if (bits === 0n || interval === 0n) return 'xl wants more than 0, and takes a number with a zero in front for octal';
  const isTooMuch = number >= 2n ** 32n || interval >= 2n ** 32n || (bits / 8n) * interval >= 2n ** 64n;
  return isTooMuch ? 'xl cannot count so much' : undefined;
}

function numberOf(digits: string): bigint {
  const reading = readNumber(digits);
  return 'value' in reading ? reading.value : 0n;
}

/** xl stops at the first part that is not one byte in hexadecimal, and leaves the rest of the address as it was. */
export function macFault(mac: string): VifFault | undefined {
  if (!/^[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}$/i.test(mac)) {
    return {
      effect: 'misread',
      reason: `mac=${mac} is no MAC address (six bytes, as in 00:16:3e:12:34:56): xl reads as much of it as it can and drops the rest`,
    };
  }
  if (Number.parseInt(mac, 16) % 2 === 1)
    return { effect: 'warning', reason: `mac=${mac} is a multicast address: no guest can have it (its first byte is odd)` };
  return undefined;
}

export function isAddress(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  if (rest.length > 0 || address.includes('%')) return false;
  if (prefix !== undefined && (!/^(?:0|[1-9][0-9]{0,2})$/.test(prefix) || Number(prefix) > (isIPv4(address) ? 32 : 128))) return false;
  return isIPv4(address) || isIPv6(address);
}

function unknownReason(key: string, text: string): string {
  const near = FIELDS.includes(key.trim()) ? key.trim() : nearestOf(key.trim(), FIELDS);
  const hint = near === undefined ? '' : `: was ${near}= meant?`;
  return `"${text}" is no vif setting, and xl goes on without it${hint}`;
}
