import type { Position } from './errors.ts';
import type { Quote } from './quoted.ts';
import type { Encoding } from './text.ts';

/** A string or a number as written: to xl's parser both are text. */
export interface Atom {
  kind: 'atom';
  start: number;
  end: number;
  /** The bytes that xl reads. */
  value: string;
  /** None for a bare number. */
  quote: Quote | undefined;
  /** Where each byte of `value` stands in the text, and one more for the end. */
  origins: number[];
}

export interface List {
  kind: 'list';
  start: number;
  end: number;
  items: Value[];
  /** Where the comma after each item stands; undefined after the last, if it has none. */
  commas: (number | undefined)[];
}

export type Value = Atom | List;

export interface Statement {
  key: string;
  operator: '=' | '+=';
  start: number;
  operatorStart: number;
  end: number;
  value: Value;
}

export interface CfgDocument {
  /** The file, one character a byte. */
  readonly text: string;
  readonly encoding: Encoding;
  readonly statements: readonly Statement[];
  /** Where the first line ends in CRLF, if one does: xl refuses the file until that is mended. */
  readonly carriageReturn: Position | undefined;
}

/** What a key is worth to xl: the last assignment and all that was added to it since. */
export interface Setting {
  key: string;
  /** The statements that count: one assignment (or a first `+=`), then additions. */
  chain: Statement[];
  last: Statement;
  /** How many statements name the key at all. */
  count: number;
}

export function settingsOf(document: CfgDocument): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const statement of document.statements) {
    const before = settings.get(statement.key);
    if (before) {
      if (statement.operator === '+=') before.chain.push(statement);
      else before.chain = [statement];
      before.last = statement;
      before.count += 1;
    } else {
      settings.set(statement.key, { key: statement.key, chain: [statement], last: statement, count: 1 });
    }
  }
  return settings;
}

/** The bytes of a string setting; undefined for a list. */
export function stringOf(setting: Setting | undefined): string | undefined {
  if (setting?.last.value.kind !== 'atom') return undefined;
  return setting.chain.map(({ value }) => (value.kind === 'atom' ? value.value : '')).join('');
}

/** The items of a list setting; undefined for a string. */
export function itemsOf(setting: Setting | undefined): Value[] | undefined {
  if (setting?.last.value.kind !== 'list') return undefined;
  return setting.chain.flatMap(({ value }) => (value.kind === 'list' ? value.items : []));
}
