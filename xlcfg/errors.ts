/** A cfg that xl would not accept, or that cannot be read: where (line and column from 1) and what to do. */
export class CfgError extends Error {
  override readonly name = 'CfgError';
  readonly line: number;
  readonly column: number;
  readonly reason: string;

  constructor(position: Position, reason: string) {
    super(`line ${position.line}, column ${position.column}: ${printable(reason)}`);
    this.line = position.line;
    this.column = position.column;
    this.reason = printable(reason);
  }
}

/** A change that cannot be done as written: which part of it (`set.memory`, `disk[0].to`) and why. */
export class ChangeError extends Error {
  override readonly name = 'ChangeError';
  readonly field: string;
  readonly reason: string;

  constructor(field: string, reason: string) {
    super(printable(field === '' ? `the change ${reason}` : `${field}: ${reason}`));
    this.field = printable(field);
    this.reason = printable(reason);
  }
}

/** A place in a cfg, both from 1. The column counts characters where the line is UTF-8, bytes where it is not. */
export interface Position {
  line: number;
  column: number;
}

const LONGEST_REASON = 400;

/** A quotation from a file in a reason: without control characters, which a terminal would obey, and shortened for logs. */
export function printable(text: string): string {
  const short = text.length > LONGEST_REASON ? `${text.slice(0, LONGEST_REASON)}…` : text;
  return short.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
