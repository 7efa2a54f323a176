/** Extended attributes of an inode: in what is left of the inode itself, in a block, large ones in inodes of their own. */
import { Unreadable } from './image.ts';
import { extraBytes, FLAGS, type Inode } from './inode.ts';

const MAGIC = 0xea020000;
const MOST_VALUE = 65_536;
const MOST_ENTRIES = 4_096;

/** What names begin with, by the number that stands for it. */
const PREFIXES: Readonly<Record<number, string>> = {
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  6: 'security.',
  7: 'system.',
};

export interface Attribute {
  /** Bytes, as Latin-1. */
  readonly name: string;
  readonly value: Buffer;
}

/** What attributes need of the file system. */
export interface Source {
  block(number: number): Buffer;
  inode(number: number): Inode;
  content(inode: Inode): Buffer;
}

interface Area {
  readonly bytes: Buffer;
  /** Where the first entry is, and what values' offsets count from. */
  readonly first: number;
  readonly base: number;
}

/** @throws Unreadable */
export function attributesOf(source: Source, inode: Inode): Attribute[] {
  const found: Attribute[] = [];
  const inInode = inode.raw.subarray(128 + extraBytes(inode.raw));
  if (inInode.length >= 8 && inInode.readUInt32LE(0) === MAGIC) found.push(...entriesOf(source, { bytes: inInode, first: 4, base: 4 }));
  if (inode.attributes === 0) return found;
  const block = source.block(inode.attributes);
  if (block.readUInt32LE(0) !== MAGIC) throw new Unreadable('has extended attributes that are broken');
  found.push(...entriesOf(source, { bytes: block, first: 32, base: 0 }));
  return found;
}

function* entriesOf(source: Source, { bytes, first, base }: Area): Generator<Attribute> {
  let count = 0;
  for (let at = first; at + 4 <= bytes.length && bytes.readUInt32LE(at) !== 0; count += 1) {
    if (at + 16 > bytes.length || count > MOST_ENTRIES) throw new Unreadable('has extended attributes that are broken');
    const [nameLength, index] = [bytes.readUInt8(at), bytes.readUInt8(at + 1)];
    const [offset, inum, size] = [bytes.readUInt16LE(at + 2), bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at + 8)];
    const end = at + 16 + nameLength;
    const isOutside = inum === 0 && size > 0 && base + offset + size > bytes.length;
    if (end > bytes.length || size > MOST_VALUE || isOutside) throw new Unreadable('has extended attributes that are broken');
    const prefix = PREFIXES[index];
    if (prefix === undefined) throw new Unreadable(`has an extended attribute of an unknown kind (${index})`);
    const raw = inum === 0 ? bytes.subarray(base + offset, base + offset + size) : large(source, inum, size);
    const isAcl = index === 2 || index === 3;
    yield { name: prefix + bytes.toString('latin1', at + 16, end), value: isAcl ? aclOf(raw) : Buffer.from(raw) };
    at = (end + 3) & ~3;
  }
}

function large(source: Source, number: number, size: number): Buffer {
  const inode = source.inode(number);
  if ((inode.flags & FLAGS.attribute) === 0 || inode.size !== size) throw new Unreadable('has extended attributes that are broken');
  return source.content(inode);
}

/** An access list as programs see it (version 2: eight bytes an entry) of one as ext4 keeps it (version 1: no id where none is needed). */
function aclOf(kept: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([2, 0, 0, 0])];
  if (kept.length < 4 || kept.readUInt32LE(0) !== 1) throw new Unreadable('has an access list that is broken');
  for (let at = 4; at < kept.length;) {
    if (at + 4 > kept.length) throw new Unreadable('has an access list that is broken');
    // Named users and groups have an id.
    const hasId = [0x02, 0x08].includes(kept.readUInt16LE(at));
    const bytes = hasId ? 8 : 4;
    if (at + bytes > kept.length) throw new Unreadable('has an access list that is broken');
    parts.push(kept.subarray(at, at + 4), hasId ? kept.subarray(at + 4, at + 8) : Buffer.alloc(4, 0xff));
    at += bytes;
  }
  return Buffer.concat(parts);
}
