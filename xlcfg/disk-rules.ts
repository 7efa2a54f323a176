/**
 * The rules of libxlutil's `libxlu_disk_l.l` (Xen 4.17 to 4.20), in its order: the longest match wins, and of equally long ones the first.
 * `trusted`, `untrusted` and `grant_usage` are rules of 4.20. 4.17 takes these words for positional fields, so it refuses them after all
 * other fields, which is where they are written.
 */
import type { DiskFormat, ParsedDisk, Span } from './disk-spec.ts';

export interface DiskState extends ParsedDisk {
  formatIsSet: boolean;
  accessIsSet: boolean;
  hasPrefix: boolean;
  /** Where the prefixes before the target start. */
  prefixStart: number | undefined;
}

export interface Rule {
  pattern: RegExp;
  /** What must follow; it counts for the length of the match, but is left for the next rule. */
  context?: RegExp;
  apply: (state: DiskState, matched: string, start: number) => void;
}

const REST = /[^\n]*/y;

function keyed(name: string, apply: (state: DiskState, value: string, span: Span) => void): Rule {
  return {
    pattern: new RegExp(`${name}=[^,]*,?`, 'y'),
    apply: (state, matched, start) => {
      const value = withoutComma(matched).slice(name.length + 1);
      const valueStart = start + name.length + 1;
      apply(state, value, { start: valueStart, end: valueStart + value.length });
    },
  };
}

function word(pattern: RegExp, apply: (state: DiskState) => void): Rule {
  return { pattern, apply };
}

function prefix(pattern: RegExp, apply: (state: DiskState, name: string) => void): Rule {
  return {
    pattern,
    context: REST,
    apply: (state, matched, start) => {
      const name = matched.slice(0, -1);
      state.hasPrefix = true;
      state.prefixStart ??= start;
      state.disk.prefix = state.disk.prefix === null ? name : `${state.disk.prefix}:${name}`;
      apply(state, name);
    },
  };
}

const nothing = (): void => undefined;

export const RULES: readonly Rule[] = [
  { pattern: /[ \t\n]+/y, context: /(?:[^ \t\n][^\n]*)?/y, apply: nothing },
  keyed('format', (state, value, span) => {
    setFormat(state, value);
    state.spans.format = span;
  }),
  word(/cdrom,?/y, ({ disk }) => (disk.devtype = 'cdrom')),
  word(/devtype=cdrom,?/y, ({ disk }) => (disk.devtype = 'cdrom')),
  word(/devtype=disk,?/y, ({ disk }) => (disk.devtype = 'disk')),
  keyed('devtype', (state, value) => fail(state, `devtype=${value}: a disk or a cdrom`)),
  keyed('access', (state, value) => setAccess(state, value)),
  keyed('backend', (state, value) => setOnce(state, 'backend', value)),
  keyed('backendtype', (state, value, span) => {
    setBackendType(state, value);
    state.spans.backendtype = span;
  }),
  keyed('specification', (state, value) => {
    if (value !== 'xen' && value !== 'virtio') fail(state, `specification=${value}: xen or virtio`);
  }),
  keyed('vdev', (state, value) => setOnce(state, 'vdev', value)),
  keyed('script', (state, value) => setOnce(state, 'script', value)),
  word(/direct-io-safe,?/y, nothing),
  word(/(?:no-)?discard,?/y, nothing),
  word(/(?:no-)?colo,?/y, nothing),
  keyed('colo-(?:host|export)', nothing),
  keyed('colo-port', (state, value) => {
    if (!/^\s*[+-]?0*[1-9]/.test(value)) fail(state, `colo-port=${value} is no port`);
  }),
  keyed('(?:active|hidden)-disk', nothing),
  word(/(?:un)?trusted,?/y, nothing),
  word(/grant_usage=[01],?/y, nothing),
  {
    pattern: /target=[^\n]*/y,
    apply: (state: DiskState, matched: string, start: number): void => {
      const value = withoutComma(matched).slice('target='.length);
      setOnce(state, 'target', value);
      state.spans.target = { start: start + 'target='.length, end: start + 'target='.length + value.length };
      state.spans.targetIsKeyed = true;
    },
  },
  { pattern: /[a-z][-a-z0-9]*=[^,],?/y, apply: (state, matched) => fail(state, `unknown parameter near "${matched}"`) },
  prefix(/(?:raw|qcow2?|vhd):/y, setFormat),
  prefix(/(?:iscsi|e?nbd|drbd):/y, (state, name) => setOnce(state, 'script', `block-${name}`)),
  prefix(/(?:tapdisk|tap2?|aio|ioemu|file|phy):/y, nothing),
  {
    pattern: /[a-z][a-z0-9]*:/y,
    context: /(?:[^a-z0-9][^\n]*)?/y,
    apply: (state, matched) => fail(state, `unknown prefix "${matched}"`),
  },
  { pattern: /[^=,]*,|[^=,]+,?/y, apply: positional },
  // One such character at the very end is overlooked.
  { pattern: /[^\n](?!$)/y, apply: (state, matched) => fail(state, `bad syntax near "${matched}"`) },
];

