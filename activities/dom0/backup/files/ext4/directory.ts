/** Entries of a directory. Index blocks of large ones look like one unused entry. */
import { Unreadable } from './image.ts';

export interface Entry {
  readonly inode: number;
  /** Bytes, as Latin-1: anything may be in it, `/` and `..`, too. */
  readonly name: string;
}

const HEAD = 8;

/** The entries of one block, with `.` and `..`. @throws Unreadable */
export function* entriesIn(block: Buffer, hasFileTypes: boolean): Generator<Entry> {
  for (let at = 0; at + HEAD <= block.length;) {
    const inode = block.readUInt32LE(at);
    const nameLength = hasFileTypes ? block.readUInt8(at + 6) : block.readUInt16LE(at + 6);
    const length = lengthOf(block.readUInt16LE(at + 4), block.length);
    if (length < HEAD || length % 4 !== 0 || at + length > block.length || HEAD + (inode === 0 ? 0 : nameLength) > length)
      throw new Unreadable('is a directory that is broken');
    const name = block.toString('latin1', at + HEAD, at + HEAD + nameLength);
    if (inode !== 0) yield { inode, name };
    at += length;
  }
}

/** Of blocks of 64 KiB, the length of a whole one does not fit. */
function lengthOf(kept: number, blockSize: number): number {
  return blockSize === 65_536 && (kept === 65_535 || kept === 0) ? 65_536 : kept;
}

/** Why no file may be made by this name; undefined when one may. */
export function whyNotName(name: string): string | undefined {
  if (name === '') return 'is a name without a character';
  if (name === '.' || name === '..') return 'is a name that leads elsewhere';
  if (name.includes('/')) return 'is a name with a slash in it, which no file has: it was made to lead elsewhere';
  return name.includes('\0') ? 'is a name with a zero byte in it' : undefined;
}
