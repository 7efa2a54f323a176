import type { SetItem, SetValue } from './change.ts';
import { settingsOf, stringOf } from './document.ts';
import type { CfgDocument, Setting, Statement } from './document.ts';
import { spliceList, writeList } from './edit-list.ts';
import { ChangeError } from './errors.ts';
import { AT_LEAST_ONE, kindOf, nearestKey } from './known-keys.ts';
import { readNumber } from './numbers.ts';
import { quote } from './quoted.ts';
import type { Quote } from './quoted.ts';
import { commit, plainOfSetting, samePlain } from './splice.ts';
import type { Plain, Splice } from './splice.ts';
import { encode } from './text.ts';

const LARGEST = 2 ** 31 - 1;

export interface Edited {
  document: CfgDocument;
  changed: string[];
  notes: string[];
}

/** What is to be written: the bytes, and whether they may stand without quotes. */
interface Wanted {
  plain: Plain;
  bare: boolean;
}

/** Sets keys: changes the statement that counts, adds a line at the end for a new key, and takes a key out if it is set to null. */
export function editSet(document: CfgDocument, set: Readonly<Record<string, SetValue>>): Edited {
  const settings = settingsOf(document);
  const splices: Splice[][] = [];
  const expected = new Map<string, Plain | undefined>();
  const lines: string[] = [];
  const notes: string[] = [];
  for (const [key, value] of Object.entries(set)) {
    const setting = settings.get(key);
    const wanted = value === null ? undefined : wantedOf(key, value, document, notes);
    if (wanted === undefined ? !setting : setting && isAlready(setting, wanted)) continue;
    expected.set(key, wanted?.plain);
    if (wanted === undefined) splices.push(removals(document, key));
    else if (setting) splices.push(inPlace(document, setting, wanted));
    else lines.push(`${key}${separator(document)}${write(wanted, preferredQuote(document))}\n`);
  }
  if (lines.length > 0) splices.push([appended(document, lines.join(''))]);
  return { document: commit(document, splices.flat(), expected), changed: [...expected.keys()], notes };
}

/** A new line `key = value` at the end of the file. */
export function appendString(document: CfgDocument, key: string, value: string): CfgDocument {
  const line = `${key}${separator(document)}${quote(value, preferredQuote(document))}\n`;
  return commit(document, [appended(document, line)], new Map([[key, value]]));
}

function appended({ text }: CfgDocument, lines: string): Splice {
  return { start: text.length, end: text.length, text: text === '' || text.endsWith('\n') ? lines : `\n${lines}` };
}

function wantedOf(key: string, value: Exclude<SetValue, null>, document: CfgDocument, notes: string[]): Wanted {
  const kind = kindOf(key);
  const field = `set.${key}`;
  if (kind === undefined) noteUnknown(key, field, notes);
  if (Array.isArray(value)) {
    if (kind !== undefined && !kind.includes('list')) throw new ChangeError(field, `${key} is one value to xl, not a list`);
    return { plain: value.map((item, index) => plainItem(item, `${field}[${index}]`, document)), bare: false };
  }
  if (kind === 'list') throw new ChangeError(field, `${key} must be a list [ … ], even with one entry`);
  if (typeof value === 'string') {
    // To xl a number in quotes is one.
    const reading = isNumeric(key) ? readNumber(value) : undefined;
    if (reading !== undefined && 'value' in reading) checkRange(key, Number(reading.value), field);
    return { plain: encoded(value, field, document), bare: false };
  }
  if (kind === 'string' || kind === 'string-or-list') {
    if (typeof value === 'boolean') throw new ChangeError(field, `${key} is a text to xl, not ${value}`);
    return { plain: String(value), bare: false };
  }
  const number = Number(value);
  checkRange(key, number, field);
  return { plain: String(number), bare: number >= 0 };
}

/** Refuses a misspelt key. Another unknown key is taken: it may be one of a later Xen. */
function noteUnknown(key: string, field: string, notes: string[]): void {
  const near = nearestKey(key);
  if (near !== undefined) throw new ChangeError(field, `xl knows no ${key}, and would overlook it: was ${near} meant?`);
  notes.push(`xl of Xen 4.17 knows no ${key}, and overlooks it`);
}

