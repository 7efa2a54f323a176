import type { DiskChange } from './change.ts';
import type { Atom, CfgDocument } from './document.ts';
import { parseDiskSpec } from './disk-spec.ts';
import type { DiskSpec, ParsedDisk } from './disk-spec.ts';
import { entriesOf, listWith, splicesOf } from './edit-entries.ts';
import type { Edited } from './edit-set.ts';
import { ChangeError } from './errors.ts';
import { applySplices, commit } from './splice.ts';
import type { Splice } from './splice.ts';
import { encode } from './text.ts';

interface Destination {
  prefix: string | null;
  path: string;
  format: DiskSpec['format'];
}

/** Points disks, found by their vdev, at other targets; of each entry only target, format and backend type change. */
export function editDisks(document: CfgDocument, changes: readonly DiskChange[]): Edited {
  if (changes.length === 0) return { document, changed: [], notes: [] };
  const entries = entriesOf(document, 'disk');
  const splices: Splice[] = [];
  const replaced = new Map<Atom, string>();
  const changed: string[] = [];
  const notes: string[] = [];
  for (const [index, change] of changes.entries()) {
    const field = `disk[${index}]`;
    const entry = entryOf(entries, change.vdev, field);
    const parsed = parseDiskSpec(entry.value);
    const edits = editsFor(entry.value, parsed, destinationOf(change.to, field, document), field);
    if (edits.length === 0) continue;
    splices.push(...splicesOf(entry, edits));
    replaced.set(entry, applySplices(entry.value, edits));
    changed.push(`disk ${change.vdev}`);
    if (parsed.disk.script !== null && parsed.disk.prefix === null)
      notes.push(`disk ${change.vdev} keeps script=${parsed.disk.script}: see that it suits the new target`);
  }
  return { document: commit(document, splices, new Map([['disk', listWith(document, 'disk', replaced)]])), changed, notes };
}

function entryOf(entries: readonly Atom[], vdev: string, field: string): Atom {
  const disks = entries.map((entry) => ({ entry, disk: parseDiskSpec(entry.value).disk }));
  const found = disks.filter(({ disk }) => disk.vdev === vdev);
  const refused = (found.length === 0 ? disks : found).find(({ disk }) => disk.error !== null);
  if (refused) throw new ChangeError(field, `xl refuses the disk "${refused.entry.value}": ${refused.disk.error ?? ''}`);
  const [first, second] = found;
  if (second) throw new ChangeError(`${field}.vdev`, `${found.length} disks are ${vdev}: which one is meant?`);
  if (!first) {
    const there = disks.map(({ disk }) => disk.vdev).join(', ');
    throw new ChangeError(`${field}.vdev`, `no disk is ${vdev}: ${there === '' ? 'there are no disks' : `there are ${there}`}`);
  }
  return first.entry;
}

function destinationOf(to: string, field: string, { encoding }: CfgDocument): Destination {
  const bytes = encode(to, encoding);
  if (bytes === undefined) throw new ChangeError(`${field}.to`, 'has a character that the file cannot hold');
  const slash = bytes.indexOf('/');
  const { disk } = parseDiskSpec(slash === 0 ? `${bytes},raw,xvda,w` : `${bytes},xvda,w`);
  if (disk.error !== null || disk.target !== bytes.slice(slash) || disk.script !== null) {
    throw new ChangeError(`${field}.to`, `"${to}" is no target that xl knows: ${disk.error ?? 'use phy:/dev/…, file:/… or qcow2:/…'}`);
  }
  return { prefix: disk.prefix, path: disk.target, format: disk.format };
}

function editsFor(spec: string, parsed: ParsedDisk, wanted: Destination, field: string): Splice[] {
  const { disk } = parsed;
  const hasPrefix = disk.prefix !== null && !parsed.spans.targetIsKeyed;
  const edits = [
    ...targetEdits(spec, parsed, wanted, hasPrefix),
    ...formatEdits(parsed, wanted, hasPrefix),
    ...backendEdits(parsed, wanted),
  ].filter(({ start, end, text }) => spec.slice(start, end) !== text);
  const { disk: result } = parseDiskSpec(applySplices(spec, edits));
  const untouched =
    result.vdev === disk.vdev && result.access === disk.access && result.devtype === disk.devtype && result.backend === disk.backend;
  const script = hasPrefix && disk.script?.startsWith('block-') ? null : disk.script;
  if (
    result.error !== null ||
    !untouched ||
    result.target !== wanted.path ||
    result.format !== wanted.format ||
    (result.script !== script && result.script !== disk.script)
  ) {
    throw new ChangeError(field, `the disk "${spec}" cannot be changed where it stands: set the whole disk list`);
  }
  return edits;
}

function targetEdits(spec: string, { disk, spans }: ParsedDisk, { prefix, path }: Destination, hasPrefix: boolean): Splice[] {
  if (!spans.target) return [{ start: spec.length, end: spec.length, text: `${/(?:^|,)\s*$/.test(spec) ? '' : ','}target=${path}` }];
  const oldForm = hasPrefix || (disk.target === '' && disk.format === 'empty' && !spans.format);
  const text = oldForm ? `${prefix ?? (path.startsWith('/dev/') ? 'phy' : 'file')}:${path}` : path;
  if (hasPrefix && prefix === null && disk.target === path && disk.format === 'raw') return [];
  return [{ ...spans.target, text }];
}

/** An old prefix (`qcow2:`) names the format itself. */
function formatEdits({ disk, spans }: ParsedDisk, { format }: Destination, hasPrefix: boolean): Splice[] {
  if (spans.format) return disk.format === format ? [] : [{ ...spans.format, text: format }];
  if (hasPrefix || format === 'raw' || !spans.target || (disk.target === '' && disk.format === 'empty')) return [];
  const at = spans.targetIsKeyed ? spans.target.start - 'target='.length : spans.target.end;
  return [{ start: at, end: at, text: spans.targetIsKeyed ? `format=${format},` : `,format=${format}` }];
}

/** Replaces a backend type that cannot serve the new target: `phy` serves devices, and nothing else. */
function backendEdits({ disk, spans }: ParsedDisk, { prefix }: Destination): Splice[] {
  if (!spans.backendtype || prefix === null) return [];
  if (prefix === 'phy' && disk.backendtype !== 'phy') return [{ ...spans.backendtype, text: 'phy' }];
  if (prefix !== 'phy' && disk.backendtype === 'phy') return [{ ...spans.backendtype, text: 'qdisk' }];
  return [];
}
