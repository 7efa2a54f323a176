/**
 * An ext2, ext3 or ext4 file system in an image, read only. It is our own: debugfs exits with 0 whatever it could not do, prints names raw, and writes where
 * names tell it to (`rdump`); with it, inodes, holes and directories would have to be taken apart here all the same.
 */
import { attributesOf, type Attribute } from './attributes.ts';
import { runsOf } from './block-map.ts';
import { contentSum } from './content-sum.ts';
import { entriesIn, type Entry } from './directory.ts';
import { Image, Unreadable } from './image.ts';
import { FLAGS, IN_INODE, readInode, type Inode } from './inode.ts';
import { readSuperblock, type Superblock } from './superblock.ts';

export const ROOT = 2;

/** Bytes of a file, from an offset on; what lies between segments is a hole. */
export type Segment = readonly [offset: number, length: number];

/** More pieces than a file of a terabyte has, if it was written in pieces of 2 MiB. */
const MOST_SEGMENTS = 500_000;
const LONGEST_LINK = 65_536;
const PIECE = 2 ** 20;

interface Piece {
  readonly offset: number;
  readonly length: number;
  /** Offset in the image; or the bytes themselves. */
  readonly at: number | Buffer;
}

export class FileSystem {
  private readonly image: Image;
  private readonly fs: Superblock;

  constructor(path: string) {
    this.image = new Image(path);
    this.fs = readSuperblock(this.image);
  }

  inode(number: number): Inode {
    return readInode(this.image, this.fs, number);
  }

  attributes(inode: Inode): Attribute[] {
    return attributesOf(
      {
        block: (number) => this.image.read(number * this.fs.blockSize, this.fs.blockSize),
        inode: (number) => this.inode(number),
        content: (of) => this.whole(of),
      },
      inode,
    );
  }

  /** Entries but the one `.` and the one `..` that a directory has. @throws Unreadable, at the entry from where on it cannot be read */
  *entries(directory: Inode): Generator<Entry> {
    const expected = new Set(['.', '..']);
    for (const block of this.directoryBlocks(directory))
      for (const entry of entriesIn(block, this.fs.hasFileTypes)) if (!expected.delete(entry.name)) yield entry;
  }

  private *directoryBlocks(directory: Inode): Generator<Buffer> {
    const { blockSize } = this.fs;
    for (const { at, length } of this.pieces(directory)) {
      if (typeof at === 'number')
        for (let done = 0; done < length; done += blockSize) yield this.image.read(at + done, Math.min(blockSize, length - done));
      // Of one that is kept in its inode, the first word is its parent; the rest is in an extended attribute.
      else yield* [at.subarray(4, IN_INODE.bytes), at.subarray(IN_INODE.bytes)];
    }
  }

  target(link: Inode): string {
    if (link.size > LONGEST_LINK) throw new Unreadable(`is a link of ${link.size} bytes`);
    const isInInode = (link.flags & (FLAGS.extents | FLAGS.inline | FLAGS.encrypted)) === 0 && link.size < IN_INODE.bytes;
    const bytes = isInInode ? link.raw.subarray(IN_INODE.at, IN_INODE.at + link.size) : this.whole(link);
    const target = bytes.toString('latin1');
    if (target === '' || target.includes('\0')) throw new Unreadable('is a link that leads nowhere');
    return target;
  }

  /** Where the content of a file is, in the file. @throws Unreadable when any of it cannot be read */
  segments(file: Inode): Segment[] {
    const segments: (readonly [number, number])[] = [];
    for (const { offset, length } of this.pieces(file)) {
      const last = segments.at(-1);
      if (last !== undefined && last[0] + last[1] === offset) segments[segments.length - 1] = [last[0], last[1] + length];
      else if (segments.push([offset, length]) > MOST_SEGMENTS)
        throw new Unreadable(`is in more than ${MOST_SEGMENTS} pieces with holes between them`);
    }
    return segments;
  }

  /** The content of a file in its segments, one after the other. */
  *content(file: Inode): Generator<Buffer> {
    for (const { at, length } of this.pieces(file)) {
      if (typeof at !== 'number') yield at;
      else for (let done = 0; done < length; done += PIECE) yield this.image.read(at + done, Math.min(PIECE, length - done));
    }
  }

  /** A sum of the content of a file: the same for the same bytes, wherever they lie, and whether zeros are blocks or holes. */
  digest(file: Inode): string {
    const sum = contentSum();
    for (const { offset, length, at } of this.pieces(file)) {
      if (typeof at !== 'number') sum.add(offset, at);
      else
        for (let done = 0; done < length; done += PIECE) sum.add(offset + done, this.image.read(at + done, Math.min(PIECE, length - done)));
    }
    return sum.end();
  }

  private *pieces(inode: Inode): Generator<Piece> {
    if ((inode.flags & FLAGS.encrypted) !== 0) throw new Unreadable('is encrypted by the guest, whose kernel alone has the key');
    if ((inode.flags & FLAGS.inline) !== 0) {
      const bytes = this.inline(inode);
      if (bytes.length > 0) yield { offset: 0, length: bytes.length, at: bytes };
      return;
    }
    const { blockSize } = this.fs;
    for (const { logical, physical, length } of runsOf(this.image, this.fs, inode)) {
      const offset = logical * blockSize;
      yield { offset, length: Math.min(length * blockSize, inode.size - offset), at: physical * blockSize };
    }
  }

  /** A small content is where the blocks of others are told; what does not fit is an extended attribute. */
  private inline(inode: Inode): Buffer {
    const rest = this.attributes(inode).find(({ name }) => name === 'system.data')?.value ?? Buffer.alloc(0);
    const bytes = Buffer.concat([inode.raw.subarray(IN_INODE.at, IN_INODE.at + IN_INODE.bytes), rest]);
    if (inode.kind === 'directory') return bytes;
    if (inode.size > bytes.length) throw new Unreadable('has lost a part of its content, which is kept in its inode');
    return bytes.subarray(0, inode.size);
  }

  private whole(inode: Inode): Buffer {
    if (inode.size > LONGEST_LINK) throw new Unreadable('is too large for what it is');
    const whole = Buffer.alloc(inode.size);
    for (const { offset, length, at } of this.pieces(inode))
      (typeof at === 'number' ? this.image.read(at, length) : at).copy(whole, offset);
    return whole;
  }
}
