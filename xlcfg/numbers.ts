/** Numbers as xl reads them: C's `strtol(value, …, 0)` on 64 bits, all of the value used. */

export type NumberReading = { value: bigint } | { reason: string };

const LIMIT = 2n ** 63n;
/** A number with more digits is above the limit in any base, and is not converted. */
const MOST_DIGITS = 22;

export function readNumber(text: string): NumberReading {
  const match = /^[ \t\n\v\f\r]*([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i.exec(text);
  if (!match) return { reason: numberReason(text) };
  const [, sign, digits = ''] = match;
  if (digits.replace(/^0x?0*/i, '').length > MOST_DIGITS) return { reason: `${text} is too large a number` };
  const magnitude = BigInt(isOctal(digits) ? `0o${digits.slice(1)}` : digits);
  const value = sign === '-' ? -magnitude : magnitude;
  if (value >= LIMIT || value < -LIMIT) return { reason: `${text} is too large a number` };
  return { value };
}

function numberReason(text: string): string {
  if (/^0[0-9]+$/.test(text)) return `${text} is no number: a leading zero makes it octal, which has no digit 8 or 9`;
  return `"${text}" is no number`;
}

function isOctal(digits: string): boolean {
  return /^0[0-7]+$/.test(digits);
}

/** True for `0512` and its like, which is not the number it seems to be; `00` and `07` are. */
export function looksDecimalButIsOctal(text: string): boolean {
  const digits = /^[ \t]*[+-]?(0[0-7]+)$/.exec(text)?.[1];
  return digits !== undefined && digits.replace(/^0+/, '').length > 1;
}

/** A number for JSON: exact, or as text where JSON's numbers are not. */
export function jsonNumber(value: bigint): number | string {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
}
