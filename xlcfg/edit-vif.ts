import type { VifChange, VifFieldChange } from './change.ts';
import type { Atom, CfgDocument } from './document.ts';
import { entriesOf, listWith, splicesOf } from './edit-entries.ts';
import type { Edited } from './edit-set.ts';
import { ChangeError } from './errors.ts';
import { applySplices, commit } from './splice.ts';
import type { Splice } from './splice.ts';
import { macFault, vifParts, type VifPart } from './vif-spec.ts';

/** Changes fields of vifs, found by their place in the list; a field that is not there is put at the end, one that is to be null is taken out. */
export function editVifs(document: CfgDocument, changes: readonly VifChange[]): Edited {
  if (changes.length === 0) return { document, changed: [], notes: [] };
  const entries = entriesOf(document, 'vif');
  const splices: Splice[] = [];
  const replaced = new Map<Atom, string>();
  const changed: string[] = [];
  const notes: string[] = [];
  for (const [position, { index, ...fields }] of changes.entries()) {
    const entry = entries[index];
    if (!entry) throw new ChangeError(`vif[${position}].index`, `there is no vif ${index}: ${countOf(entries.length)}`);
    const { edits, names } = editsFor(entry.value, fields);
    if (edits.length > 0) {
      splices.push(...splicesOf(entry, edits));
      replaced.set(entry, applySplices(entry.value, edits));
    }
    changed.push(...names.map((name) => `vif ${index} ${name}`));
    const fault = fields.mac === undefined ? undefined : macFault(fields.mac);
    if (fault) notes.push(fault.reason);
  }
  return { document: commit(document, splices, new Map([['vif', listWith(document, 'vif', replaced)]])), changed, notes };
}

function countOf(count: number): string {
  if (count === 0) return 'the cfg has none';
  return count === 1 ? 'the cfg has one, number 0' : `the cfg has ${count}, numbers 0 to ${count - 1}`;
}

function editsFor(spec: string, fields: Omit<VifChange, 'index'>): { edits: Splice[]; names: string[] } {
  const parts = vifParts(spec);
  const edits: Splice[] = [];
  const names: string[] = [];
  const added: string[] = [];
  for (const [name, value] of Object.entries(fields) as [VifFieldChange, string | null][]) {
    if (value === null) {
      const gone = removals(spec, parts, name);
      edits.push(...gone);
      if (gone.length > 0) names.push(name);
      continue;
    }
    const part = parts.findLast(({ key, valueStart, end }) => key === name && spec.charAt(valueStart - 1) === '=' && valueStart <= end);
    if (!part) {
      added.push(`${name}=${value}`);
    } else if (isSame(name, part.value, value)) {
      continue;
    } else {
      // To xl a blank after an address means nothing, but one after a bridge is part of its name.
      const end = name === 'mac' || name === 'ip' ? part.valueStart + part.value.trimEnd().length : part.end;
      edits.push({ start: part.valueStart, end: Math.max(end, part.valueStart), text: value });
    }
    names.push(name);
  }
  if (added.length > 0)
    edits.push({ start: spec.length, end: spec.length, text: `${/(?:^|,) *$/.test(spec) ? '' : ','}${added.join(',')}` });
  return { edits, names };
}

/** Takes a field out wherever it stands, each with a comma: the one before it, or if nothing is left before it, the one behind it. */
function removals(spec: string, parts: readonly VifPart[], name: VifFieldChange): Splice[] {
  const edits: Splice[] = [];
  let from = 0;
  for (const { key, start, valueStart, end } of parts) {
    if (key !== name || spec.charAt(valueStart - 1) !== '=') continue;
    const comma = spec.lastIndexOf(',', start);
    const until = comma < from ? Math.min(end + 1, spec.length) : end;
    edits.push({ start: Math.max(from, comma), end: until, text: '' });
    from = until;
  }
  return edits;
}

function isSame(name: VifFieldChange, found: string, wanted: string): boolean {
  if (name === 'mac') return found.trim().toLowerCase() === wanted.toLowerCase();
  if (name === 'ip') return found.trim().split(/\s+/).join(' ') === wanted;
  return found === wanted;
}
