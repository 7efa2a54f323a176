/** Where the content of a file lies: by extents, or by the indirect blocks of ext2 and ext3. Holes and blocks that were never written are left out. */
import { Unreadable, type Image } from './image.ts';
import { FLAGS, IN_INODE, type Inode } from './inode.ts';
import type { Superblock } from './superblock.ts';

/** Blocks of a file that follow each other in the file system, too. */
export interface Run {
  /** First block, counted in the file. */
  readonly logical: number;
  /** First block, counted in the file system. */
  readonly physical: number;
  readonly length: number;
}

const EXTENT_MAGIC = 0xf30a;
const EXTENT_BYTES = 12;
const DEEPEST = 5;
/** An extent of more blocks than this is one that was never written, of so many less. */
const WRITTEN_AT_MOST = 32_768;
const DIRECT = 12;

/** Runs up to the size of the file, in order. @throws Unreadable */
export function* runsOf(image: Image, fs: Superblock, inode: Inode): Generator<Run> {
  const root = inode.raw.subarray(IN_INODE.at, IN_INODE.at + IN_INODE.bytes);
  const end = Math.ceil(inode.size / fs.blockSize);
  let next = 0;
  for (const run of (inode.flags & FLAGS.extents) === 0 ? byPointers(image, fs, { root, end }) : byExtents(image, fs, { node: root })) {
    if (run.logical < next) throw new Unreadable('has its blocks in no order');
    next = run.logical + run.length;
    if (run.physical < 1 || run.physical + run.length > fs.blocks) throw new Unreadable('points outside of the file system');
    if (run.logical < end) yield { ...run, length: Math.min(run.length, end - run.logical) };
  }
}

function* byExtents(image: Image, fs: Superblock, { node, depth }: { node: Buffer; depth?: number }): Generator<Run> {
  const [magic, entries, ownDepth] = [node.readUInt16LE(0), node.readUInt16LE(2), node.readUInt16LE(6)];
  const isRoot = depth === undefined;
  if (magic !== EXTENT_MAGIC || ownDepth > DEEPEST || (!isRoot && (ownDepth !== depth || entries === 0)))
    throw new Unreadable('has a broken map of its blocks');
  if (EXTENT_BYTES * (entries + 1) > node.length) throw new Unreadable('has a broken map of its blocks');
  for (let index = 1; index <= entries; index += 1) {
    const entry = node.subarray(index * EXTENT_BYTES, (index + 1) * EXTENT_BYTES);
    if (ownDepth > 0) {
      const child = entry.readUInt32LE(4) + entry.readUInt16LE(8) * 2 ** 32;
      yield* byExtents(image, fs, { node: image.read(child * fs.blockSize, fs.blockSize), depth: ownDepth - 1 });
      continue;
    }
    const length = entry.readUInt16LE(4);
    const physical = entry.readUInt32LE(8) + entry.readUInt16LE(6) * 2 ** 32;
    if (length === 0) throw new Unreadable('has a broken map of its blocks');
    if (length <= WRITTEN_AT_MOST) yield { logical: entry.readUInt32LE(0), physical, length };
  }
}

interface Pointers {
  readonly root: Buffer;
  readonly end: number;
}

/** Twelve blocks, then three trees of pointers, one, two and three deep. */
function* byPointers(image: Image, fs: Superblock, { root, end }: Pointers): Generator<Run> {
  const perBlock = fs.blockSize / 4;
  for (let index = 0; index < DIRECT; index += 1)
    yield* pointed(image, fs, { pointer: root.readUInt32LE(index * 4), logical: index, depth: 0, end });
  let logical = DIRECT;
  for (let depth = 1; depth <= 3; depth += 1) {
    yield* pointed(image, fs, { pointer: root.readUInt32LE((DIRECT + depth - 1) * 4), logical, depth, end });
    logical += perBlock ** depth;
  }
}

interface Pointer {
  readonly pointer: number;
  readonly logical: number;
  readonly depth: number;
  readonly end: number;
}

function* pointed(image: Image, fs: Superblock, { pointer, logical, depth, end }: Pointer): Generator<Run> {
  if (pointer === 0 || logical >= end) return;
  if (depth === 0) {
    yield { logical, physical: pointer, length: 1 };
    return;
  }
  const node = image.read(pointer * fs.blockSize, fs.blockSize);
  const below = (fs.blockSize / 4) ** (depth - 1);
  for (let index = 0; index < fs.blockSize / 4; index += 1)
    yield* pointed(image, fs, { pointer: node.readUInt32LE(index * 4), logical: logical + index * below, depth: depth - 1, end });
}