function positional(state: DiskState, matched: string, start: number): void {
  const value = withoutComma(matched);
  const { disk, spans } = state;
  const span = { start, end: start + value.length };
  if (disk.target === null) {
    disk.target = value;
    spans.target = { start: state.prefixStart ?? start, end: span.end };
  } else if (!state.hasPrefix && !state.formatIsSet) {
    if (disk.target === '' && setVdevWithType(state, value)) setFormat(state, 'empty');
    else {
      setFormat(state, value);
      spans.format = span;
    }
  } else if (disk.vdev === null) {
    if (!setVdevWithType(state, value)) setOnce(state, 'vdev', value);
  } else if (!state.accessIsSet) {
    state.accessIsSet = true;
    setAccess(state, value);
  } else {
    fail(state, `one part too many: "${value}"`);
  }
}

function setFormat(state: DiskState, value: string): void {
  const format = value === '' ? 'raw' : value;
  if (!isFormat(format)) fail(state, `unknown format "${value}"`);
  else if (state.formatIsSet && state.disk.format !== format) fail(state, `two formats, ${state.disk.format} and ${format}`);
  else {
    state.disk.format = format;
    state.formatIsSet = true;
  }
}

function isFormat(value: string): value is DiskFormat {
  return ['raw', 'qcow', 'qcow2', 'vhd', 'qed', 'empty'].includes(value);
}

function setAccess(state: DiskState, value: string): void {
  if (value === 'r' || value === 'ro') state.disk.access = 'ro';
  else if (value === 'rw' || value === 'w' || value === '') state.disk.access = 'rw';
  else fail(state, `unknown access "${value}": r or w`);
}

function setBackendType(state: DiskState, value: string): void {
  const { disk } = state;
  if (value !== 'phy' && value !== 'tap' && value !== 'qdisk' && value !== 'standalone') fail(state, `unknown backendtype "${value}"`);
  else if (disk.backendtype !== null && disk.backendtype !== value) fail(state, `two backendtypes, ${disk.backendtype} and ${value}`);
  else disk.backendtype = value;
}

/** xl takes a field twice only if its first value is empty. */
function setOnce(state: DiskState, member: 'target' | 'vdev' | 'script' | 'backend', value: string): void {
  if (state.disk[member]) fail(state, `two values for ${member}, "${state.disk[member]}" and "${value}"`);
  else state.disk[member] = value;
}

function setVdevWithType(state: DiskState, value: string): boolean {
  const colon = value.lastIndexOf(':');
  if (colon === -1) return false;
  setOnce(state, 'vdev', value.slice(0, colon));
  const type = value.slice(colon + 1);
  if (type === 'cdrom' || type === 'disk') state.disk.devtype = type;
  else fail(state, `unknown device type "${type}"`);
  return true;
}

export function fail(state: DiskState, reason: string): void {
  state.disk.error ??= reason;
}

function withoutComma(matched: string): string {
  return matched.endsWith(',') ? matched.slice(0, -1) : matched;
}
