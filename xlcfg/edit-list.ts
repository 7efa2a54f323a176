/** Turns one list into another with the fewest touched bytes: entries that stay keep their place, their quotes and their comments. */
import type { List } from './document.ts';
import { quote } from './quoted.ts';
import type { Quote } from './quoted.ts';
import { plainOf, samePlain } from './splice.ts';
import type { Plain, Splice } from './splice.ts';

export function spliceList(text: string, list: List, wanted: readonly Plain[], preferred: Quote): Splice[] {
  const { items } = list;
  if (items.length === 0) return wanted.length === 0 ? [] : [{ start: list.start, end: list.end, text: writeList(wanted, preferred) }];
  const old = items.map(plainOf);
  const prefix = commonLength(old, wanted);
  const suffix = commonLength(old.slice(prefix).reverse(), wanted.slice(prefix).reverse());
  const oldMiddle = items.length - prefix - suffix;
  const newMiddle = wanted.length - prefix - suffix;
  const kept = Math.min(oldMiddle, newMiddle);
  const splices: Splice[] = [];
  for (let index = prefix; index < prefix + kept; index += 1) {
    const item = items[index];
    if (item) splices.push({ start: item.start, end: item.end, text: writePlain(wanted[index] ?? '', quoteOf(list, index, preferred)) });
  }
  for (let index = prefix + kept; index < prefix + oldMiddle; index += 1) splices.push(removal(text, list, index));
  if (newMiddle > kept) {
    const added = wanted
      .slice(prefix + kept, prefix + newMiddle)
      .map((value) => writePlain(value, quoteOf(list, items.length - 1, preferred)));
    splices.push(...insertion(text, list, prefix + kept, added));
  }
  return splices;
}

export function writeList(values: readonly Plain[], preferred: Quote): string {
  return values.length === 0 ? '[ ]' : `[ ${values.map((value) => writePlain(value, preferred)).join(', ')} ]`;
}

function writePlain(value: Plain, preferred: Quote): string {
  return Array.isArray(value) ? writeList(value, preferred) : quote(value, preferred);
}

function quoteOf(list: List, index: number, preferred: Quote): Quote {
  const item = list.items[index];
  return (item?.kind === 'atom' ? item.quote : undefined) ?? preferred;
}

function commonLength(one: readonly Plain[], other: readonly Plain[]): number {
  let length = 0;
  while (length < one.length && length < other.length && samePlain(one[length], other[length])) length += 1;
  return length;
}

/** An entry goes with the comma after it; the comma before the last entry may stay, xl allows one before the bracket. */
function removal(text: string, list: List, index: number): Splice {
  const item = list.items[index] ?? list;
  const comma = list.commas[index];
  if (comma === undefined) return { start: item.start, end: item.end, text: '' };
  const blanks = /^[ \t]*/.exec(text.slice(comma + 1))?.[0].length ?? 0;
  const between = text.slice(item.end, comma);
  if (/^[ \t]*$/.test(between)) return { start: item.start, end: comma + 1 + blanks, text: '' };
  return { start: item.start, end: comma + 1, text: between };
}

/** Adds entries after the entry before them. If that one has a line of its own, so has each of them. */
function insertion(text: string, list: List, before: number, added: readonly string[]): Splice[] {
  const previous = list.items[before - 1];
  if (!previous) {
    const first = list.items[0] ?? list;
    return [{ start: first.start, end: first.start, text: added.map((entry) => `${entry}, `).join('') }];
  }
  const indent = /(?:^|\n)([ \t]*)$/.exec(text.slice(0, previous.start))?.[1];
  const restOfLine = /^([ \t]*,)?[ \t]*(?:#[^\n]*)?\n/.exec(text.slice(previous.end));
  if (indent === undefined || !restOfLine)
    return [{ start: previous.end, end: previous.end, text: added.map((entry) => `, ${entry}`).join('') }];
  const lineEnd = previous.end + restOfLine[0].length;
  const hasComma = restOfLine[1] !== undefined;
  const lines = added.map((entry, index) => `${indent}${entry}${hasComma || index < added.length - 1 ? ',' : ''}\n`).join('');
  return [...(hasComma ? [] : [{ start: previous.end, end: previous.end, text: ',' }]), { start: lineEnd, end: lineEnd, text: lines }];
}
