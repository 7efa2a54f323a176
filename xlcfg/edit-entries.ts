/** Edits within the strings of a list: disk and vif specifications. */
import { itemsOf, settingsOf } from './document.ts';
import type { Atom, CfgDocument } from './document.ts';
import { ChangeError } from './errors.ts';
import { escapeFor, quote } from './quoted.ts';
import { applySplices, plainOf } from './splice.ts';
import type { Plain, Splice } from './splice.ts';

/** The strings of `disk` or `vif`, as far as xl reads them. */
export function entriesOf(document: CfgDocument, key: 'disk' | 'vif'): Atom[] {
  const setting = settingsOf(document).get(key);
  if (setting && setting.last.value.kind !== 'list')
    throw new ChangeError(key, `${key} is a string in this cfg, and xl drops it: it must be a list, ${key} = [ '…' ]`);
  const entries: Atom[] = [];
  for (const item of itemsOf(setting) ?? []) {
    if (item.kind !== 'atom') break;
    entries.push(item);
  }
  return entries;
}

/** Edits of a specification (offsets in its value) as edits of the file; a bare number gets quotes. */
export function splicesOf(entry: Atom, edits: readonly Splice[]): Splice[] {
  const mark = entry.quote;
  if (mark === undefined) return [{ start: entry.start, end: entry.end, text: quote(applySplices(entry.value, edits), "'") }];
  return edits.map(({ start, end, text }) => ({
    start: entry.origins[start] ?? entry.end,
    end: entry.origins[end] ?? entry.end,
    text: escapeFor(text, mark),
  }));
}

/** The whole list with some entries replaced, as it must be read back. */
export function listWith(document: CfgDocument, key: 'disk' | 'vif', replaced: ReadonlyMap<Atom, string>): Plain {
  const items = itemsOf(settingsOf(document).get(key)) ?? [];
  return items.map((item) => (item.kind === 'atom' ? (replaced.get(item) ?? item.value) : plainOf(item)));
}