function checkRange(key: string, number: number, field: string): void {
  if (number < 0 && key !== 'rtc_timeoffset') throw new ChangeError(field, `${number}: must not be negative`);
  if (number < 1 && AT_LEAST_ONE.has(key)) throw new ChangeError(field, `${number}: must be 1 or more`);
  if (Math.abs(number) > LARGEST) throw new ChangeError(field, `${number}: too large a number, ${LARGEST} is the most`);
}

function plainItem(item: SetItem, field: string, document: CfgDocument): Plain {
  if (Array.isArray(item)) return item.map((inner, index) => plainItem(inner, `${field}[${index}]`, document));
  return encoded(String(item), field, document);
}

function encoded(value: string, field: string, { encoding }: CfgDocument): string {
  const bytes = encode(value, encoding);
  if (bytes !== undefined) return bytes;
  throw new ChangeError(
    field,
    encoding === 'latin1' ? 'has a character that the file, which is in Latin-1, cannot hold' : 'is no valid Unicode text',
  );
}

function isAlready(setting: Setting, { plain, bare }: Wanted): boolean {
  const found = plainOfSetting(setting);
  if (!bare || typeof plain !== 'string') return samePlain(found, plain) && !(setting.last.operator === '+=' && isNumeric(setting.key));
  const reading = readNumber(typeof found === 'string' ? found : '');
  return 'value' in reading && reading.value === BigInt(plain) && setting.last.operator === '=';
}

function isNumeric(key: string): boolean {
  return ['number', 'boolean'].includes(kindOf(key) ?? '');
}

function inPlace(document: CfgDocument, setting: Setting, wanted: Wanted): Splice[] {
  const { last, chain } = setting;
  const splices: Splice[] = [];
  if (last.operator === '+=' && (chain.length > 1 || isNumeric(setting.key)))
    splices.push({ start: last.operatorStart, end: last.operatorStart + 2, text: '=' });
  const preferred = preferredQuote(document);
  if (last.value.kind === 'list' && Array.isArray(wanted.plain))
    return [...splices, ...spliceList(document.text, last.value, wanted.plain, preferred)];
  const isBare = last.value.kind === 'atom' && last.value.quote === undefined;
  const quoteToKeep = last.value.kind === 'atom' ? last.value.quote : undefined;
  const text = write({ ...wanted, bare: wanted.bare && (isBare || last.value.kind === 'list') }, quoteToKeep ?? preferred);
  return [...splices, { start: last.value.start, end: last.value.end, text }];
}

function write({ plain, bare }: Wanted, preferred: Quote): string {
  if (Array.isArray(plain)) return writeList(plain, preferred);
  return bare ? plain : quote(plain, preferred);
}

/** All statements of a key go: an earlier one would count again. A comment beside them stays. */
function removals({ text, statements }: CfgDocument, key: string): Splice[] {
  return statements.filter((statement) => statement.key === key).map((statement) => removal(text, statement));
}

function removal(text: string, { start, end }: Statement): Splice {
  let lineStart = start;
  while (lineStart > 0 && /[ \t]/.test(text.charAt(lineStart - 1))) lineStart -= 1;
  const isFirst = lineStart === 0 || text.charAt(lineStart - 1) === '\n';
  const [toLineEnd] = /^[ \t]*;?[ \t]*(?:\n|$)/.exec(text.slice(end)) ?? [];
  if (isFirst && toLineEnd !== undefined) return { start: lineStart, end: end + toLineEnd.length, text: '' };
  const separatorLength =
    /^[ \t]*;[ \t]*/.exec(text.slice(end))?.[0].length ?? (isFirst ? (/^[ \t]*/.exec(text.slice(end))?.[0].length ?? 0) : 0);
  return { start, end: end + separatorLength, text: '' };
}

/** The kind of quotes that most strings of the file have. */
export function preferredQuote({ statements }: CfgDocument): Quote {
  const quotes = statements.map(({ value }) => (value.kind === 'atom' ? value.quote : undefined));
  return quotes.filter((mark) => mark === '"').length > quotes.filter((mark) => mark === "'").length ? '"' : "'";
}

/** As most statements of the file are written: `key=value` or `key = value`. */
function separator({ text, statements }: CfgDocument): string {
  const tight = statements.filter(({ operatorStart }) => !/[ \t]/.test(text.charAt(operatorStart - 1))).length;
  return tight * 2 > statements.length ? '=' : ' = ';
}

/** The bytes of a setting that is text, for edits within it. */
export function textOf(document: CfgDocument, key: string): string | undefined {
  return stringOf(settingsOf(document).get(key));
}
