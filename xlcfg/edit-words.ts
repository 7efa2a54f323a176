/** Words of the kernel command line that xl will really pass: `cmdline` if it is there, since xl then overlooks `root` and `extra`. */
import { settingsOf, stringOf } from './document.ts';
import type { Atom, CfgDocument, Setting } from './document.ts';
import { appendString, preferredQuote } from './edit-set.ts';
import type { Edited } from './edit-set.ts';
import { ChangeError } from './errors.ts';
import { escapeFor, quote } from './quoted.ts';
import { applySplices, commit, inOrder } from './splice.ts';
import type { Splice } from './splice.ts';

/** Words that may come more than once: the kernel takes all of them. Of any other word, the last one counts. */
const ACCUMULATING = new Set(['console=']);

interface Word {
  text: string;
  start: number;
  end: number;
}

export function editWords(document: CfgDocument, words: readonly string[]): Edited {
  if (words.length === 0) return { document, changed: [], notes: [] };
  const settings = settingsOf(document);
  const isCmdline = stringOf(settings.get('cmdline')) !== undefined;
  const key = isCmdline ? 'cmdline' : 'extra';
  const setting = settings.get(key);
  const missing = isCmdline ? words : words.filter((word) => !isInRoot(word, settings));
  if (!setting) {
    if (missing.length === 0) return { document, changed: [], notes: [] };
    return { document: appendString(document, key, missing.join(' ')), changed: [key], notes: [] };
  }
  const line = stringOf(setting);
  if (line === undefined) throw new ChangeError('extraWords', `${key} is a list, which xl overlooks: set ${key} to a text`);
  if (missing.length > 0 && (line.split('"').length - 1) % 2 === 1) {
    throw new ChangeError('extraWords', `${key} has a double quote that is not closed: to the kernel all after it is one word`);
  }
  const edits = wordEdits(line, missing);
  if (edits.length === 0) return { document, changed: [], notes: [] };
  const result = applySplices(line, edits);
  const splices = splicesFor(setting, edits) ?? rewrite(document, setting, result);
  const notes =
    isCmdline && (settings.has('root') || settings.has('extra'))
      ? ['the words went into cmdline: while it is set, xl overlooks root and extra']
      : [];
  return { document: commit(document, splices, new Map([[key, result]])), changed: [key], notes };
}

/** `root` comes before `extra` on the command line, so a word in it counts unless extra has another of that name. */
function isInRoot(word: string, settings: Map<string, Setting>): boolean {
  const root = stringOf(settings.get('root'));
  if (root === undefined) return false;
  const inRoot = kernelWords(`root=${root}`).filter(({ text }) => nameOf(text) === nameOf(word));
  const inExtra = kernelWords(stringOf(settings.get('extra')) ?? '').some(({ text }) => nameOf(text) === nameOf(word));
  return inRoot.at(-1)?.text === word && !inExtra;
}

function wordEdits(line: string, words: readonly string[]): Splice[] {
  const present = kernelWords(line);
  const edits: Splice[] = [];
  const added: string[] = [];
  for (const word of words) {
    const same = present.filter(({ text }) => nameOf(text) === nameOf(word));
    const accumulates = ACCUMULATING.has(nameOf(word));
    if (accumulates ? same.some(({ text }) => text === word) : same.at(-1)?.text === word) continue;
    const [first, ...others] = accumulates ? [] : same;
    if (!first) {
      added.push(word);
      continue;
    }
    if (first.text !== word) edits.push({ start: first.start, end: first.end, text: word });
    for (const { start, end } of others) edits.push({ start: start - blanksBefore(line, start), end, text: '' });
  }
  if (added.length > 0) edits.push(addition(line, present, added.join(' ')));
  return inOrder(edits);
}

function addition(line: string, present: readonly Word[], words: string): Splice {
  const last = present.at(-1);
  if (last) return { start: last.end, end: last.end, text: ` ${words}` };
  return { start: 0, end: 0, text: line.trim() === '' ? words : `${words} ` };
}

function blanksBefore(line: string, start: number): number {
  let from = start;
  while (from > 0 && /[ \t]/.test(line.charAt(from - 1))) from -= 1;
  return start - from;
}

/** The words before a lone `--`; those after it are for init. In double quotes a word may have blanks. */
function kernelWords(line: string): Word[] {
  const words: Word[] = [];
  for (const match of line.matchAll(/(?:"[^"]*"?|[^\s"])+/g)) {
    if (match[0] === '--') break;
    words.push({ text: match[0], start: match.index, end: match.index + match[0].length });
  }
  return words;
}

function nameOf(word: string): string {
  const equals = word.indexOf('=');
  return equals === -1 ? word : word.slice(0, equals + 1);
}

/** Each edit, within the quoted string that it falls in; undefined if one falls across two strings, or in a bare number. */
function splicesFor({ chain }: Setting, edits: readonly Splice[]): Splice[] | undefined {
  const atoms = chain.map(({ value }) => value as Atom);
  const splices: Splice[] = [];
  let [index, from] = [0, 0];
  for (const { start, end, text } of edits) {
    let atom = atoms[index];
    while (atom && start > from + atom.value.length) {
      from += atom.value.length;
      index += 1;
      atom = atoms[index];
    }
    if (atom?.quote === undefined || end > from + atom.value.length) return undefined;
    splices.push({
      start: atom.origins[start - from] ?? atom.end,
      end: atom.origins[end - from] ?? atom.end,
      text: escapeFor(text, atom.quote),
    });
  }
  return splices;
}

function rewrite(document: CfgDocument, { last, chain }: Setting, value: string): Splice[] {
  const mark = (last.value.kind === 'atom' ? last.value.quote : undefined) ?? preferredQuote(document);
  const splices: Splice[] = [{ start: last.value.start, end: last.value.end, text: quote(value, mark) }];
  if (last.operator === '+=' && chain.length > 1) splices.push({ start: last.operatorStart, end: last.operatorStart + 2, text: '=' });
  return splices;
}
