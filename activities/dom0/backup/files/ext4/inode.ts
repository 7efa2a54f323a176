/** An inode: kind, owner, times, size, and where its content is. */
import { Unreadable, type Image } from './image.ts';
import type { Superblock } from './superblock.ts';

export type Kind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block';

const KINDS: Readonly<Record<number, Kind>> = {
  0x1: 'fifo',
  0x2: 'character',
  0x4: 'directory',
  0x6: 'block',
  0x8: 'file',
  0xa: 'symlink',
  0xc: 'socket',
};

export const FLAGS = { encrypted: 0x800, extents: 0x80000, inline: 0x10000000, attribute: 0x200000 } as const;

/** The largest file: 2^32 blocks of 64 KiB. */
const MOST_BYTES = 2 ** 48;

/** Where an inode's blocks or their content begin in it, and how long that is. */
export const IN_INODE = { at: 40, bytes: 60 } as const;

export interface Inode {
  readonly number: number;
  readonly kind: Kind;
  /** Permissions, with set-uid, set-gid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  readonly flags: number;
  /** Seconds since 1970, and nanoseconds from there on. */
  readonly mtime: readonly [seconds: number, nanoseconds: number];
  /** Of a device. */
  readonly device?: readonly [major: number, minor: number];
  /** Block of extended attributes; 0: none. */
  readonly attributes: number;
  /** As it lies in the table. */
  readonly raw: Buffer;
}

/** @throws Unreadable */
export function readInode(image: Image, fs: Superblock, number: number): Inode {
  if (number < 1 || number > fs.inodes) throw new Unreadable(`is inode ${number}, and there are ${fs.inodes}`);
  const [group, index] = [Math.floor((number - 1) / fs.inodesPerGroup), (number - 1) % fs.inodesPerGroup];
  const raw = image.read(fs.inodeTable(group) * fs.blockSize + index * fs.inodeSize, fs.inodeSize);
  const word = raw.readUInt16LE(0);
  const kind = KINDS[word >> 12];
  if (kind === undefined) throw new Unreadable(`is of no kind that there is (mode 0${word.toString(8)})`);
  const hasHighSize = kind === 'file' || kind === 'directory';
  const size = raw.readUInt32LE(4) + (hasHighSize ? raw.readUInt32LE(108) * 2 ** 32 : 0);
  if (size > MOST_BYTES) throw new Unreadable(`says that it has ${size} bytes`);
  return {
    ...{ number, kind, size, raw, mode: word & 0o7777, links: raw.readUInt16LE(26), flags: raw.readUInt32LE(32) },
    uid: raw.readUInt16LE(2) + raw.readUInt16LE(120) * 2 ** 16,
    gid: raw.readUInt16LE(24) + raw.readUInt16LE(122) * 2 ** 16,
    mtime: timeOf(raw, { low: 16, extra: 136 }),
    attributes: raw.readUInt32LE(104) + raw.readUInt16LE(118) * 2 ** 32,
    ...(kind === 'block' || kind === 'character' ? { device: deviceOf(raw) } : {}),
  };
}

/** How many bytes an inode has behind the first 128; beyond them are extended attributes. */
export function extraBytes(raw: Buffer): number {
  const extra = raw.length > 128 ? raw.readUInt16LE(128) : 0;
  return extra % 4 === 0 && 128 + extra <= raw.length ? extra : 0;
}

/** The two lowest bits of the extra word go before the 32 of the seconds; the others are nanoseconds. */
function timeOf(raw: Buffer, at: { readonly low: number; readonly extra: number }): readonly [number, number] {
  const low = raw.readInt32LE(at.low);
  if (128 + extraBytes(raw) < at.extra + 4) return [low, 0];
  const extra = raw.readUInt32LE(at.extra);
  return [low + (extra & 3) * 2 ** 32, Math.min(extra >>> 2, 999_999_999)];
}

/** Small numbers are kept in the first word, others in the second one. */
function deviceOf(raw: Buffer): readonly [number, number] {
  const [small, large] = [raw.readUInt32LE(IN_INODE.at), raw.readUInt32LE(IN_INODE.at + 4)];
  return small === 0 ? [(large & 0xfff00) >>> 8, (large & 0xff) | ((large >>> 12) & 0xfff00)] : [(small >>> 8) & 0xff, small & 0xff];
}
