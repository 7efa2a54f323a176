/** Edits of the text, and the proof that they did what was meant and nothing else. */
import { itemsOf, settingsOf, stringOf } from './document.ts';
import type { CfgDocument, Setting, Value } from './document.ts';
import { parseText } from './parser.ts';

export interface Splice {
  start: number;
  end: number;
  text: string;
}

/** A value without its place: the bytes that xl reads. */
export type Plain = string | Plain[];

export function plainOf(value: Value): Plain {
  return value.kind === 'atom' ? value.value : value.items.map(plainOf);
}

export function plainOfSetting(setting: Setting): Plain {
  return itemsOf(setting)?.map(plainOf) ?? stringOf(setting) ?? '';
}

export function samePlain(one: Plain | undefined, other: Plain | undefined): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((item, index) => samePlain(item, other[index]));
}

/**
 * Applies the splices and reads the result again. `expected` has what changes on purpose (undefined: the key goes).
 * @throws Error if an edit changed something else: a bug, which no input causes; nothing may be written then
 */
export function commit(document: CfgDocument, splices: readonly Splice[], expected: ReadonlyMap<string, Plain | undefined>): CfgDocument {
  if (splices.length === 0) return document;
  const result = parseText(applySplices(document.text, splices));
  const wanted = new Map([...settingsOf(document)].map(([key, setting]): [string, Plain | undefined] => [key, plainOfSetting(setting)]));
  for (const [key, value] of expected) wanted.set(key, value);
  const found = settingsOf(result);
  for (const [key, value] of wanted) {
    const setting = found.get(key);
    if (!samePlain(value, setting && plainOfSetting(setting)))
      throw new Error(`internal error: the edit of the cfg would have left ${key} other than meant; nothing was changed`);
  }
  for (const key of found.keys())
    if (!wanted.has(key)) throw new Error(`internal error: the edit of the cfg would have added ${key}; nothing was changed`);
  return result;
}

/** @param splices in any order; of two at one place, the first in the list comes first */
export function applySplices(text: string, splices: readonly Splice[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, text: replacement } of inOrder(splices)) {
    if (start < at) throw new Error('internal error: two edits of the cfg overlap; nothing was changed');
    result += text.slice(at, start) + replacement;
    at = end;
  }
  return result + text.slice(at);
}

export function inOrder(splices: readonly Splice[]): Splice[] {
  return [...splices].sort((one, other) => one.start - other.start || one.end - other.end);
}
