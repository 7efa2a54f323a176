/** Strings as xl's lexer reads them (libxlutil, `xlu__cfgl_dequote`), with the mistakes it makes. */

export type Quote = "'" | '"';

export interface Unquoted {
  value: string;
  /** Where in the text each character of `value` comes from; one more for the closing quote. */
  origins: number[];
}

export interface QuoteFailure {
  offset: number;
  reason: string;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Reads the quoted string of `text` that starts at `start` and ends before `end`, both quotes included. */
export function unquote(text: string, start: number, end: number): Unquoted | QuoteFailure {
  let value = '';
  const origins: number[] = [];
  let at = start + 1;
  while (at < end - 1) {
    const character = text.charAt(at);
    if (character !== '\\') {
      value += character;
      origins.push(at);
      at += 1;
      continue;
    }
    const escaped = text.charAt(at + 1);
    const simple = Object.hasOwn(SIMPLE_ESCAPES, escaped) ? SIMPLE_ESCAPES[escaped] : undefined;
    if (simple !== undefined) {
      value += simple;
      origins.push(at);
      at += 2;
    } else {
      const length = numericEscapeLength(text, at);
      if (length === undefined) return { offset: at, reason: escapeReason(escaped) };
      at += length; // xl accepts \NNN and then forgets the character: nothing is added
    }
  }
  origins.push(end - 1);
  return { value, origins };
}

/** xl reads up to three more characters after the first octal digit with strtoul in base ten, and wants two of them used. */
function numericEscapeLength(text: string, at: number): number | undefined {
  if (!/[0-7]/.test(text.charAt(at + 1))) return undefined;
  const used = /^[ \t\n\v\f\r]*[+-]?[0-9]+/.exec(text.slice(at + 2, at + 5))?.[0].length ?? 0;
  return used >= 2 ? 2 + used : undefined;
}

function escapeReason(escaped: string): string {
  if (escaped === 'x') return String.raw`xl refuses every \x escape: write the character itself`;
  if (/[0-7]/.test(escaped)) return 'xl refuses this numeric escape: write the character itself';
  return String.raw`a backslash in a string starts an escape, and xl knows no such one: write \\ for a backslash`;
}

/** A value in quotes. `preferred` is kept where that needs no backslash; a backslash in the value is always doubled. */
export function quote(value: string, preferred: Quote): string {
  const other: Quote = preferred === "'" ? '"' : "'";
  const chosen = value.includes(preferred) && !value.includes(other) ? other : preferred;
  return chosen + escapeFor(value, chosen) + chosen;
}

/** A value as it stands between quotes of that kind. A string ends with its line: the end of a line in it is written as an escape. */
export function escapeFor(value: string, within: Quote): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll(within, `\\${within}`)
    .replaceAll('\n', String.raw`\n`);
}
