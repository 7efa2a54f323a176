/**
 * A tar of what was read: POSIX.1-2001 (pax), byte for byte what a file system holds. Names and attributes are bytes, times have nanoseconds, and holes are
 * kept as GNU tar keeps them (sparse format 1.0). `tar-stream` writes text only.
 */
import type { Segment } from './ext4/file-system.ts';
import { contentBytes, type FileEntry, type FrameSink, type Problem } from './frames.ts';

const BLOCK = 512;
const TYPES: Readonly<Record<Exclude<FileEntry['kind'], 'socket'>, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};
/** What the fields of the header hold: octal digits, one byte less than they are long. */
const MOST = { id: 0o7777777, device: 0o7777777, size: 0o77777777777, time: 0o77777777777 } as const;
const LONGEST = 100;

/** Fills up what has this length to whole blocks. */
export function padding(length: number): Buffer {
  return Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK);
}

/** What ends a tar. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/**
 * Writes what is read as a tar. Its end, `TAR_END`, is the caller's to write, when all was read.
 *
 * @param tell told what could not be read, and of sockets, which a tar cannot hold
 */
export function tarSink(write: (bytes: Uint8Array) => Promise<void>, tell: (problem: Problem) => void): FrameSink {
  let left = 0;
  let length = 0;
  return {
    async entry(entry) {
      const { kind } = entry;
      if (kind === 'socket') {
        tell({ is: 'problem', path: entry.path, reason: 'is a socket, which a tar cannot hold: it is left out', isLoss: false });
        return;
      }
      await write(tarHead({ ...entry, kind }));
      left = length = contentBytes(entry.segments);
    },
    async content(piece) {
      await write(piece);
      left -= piece.length;
      if (left === 0) await write(padding(length));
    },
    problem: tell,
  };
}

/** All that goes before the content of an entry. After the content: `padding`. A tar knows no sockets. */
export function tarHead(entry: FileEntry & { readonly kind: keyof typeof TYPES }): Buffer {
  const name = bytesOf(nameOf(entry));
  const target = bytesOf(entry.target ?? '');
  const isSparse = contentBytes(entry.segments) < entry.size;
  const map = isSparse ? sparseMap(entry.segments, entry.size) : Buffer.alloc(0);
  const records = [...recordsOf(entry, { name, target, isSparse })];
  const fields = {
    ...entry,
    name: isSparse ? Buffer.from('GNUSparseFile.0/file') : name,
    target,
    size: map.length + contentBytes(entry.segments),
  };
  return Buffer.concat([...extended(records), header(fields, TYPES[entry.kind]), map]);
}

/** Bytes of the content's map, which `padding` need not count: it is whole blocks. */
function sparseMap(segments: readonly Segment[], size: number): Buffer {
  // The end of a file that ends in a hole is told by a segment without content.
  const told = [...segments, ...(lastOf(segments) < size ? [[size, 0] as const] : [])];
  const text = Buffer.from(`${told.length}\n${told.map(([at, length]) => `${at}\n${length}\n`).join('')}`);
  return Buffer.concat([text, padding(text.length)]);
}

function lastOf(segments: readonly Segment[]): number {
  const [at, length] = segments.at(-1) ?? [0, 0];
  return at + length;
}

function nameOf({ path, kind }: FileEntry): string {
  if (path === '') return './';
  return kind === 'directory' ? `${path}/` : path;
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

type TarRecord = readonly [key: string, value: Buffer];

/** What the header has no room for. */
function* recordsOf(
  entry: FileEntry,
  { name, target, isSparse }: { name: Buffer; target: Buffer; isSparse: boolean },
): Generator<TarRecord> {
  const long: TarRecord[] = [
    ...(isSparse ? [['GNU.sparse.name', name] as const] : name.length > LONGEST ? [['path', name] as const] : []),
    ...(target.length > LONGEST ? [['linkpath', target] as const] : []),
  ];
  // Whoever reads a record takes it for UTF-8 unless this says otherwise.
  if (long.some(([, value]) => !Buffer.from(value.toString('utf8')).equals(value))) yield ['hdrcharset', Buffer.from('BINARY')];
  yield* long;
  if (isSparse) {
    yield ['GNU.sparse.major', Buffer.from('1')];
    yield ['GNU.sparse.minor', Buffer.from('0')];
    yield ['GNU.sparse.realsize', Buffer.from(String(entry.size))];
  }
  if (entry.uid > MOST.id) yield ['uid', Buffer.from(String(entry.uid))];
  if (entry.gid > MOST.id) yield ['gid', Buffer.from(String(entry.gid))];
  if (!isSparse && entry.size > MOST.size) yield ['size', Buffer.from(String(entry.size))];
  const [seconds, nanoseconds] = entry.mtime;
  if (nanoseconds > 0 || seconds < 0 || seconds > MOST.time) yield ['mtime', Buffer.from(decimal(seconds, nanoseconds))];
  for (const [key, value] of entry.attributes) yield [`SCHILY.xattr.${key}`, Buffer.from(value, 'base64')];
}

/** Nanoseconds count from the second on, backwards in time, too: -1 s and 250 000 000 ns are -0.75 s. */
export function decimal(seconds: number, nanoseconds: number): string {
  if (seconds >= 0 || nanoseconds === 0) return `${seconds}.${String(nanoseconds).padStart(9, '0')}`;
  return `-${-(seconds + 1)}.${String(1_000_000_000 - nanoseconds).padStart(9, '0')}`;
}

function extended(records: readonly TarRecord[]): Buffer[] {
  if (records.length === 0) return [];
  const body = Buffer.concat(records.map(([key, value]) => record(bytesOf(key), value)));
  const fields = {
    name: Buffer.from('PaxHeaders/entry'),
    target: Buffer.alloc(0),
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: [0, 0],
  } as const;
  return [header(fields, 'x'), body, padding(body.length)];
}

/** A record begins with its own length, which counts its digits, too. */
function record(key: Buffer, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} `), key, Buffer.from('='), value, Buffer.from('\n')]);
}

interface Fields extends Pick<FileEntry, 'mode' | 'uid' | 'gid' | 'size' | 'device'> {
  readonly name: Buffer;
  readonly target: Buffer;
  readonly mtime: readonly [number, number];
}

function header(fields: Fields, type: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number, most: number): void => {
    block.write(Math.max(0, Math.min(value, most)).toString(8).padStart(digits, '0'), at, 'latin1');
  };
  fields.name.copy(block, 0, 0, LONGEST);
  octal(fields.mode, 100, 7, 0o7777);
  octal(fields.uid, 108, 7, MOST.id);
  octal(fields.gid, 116, 7, MOST.id);
  octal(fields.size, 124, 11, MOST.size);
  octal(fields.mtime[0], 136, 11, MOST.time);
  block.write(' '.repeat(8) + type, 148, 'latin1');
  fields.target.copy(block, 157, 0, LONGEST);
  block.write('ustar\0' + '00', 257, 'latin1');
  const [major, minor] = fields.device ?? [0, 0];
  octal(major, 329, 7, MOST.device);
  octal(minor, 337, 7, MOST.device);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
