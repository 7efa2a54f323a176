/**
 * The lexer of libxlutil's `libxlu_cfg_l.l` (Xen 4.17), with two differences, both on purpose:
 * a carriage return before a newline is taken as part of the newline (xl refuses it; the document says so), and a single stray
 * byte at the very end of a file is refused (xl overlooks it).
 */
import { CfgError } from './errors.ts';
import { unquote } from './quoted.ts';
import type { Quote, Unquoted } from './quoted.ts';
import { positionAt } from './text.ts';

export type TokenKind = 'identifier' | 'number' | 'string' | 'newline' | ',' | '[' | ']' | '=' | '+=' | ';' | 'end' | 'bad';

export interface Token {
  kind: TokenKind;
  start: number;
  end: number;
  /** Of a string: what is between its quotes. */
  unquoted?: Unquoted;
  quote?: Quote;
  /** Why this is no token. It is the last one then. */
  error?: CfgError;
}

const IDENTIFIER = /[a-z][._0-9a-z]*/y;
const NUMBER = /[0-9][0-9a-fx]*/y;
const SINGLE_QUOTED = /'(?:[^'\\\n]|\\[^\n])*'/y;
const DOUBLE_QUOTED = /"(?:[^"\\\n]|\\[^\n])*"/y;
const BYTE_ORDER_MARK = '\xef\xbb\xbf';

export interface Lexed {
  tokens: Token[];
  /** The offset of the first carriage return that xl itself would refuse. */
  carriageReturn: number | undefined;
}

/** Ends at the first thing that is no token: the parser first reports what is wrong before it. */
export function lex(text: string): Lexed {
  const tokens: Token[] = [];
  let carriageReturn: number | undefined;
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    if (character === ' ' || character === '\t') {
      at += 1;
    } else if (character === '\r' && text.charAt(at + 1) === '\n') {
      carriageReturn ??= at;
      tokens.push({ kind: 'newline', start: at, end: at + 2 });
      at += 2;
    } else {
      const token = tokenOrError(text, at, character);
      tokens.push(token);
      if (token.error) break;
      at = token.end;
    }
  }
  tokens.push({ kind: 'end', start: text.length, end: text.length });
  return { tokens, carriageReturn };
}

function tokenOrError(text: string, at: number, character: string): Token {
  try {
    return tokenAt(text, at, character);
  } catch (error) {
    if (error instanceof CfgError) return { kind: 'bad', start: at, end: text.length, error };
    throw error;
  }
}

function tokenAt(text: string, at: number, character: string): Token {
  if (character === '\n') return { kind: 'newline', start: at, end: at + 1 };
  if (character === '#') return comment(text, at);
  if (character === "'" || character === '"') return quotedString(text, at, character);
  if (character === ',' || character === '[' || character === ']' || character === '=' || character === ';') {
    return { kind: character, start: at, end: at + 1 };
  }
  if (text.startsWith('+=', at)) return { kind: '+=', start: at, end: at + 2 };
  const identifier = matchAt(IDENTIFIER, text, at);
  if (identifier !== undefined) return { kind: 'identifier', start: at, end: identifier };
  const number = matchAt(NUMBER, text, at);
  if (number !== undefined) return { kind: 'number', start: at, end: number };
  throw new CfgError(positionAt(text, at), strayReason(text, at));
}

function matchAt(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

/** A comment ends its line, so it counts as the newline. Only after a lone `#` at the very end does xl want no newline. */
function comment(text: string, at: number): Token {
  const newline = text.indexOf('\n', at);
  if (newline !== -1) return { kind: 'newline', start: at, end: newline + 1 };
  if (at === text.length - 1) return { kind: 'newline', start: at, end: text.length };
  throw new CfgError(positionAt(text, at), 'a comment on the last line must end with a newline, or xl refuses the file: add one');
}

function quotedString(text: string, at: number, quote: Quote): Token {
  const end = matchAt(quote === "'" ? SINGLE_QUOTED : DOUBLE_QUOTED, text, at);
  if (end === undefined) {
    throw new CfgError(positionAt(text, at), `this string is not closed: a ${quote} must follow on the same line`);
  }
  const nul = text.slice(at, end).indexOf('\0');
  if (nul !== -1) throw new CfgError(positionAt(text, at + nul), 'a NUL byte in a string: remove it');
  const unquoted = unquote(text, at, end);
  if ('reason' in unquoted) throw new CfgError(positionAt(text, unquoted.offset), unquoted.reason);
  return { kind: 'string', start: at, end, unquoted, quote };
}

function strayReason(text: string, at: number): string {
  const character = text.charAt(at);
  if (at === 0 && text.startsWith(BYTE_ORDER_MARK)) return 'a byte order mark, which xl refuses: save the file as UTF-8 without it';
  if (character === '\r') return 'a carriage return that no newline follows: remove it';
  if (character === '\0') return 'a NUL byte: this is not a text file, or it is damaged';
  if (/[A-Z]/.test(character)) return `"${character}": outside quotes xl knows small letters only: quote the value, or write the key small`;
  if (character === '-') return '"-" outside quotes: put a negative number, or a text with "-", in quotes';
  if (/[+.():]/.test(character)) return `"${character}" outside quotes: xl reads no Python and no such text: put the value in quotes`;
  if (character === '%') return '"%" outside quotes: xl does no Python formatting: write the text out';
  if (character < ' ' || character > '~')
    return `a byte 0x${character.charCodeAt(0).toString(16).padStart(2, '0')} outside quotes and comments`;
  return `"${character}" has no meaning here: put the value in quotes`;
}
