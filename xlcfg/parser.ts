/** The grammar of libxlutil's `libxlu_cfg_y.y` (Xen 4.17). */
import type { Atom, CfgDocument, List, Statement, Value } from './document.ts';
import { CfgError } from './errors.ts';
import { lex } from './lexer.ts';
import type { Token, TokenKind } from './lexer.ts';
import { byteString, encodingOf, positionAt } from './text.ts';

const MAX_LIST_DEPTH = 100;
/** 1 MiB: a cfg is a few kB; what is larger is something else. */
export const MAX_CFG_BYTES = 1024 * 1024;

/** @throws CfgError if xl would refuse the file. Exception: CRLF line ends are read; `carriageReturn` says where the first one is. */
export function parseCfg(bytes: Uint8Array): CfgDocument {
  if (bytes.byteLength > MAX_CFG_BYTES)
    throw new CfgError({ line: 1, column: 1 }, `${bytes.byteLength} bytes: a cfg has at most ${MAX_CFG_BYTES}`);
  return parseText(byteString(bytes));
}

export function parseText(text: string): CfgDocument {
  const { tokens, carriageReturn } = lex(text);
  const statements = new Parser(text, tokens).statements();
  return {
    text,
    encoding: encodingOf(text),
    statements,
    carriageReturn: carriageReturn === undefined ? undefined : positionAt(text, carriageReturn),
  };
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #typeOf = new Map<string, Value['kind']>();
  #at = 0;

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  statements(): Statement[] {
    const statements: Statement[] = [];
    while (this.#peek().kind !== 'end') {
      if (this.#take('newline', ';')) continue;
      statements.push(this.#assignment());
      if (this.#peek().kind !== 'end' && !this.#take('newline', ';')) this.#refuse(this.#peek(), this.#afterValueReason());
    }
    return statements;
  }

  #assignment(): Statement {
    const key = this.#take('identifier');
    if (!key) this.#refuse(this.#peek(), `expected the name of a setting, found ${this.#describe(this.#peek())}`);
    const name = this.#source(key);
    const operator = this.#take('=', '+=');
    if (!operator) this.#refuse(this.#peek(), this.#noOperatorReason(name));
    const value = this.#value(0);
    const statement: Statement = {
      key: name,
      operator: operator.kind === '+=' ? '+=' : '=',
      start: key.start,
      operatorStart: operator.start,
      end: value.end,
      value,
    };
    this.#checkAddition(statement);
    return statement;
  }

  #checkAddition({ key, operator, value, operatorStart }: Statement): void {
    const before = this.#typeOf.get(key);
    if (operator === '+=' && before !== undefined && before !== value.kind) {
      const [was, is] = before === 'list' ? ['list', 'string'] : ['string', 'list'];
      throw new CfgError(positionAt(this.#text, operatorStart), `${key} is a ${was} so far: a ${is} cannot be added to it`);
    }
    this.#typeOf.set(key, value.kind);
  }

  #value(depth: number): Value {
    const atom = this.#take('string', 'number');
    if (atom) return this.#atom(atom);
    const open = this.#take('[');
    if (!open) this.#refuse(this.#peek(), this.#noValueReason(depth));
    if (depth >= MAX_LIST_DEPTH) this.#refuse(open, `lists within lists, more than ${MAX_LIST_DEPTH} deep`);
    return this.#list(open, depth);
  }

  #list(open: Token, depth: number): List {
    const items: Value[] = [];
    const commas: (number | undefined)[] = [];
    this.#skipNewlines();
    let close = this.#take(']');
    while (!close) {
      if (this.#peek().kind === 'end') this.#refuse(open, 'this list is not closed: a "]" is missing');
      items.push(this.#value(depth + 1));
      this.#skipNewlines();
      const comma = this.#take(',');
      commas.push(comma?.start);
      this.#skipNewlines();
      close = this.#take(']');
      if (!close && !comma) this.#refuse(this.#peek().kind === 'end' ? open : this.#peek(), this.#noCommaReason());
    }
    return { kind: 'list', start: open.start, end: close.end, items, commas };
  }

  #atom(token: Token): Atom {
    if (token.unquoted) return { kind: 'atom', start: token.start, end: token.end, quote: token.quote, ...token.unquoted };
    const value = this.#source(token);
    return {
      kind: 'atom',
      start: token.start,
      end: token.end,
      value,
      quote: undefined,
      origins: Array.from({ length: value.length + 1 }, (_, index) => token.start + index),
    };
  }

  #peek(): Token {
    const token = this.#tokens[this.#at];
    if (token?.error) throw token.error;
    return token ?? { kind: 'end', start: this.#text.length, end: this.#text.length };
  }

  #take(...kinds: TokenKind[]): Token | undefined {
    const token = this.#peek();
    if (!kinds.includes(token.kind)) return undefined;
    this.#at += 1;
    return token;
  }

  #skipNewlines(): void {
    while (this.#take('newline'));
  }

  #source(token: Token): string {
    return this.#text.slice(token.start, token.end);
  }

  #describe(token: Token): string {
    if (token.kind === 'end') return 'the end of the file';
    return token.kind === 'newline' ? 'the end of the line' : `"${this.#source(token).slice(0, 40)}"`;
  }

  #noOperatorReason(name: string): string {
    if (['import', 'def', 'if', 'for', 'from', 'print'].includes(name))
      return `"${name} …" is Python, which xl does not read: write the settings out`;
    return `expected "=" or "+=" after ${name}, found ${this.#describe(this.#peek())}`;
  }

  #noValueReason(depth: number): string {
    const found = this.#peek();
    const isStatement = found.kind === 'identifier' && ['=', '+='].includes(this.#tokens[this.#at + 1]?.kind ?? '');
    if (depth > 0 && isStatement) return `a "]" is missing: the list above is still open where ${this.#source(found)} is set`;
    if (found.kind === 'identifier') return `"${this.#source(found)}" is not in quotes: a value is a number, a quoted string or a [ list ]`;
    return `expected a value (a number, a quoted string or a [ list ]), found ${this.#describe(found)}`;
  }

  #afterValueReason(): string {
    const found = this.#peek();
    const previous = this.#tokens[this.#at - 1];
    if (previous?.kind === 'number' && previous.end === found.start)
      return `"${this.#source(previous)}${this.#source(found)}" is no number: write the number alone, or quote the value`;
    return `expected a new line or ";" after the value, found ${this.#describe(found)}`;
  }

  #noCommaReason(): string {
    if (this.#peek().kind === 'end') return 'this list is not closed: a "]" is missing';
    return `expected "," or "]" in the list, found ${this.#describe(this.#peek())}`;
  }

  #refuse(token: Token, reason: string): never {
    throw new CfgError(positionAt(this.#text, token.start), reason);
  }
}
