/**
 * A disk specification as libxlutil reads it (`libxlu_disk_l.l`, Xen 4.17): the rules in its order, the longest match wins, the
 * first of equals. Old (`phy:/dev/x,xvda2,w`), positional (`/dev/x,raw,xvda2,rw`) and `key=value` forms, and mixtures.
 */

export type DiskFormat = 'raw' | 'qcow' | 'qcow2' | 'vhd' | 'qed' | 'empty';

export interface DiskSpec {
  /** Path of the image or device; null where none is named (an empty cdrom drive). */
  target: string | null;
  format: DiskFormat;
  /** The guest's device, `xvda2`; null only where `error` says that none is named. */
  vdev: string | null;
  access: 'rw' | 'ro';
  /** Named in the specification; null leaves the choice to xl. */
  backendtype: 'phy' | 'tap' | 'qdisk' | 'standalone' | null;
  devtype: 'disk' | 'cdrom';
  script: string | null;
  /** The driver domain, if one is named. */
  backend: string | null;
  /** `phy:`, `file:`, `tap:aio:` … as written before the target, without the last colon; null in the newer forms. */
  prefix: string | null;
  /** Why xl ends with an error at this specification. */
  error: string | null;
}

export interface Span {
  start: number;
  end: number;
}

export interface DiskSpans {
  /** The target with its prefixes. */
  target: Span | undefined;
  /** Whether the target is the value of `target=`. */
  targetIsKeyed: boolean;
  /** The value of `format=` or the positional format. */
  format: Span | undefined;
  backendtype: Span | undefined;
}

export interface ParsedDisk {
  disk: DiskSpec;
  spans: DiskSpans;
}

interface State extends ParsedDisk {
  formatIsSet: boolean;
  accessIsSet: boolean;
  hasPrefix: boolean;
  prefixStart: number | undefined;
}

interface Rule {
  pattern: RegExp;
  /** What must follow; it counts for the length of the match, but is left for the next rule. */
  context?: RegExp;
  apply: (state: State, matched: string, start: number) => void;
}

const REST = /[^\n]*/y;

function keyed(name: string, apply: (state: State, value: string, span: Span) => void): Rule {
  return {
    pattern: new RegExp(`${name}=[^,]*,?`, 'y'),
    apply: (state, matched, start) => {
      const value = withoutComma(matched).slice(name.length + 1);
      const valueStart = start + name.length + 1;
      apply(state, value, { start: valueStart, end: valueStart + value.length });
    },
  };
}

function word(pattern: RegExp, apply: (state: State) => void): Rule {
  return { pattern, apply };
}

function prefix(pattern: RegExp, apply: (state: State, name: string) => void): Rule {
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

const RULES: readonly Rule[] = [
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
  keyed('colo-port', nothing),
  keyed('(?:active|hidden)-disk', nothing),
  word(/(?:un)?trusted,?/y, nothing),
  {
    pattern: /target=[^\n]*/y,
    apply: (state, matched, start) => {
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
  { pattern: /[^\n]/y, apply: (state, matched) => fail(state, `bad syntax near "${matched}"`) },
];

/** Never throws: what xl refuses is in `disk.error`. Spans are offsets in `spec`. */
export function parseDiskSpec(spec: string): ParsedDisk {
  const state: State = {
    disk: {
      target: null, format: 'raw', vdev: null, access: 'rw', backendtype: null, devtype: 'disk', script: null, backend: null, prefix: null, error: null,
    },
    spans: { target: undefined, targetIsKeyed: false, format: undefined, backendtype: undefined },
    formatIsSet: false,
    accessIsSet: false,
    hasPrefix: false,
    prefixStart: undefined,
  };
  for (let at = 0; at < spec.length && state.disk.error === null; ) {
    const { rule, length } = longestMatch(spec, at);
    if (!rule) return finished(state);
    rule.apply(state, spec.slice(at, at + length), at);
    at += length;
  }
  return finished(state);
}

function longestMatch(spec: string, at: number): { rule: Rule | undefined; length: number } {
  let best: { rule: Rule | undefined; length: number } = { rule: undefined, length: 0 };
  let bestTotal = 0;
  for (const rule of RULES) {
    const length = matchLength(rule.pattern, spec, at);
    if (length === 0) continue;
    const total = length + (rule.context ? matchLength(rule.context, spec, at + length) : 0);
    if (total > bestTotal) [best, bestTotal] = [{ rule, length }, total];
  }
  return best;
}

function matchLength(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

function positional(state: State, matched: string, start: number): void {
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

function finished(state: State): ParsedDisk {
  const { disk, spans } = state;
  if (disk.error === null) {
    if (disk.devtype === 'cdrom') {
      disk.access = 'ro';
      if (disk.target === null || disk.target === '') disk.format = 'empty';
    }
    if (disk.vdev === null) disk.error = 'no vdev (the device in the guest, such as xvda2) is named';
    else if (disk.target === null && disk.devtype !== 'cdrom') disk.error = 'no target (the path of the image or device) is named';
  }
  return { disk, spans };
}

function setFormat(state: State, value: string): void {
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

function setAccess(state: State, value: string): void {
  if (value === 'r' || value === 'ro') state.disk.access = 'ro';
  else if (value === 'rw' || value === 'w' || value === '') state.disk.access = 'rw';
  else fail(state, `unknown access "${value}": r or w`);
}

function setBackendType(state: State, value: string): void {
  const { disk } = state;
  if (value !== 'phy' && value !== 'tap' && value !== 'qdisk' && value !== 'standalone') fail(state, `unknown backendtype "${value}"`);
  else if (disk.backendtype !== null && disk.backendtype !== value) fail(state, `two backendtypes, ${disk.backendtype} and ${value}`);
  else disk.backendtype = value;
}

/** xl lets an empty value be replaced, and no other. */
function setOnce(state: State, member: 'target' | 'vdev' | 'script' | 'backend', value: string): void {
  if (state.disk[member]) fail(state, `two values for ${member}, "${state.disk[member]}" and "${value}"`);
  else state.disk[member] = value;
}

function setVdevWithType(state: State, value: string): boolean {
  const colon = value.lastIndexOf(':');
  if (colon === -1) return false;
  setOnce(state, 'vdev', value.slice(0, colon));
  const type = value.slice(colon + 1);
  if (type === 'cdrom' || type === 'disk') state.disk.devtype = type;
  else fail(state, `unknown device type "${type}"`);
  return true;
}

function fail(state: State, reason: string): void {
  state.disk.error ??= reason;
}

function withoutComma(matched: string): string {
  return matched.endsWith(',') ? matched.slice(0, -1) : matched;
}
