/** A disk specification as libxlutil reads it: old (`phy:/dev/x,xvda2,w`), positional (`/dev/x,raw,xvda2,rw`), `key=value`, and mixed. */
import { fail, RULES } from './disk-rules.ts';
import type { DiskState, Rule } from './disk-rules.ts';

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

/** No path is longer, and no specification has more than a few words beside it. */
const MOST_CHARACTERS = 8192;

/** Never throws: what xl refuses is in `disk.error`. Spans are offsets in `spec`. */
export function parseDiskSpec(spec: string): ParsedDisk {
  const state: DiskState = {
    disk: {
      target: null,
      format: 'raw',
      vdev: null,
      access: 'rw',
      backendtype: null,
      devtype: 'disk',
      script: null,
      backend: null,
      prefix: null,
      error: null,
    },
    spans: { target: undefined, targetIsKeyed: false, format: undefined, backendtype: undefined },
    formatIsSet: false,
    accessIsSet: false,
    hasPrefix: false,
    prefixStart: undefined,
  };
  if (spec.length > MOST_CHARACTERS) fail(state, `longer than ${MOST_CHARACTERS} characters`);
  for (let at = 0; at < spec.length && state.disk.error === null;) {
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

function finished(state: DiskState): ParsedDisk {
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
