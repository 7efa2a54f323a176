/** The superblock and the group descriptors of an ext file system: where inodes are. By the kernel's Documentation/filesystems/ext4. */
import { ImageProblem, type Image } from './image.ts';

/** Incompatible features, by their bit. */
const INCOMPATIBLE: Readonly<Record<number, string>> = {
  0x1: 'compression',
  0x2: 'filetype',
  0x4: 'needs_recovery',
  0x8: 'journal_dev',
  0x10: 'meta_bg',
  0x40: 'extent',
  0x80: '64bit',
  0x100: 'mmp',
  0x200: 'flex_bg',
  0x400: 'ea_inode',
  0x1000: 'dirdata',
  0x2000: 'metadata_csum_seed',
  0x4000: 'large_dir',
  0x8000: 'inline_data',
  0x10000: 'encrypt',
  0x20000: 'casefold',
};

/** Those that this reader does not know how to read, or must not: with a journal to be replayed, what is on the disk is old. */
const UNREADABLE: ReadonlySet<string> = new Set(['compression', 'needs_recovery', 'journal_dev', 'dirdata']);

const MAGIC = 0xef53;
const SPARSE_SUPER = 0x1;
const SPARSE_SUPER2 = 0x200;

export interface Superblock {
  readonly blockSize: number;
  readonly blocks: number;
  readonly inodes: number;
  readonly inodeSize: number;
  readonly inodesPerGroup: number;
  readonly hasFileTypes: boolean;
  /** Of the table of inodes of a group, its first block. */
  readonly inodeTable: (group: number) => number;
}

/** @throws ImageProblem when it is no ext file system, or has a feature that cannot be read */
export function readSuperblock(image: Image): Superblock {
  const block = image.read(1024, 1024);
  if (block.readUInt16LE(56) !== MAGIC) throw new ImageProblem('there is no ext file system in it');
  const [logSize, isDynamic] = [block.readUInt32LE(24), block.readUInt32LE(76) > 0];
  const incompatible = isDynamic ? block.readUInt32LE(96) : 0;
  mustBeReadable(incompatible);
  const is64Bit = (incompatible & 0x80) !== 0;
  const layout = {
    blockSize: 1024 * 2 ** logSize,
    blocks: block.readUInt32LE(4) + (is64Bit ? block.readUInt32LE(0x150) * 2 ** 32 : 0),
    inodes: block.readUInt32LE(0),
    inodeSize: isDynamic ? block.readUInt16LE(88) : 128,
    inodesPerGroup: block.readUInt32LE(40),
  };
  const isSane =
    logSize <= 6 &&
    layout.blocks * layout.blockSize <= image.bytes &&
    layout.inodeSize >= 128 &&
    layout.inodeSize <= layout.blockSize &&
    layout.inodesPerGroup > 0;
  if (!isSane) throw new ImageProblem('its superblock says what cannot be');
  const inodeTable = tableFinder(image, { block, ...layout, is64Bit, isMeta: (incompatible & 0x10) !== 0 });
  return { ...layout, hasFileTypes: (incompatible & 0x2) !== 0, inodeTable };
}

function mustBeReadable(features: number): void {
  for (let bit = 1; bit < 2 ** 32; bit *= 2) {
    if ((features & bit) === 0) continue;
    const name = INCOMPATIBLE[bit];
    if (name === undefined || UNREADABLE.has(name))
      throw new ImageProblem(
        `it has the feature ${name ?? `0x${bit.toString(16)}`}, with which single files cannot be read: restore it whole`,
      );
  }
}

interface Layout {
  readonly block: Buffer;
  readonly blockSize: number;
  readonly is64Bit: boolean;
  readonly isMeta: boolean;
}

function tableFinder(image: Image, { block, blockSize, is64Bit, isMeta }: Layout): (group: number) => number {
  const size = is64Bit ? block.readUInt16LE(254) : 32;
  if (size < 32 || size > blockSize) throw new ImageProblem('its superblock says what cannot be');
  const perBlock = Math.floor(blockSize / size);
  const [groupBlocks, firstMeta] = [block.readUInt32LE(32), isMeta ? block.readUInt32LE(260) : Infinity];
  const given = block.readUInt32LE(20);
  // With bigalloc and blocks of 1 KiB, group 0 begins before the superblock.
  const first = given === 0 && blockSize === 1024 ? 1 : given;
  const known = new Map<number, number>();
  const find = (group: number): number => {
    const meta = Math.floor(group / perBlock);
    const head = meta * perBlock;
    const at = meta < firstMeta ? first + 1 + meta : given + head * groupBlocks + (hasSuperblock(block, head) ? 1 : 0);
    const descriptor = image.read(at * blockSize + (group % perBlock) * size, size);
    return descriptor.readUInt32LE(8) + (size >= 64 ? descriptor.readUInt32LE(0x28) * 2 ** 32 : 0);
  };
  return (group) => {
    const table = known.get(group) ?? find(group);
    known.set(group, table);
    return table;
  };
}

function hasSuperblock(block: Buffer, group: number): boolean {
  if (group === 0) return true;
  if ((block.readUInt32LE(92) & SPARSE_SUPER2) !== 0) return group === block.readUInt32LE(0x24c) || group === block.readUInt32LE(0x250);
  if ((block.readUInt32LE(100) & SPARSE_SUPER) === 0) return true;
  return group === 1 || [3, 5, 7].some((base) => isPower(group, base));
}

function isPower(of: number, base: number): boolean {
  let power = base;
  while (power < of) power *= base;
  return power === of;
}
