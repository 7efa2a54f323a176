/**
 * A cfg is bytes. All work is done on a "byte string": one character a byte (Latin-1), so that offsets are byte offsets and
 * every byte comes out as it went in. Only what people read or write (values, messages) is decoded.
 */
import { isUtf8 } from 'node:buffer';
import type { Position } from './errors.ts';

export type Encoding = 'utf8' | 'latin1';

export function byteString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** The encoding of a whole file: UTF-8, or, if it is not valid UTF-8, Latin-1, in which each byte is a character. */
export function encodingOf(text: string): Encoding {
  return isUtf8(Buffer.from(text, 'latin1')) ? 'utf8' : 'latin1';
}

export function decode(value: string, encoding: Encoding): string {
  return encoding === 'latin1' ? value : Buffer.from(value, 'latin1').toString('utf8');
}

/** The byte string of a value, or undefined where the file's encoding has no such character. */
export function encode(value: string, encoding: Encoding): string | undefined {
  if (/\p{Surrogate}/u.test(value)) return undefined;
  if (encoding === 'utf8') return Buffer.from(value, 'utf8').toString('latin1');
  return Array.from(value).every((character) => (character.codePointAt(0) ?? 0) <= 0xff) ? value : undefined;
}

export function positionAt(text: string, offset: number): Position {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  const before = text.slice(lineStart, offset);
  return { line, column: Array.from(decode(before, encodingOf(before))).length + 1 };
}

/** Finds line and column of many offsets of one text; it counts the lines once. */
export function positionsOf(text: string): (offset: number) => Position {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const before = text.slice(starts[low], offset);
    return { line: low + 1, column: Array.from(decode(before, encodingOf(before))).length + 1 };
  };
}
