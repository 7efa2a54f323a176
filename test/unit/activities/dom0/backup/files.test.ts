/** What comes out of a guest's file system: believed nowhere, and the same bytes everywhere. */
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { deviceNumber } from '../../../../../activities/dom0/backup/by-hand/block-device.ts';
import { attributesOf, type Source } from '../../../../../activities/dom0/backup/files/ext4/attributes.ts';
import { entriesIn, whyNotName } from '../../../../../activities/dom0/backup/files/ext4/directory.ts';
import { FileSystem } from '../../../../../activities/dom0/backup/files/ext4/file-system.ts';
import type { Inode } from '../../../../../activities/dom0/backup/files/ext4/inode.ts';
import { frameBytes, frameParser, type FileEntry, type Frame, type FrameSink } from '../../../../../activities/dom0/backup/files/frames.ts';
import { readFiles } from '../../../../../activities/dom0/backup/files/read-files.ts';
import { decimal, padding, tarHead } from '../../../../../activities/dom0/backup/files/tar.ts';
import { Unpacking } from '../../../../../activities/dom0/backup/files/unpack.ts';
import { shownName } from '../../../../../contract/shown-name.ts';
import { createHost } from '../../../../../system/host.ts';
import { storedBackup } from '../../../../a-backup.ts';
import { outermost, parsePath } from '../../../../../cli/repository/names.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-files-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function entry(path: string, more: Partial<FileEntry> = {}): FileEntry {
  const [uid, gid] = [process.getuid!(), process.getgid!()];
  return { is: 'entry', path, kind: 'file', mode: 0o644, uid, gid, size: 0, mtime: [1_000_000, 0], attributes: [], segments: [], ...more };
}

interface Heard extends FrameSink {
  readonly said: unknown[];
}

function listener(): Heard {
  const said: unknown[] = [];
  return {
    said,
    entry: (of) => Promise.resolve(void said.push(of)),
    content: (piece) => Promise.resolve(void said.push(piece.toString('latin1'))),
    problem: (problem) => void said.push(problem),
  };
}

async function hear(bytes: Buffer, sink: FrameSink, sizes: readonly number[] = [bytes.length]): Promise<void> {
  const parser = frameParser(sink);
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    await parser.push(bytes.subarray(at, at + size));
    at += size;
  }
  parser.end();
}

const END = frameBytes({ is: 'end' });

describe('frames', () => {
  it('are the same however the pipe cuts them', async () => {
    const file = entry('a', { size: 9, segments: [[2, 7]] });
    const problem: Frame = { is: 'problem', path: '\xff\n', reason: 'is broken', isLoss: true };
    const bytes = Buffer.concat([frameBytes(file), Buffer.from('content'), frameBytes(problem), frameBytes(entry('b')), END]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }), async (sizes) => {
        const sink = listener();
        await hear(bytes, sink, sizes);
        const content = sink.said.filter((each) => typeof each === 'string').join('');
        expect([content, ...sink.said.filter((each) => typeof each !== 'string')]).toEqual(['content', file, problem, entry('b')]);
      }),
    );
  });

  it.each<[string, Buffer]>([
    ['that end early', frameBytes(entry('a'))],
    ['with content that is cut off', Buffer.concat([frameBytes(entry('a', { size: 9, segments: [[0, 9]] })), Buffer.from('half')])],
    ['after the end', Buffer.concat([END, END])],
    ['of rubbish', Buffer.from('\x05\0\0\0{"is"')],
    ['that are too long', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['of an unknown kind', Buffer.concat([frameBytes({ is: 'else' } as never), END])],
    ['with a path that leads out', Buffer.concat([frameBytes(entry('a/../../b')), END])],
    ['with an absolute path', Buffer.concat([frameBytes(entry('/etc/passwd')), END])],
    ['with a link to what is outside', Buffer.concat([frameBytes(entry('a', { kind: 'hardlink', target: '../b' })), END])],
    ['that say that the reader could not go on', frameBytes({ is: 'failure', reason: 'for a reason' })],
  ])('%s are an error', async (_, bytes) => {
    await expect(hear(bytes, listener())).rejects.toMatchObject({ type: 'BackupUnusable' });
  });
});

describe('unpacking', () => {
  const unpack = async (...frames: readonly (FileEntry | string)[]): Promise<string[]> => {
    const told: string[] = [];
    const unpacking = new Unpacking(directory, ({ path, reason }) => void told.push(`${path} ${reason}`));
    const bytes = frames.map((frame) => (typeof frame === 'string' ? Buffer.from(frame) : frameBytes(frame)));
    await hear(Buffer.concat([...bytes, END]), unpacking, [3]);
    await unpacking.finish();
    return told;
  };

  it('writes content where it belongs, with holes, links, modes and times; of a directory when all in it is there', async () => {
    const told = await unpack(
      entry('d', { kind: 'directory', mode: 0o555 }),
      entry('d/file', {
        mode: 0o4751,
        size: 10,
        segments: [
          [1, 2],
          [5, 3],
        ],
      }),
      '12345',
      entry('d/twin', { kind: 'hardlink', target: 'd/file' }),
      entry('d/\xff', { kind: 'symlink', target: '../\xfe' }),
    );
    expect(told).toEqual([]);
    expect(readFileSync(join(directory, 'd/twin')).toString('latin1')).toBe('\0' + '12\0\0' + '345\0\0');
    const stat = lstatSync(join(directory, 'd/file'));
    expect([stat.mode & 0o7777, stat.mtimeMs, stat.nlink]).toEqual([0o4751, 1e9, 2]);
    expect([lstatSync(join(directory, 'd')).mode & 0o777, lstatSync(join(directory, 'd')).mtimeMs]).toEqual([0o555, 1e9]);
    expect(readdirSync(join(directory, 'd'), { encoding: 'latin1' })).toContain('\xff');
  });

  it('goes through no link, over no file, and makes no device', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'guestflow-outside-'));
    const told = await unpack(
      entry('link', { kind: 'symlink', target: outside }),
      entry('link/inside', { size: 4, segments: [[0, 4]] }),
      'evil',
      entry('file', { size: 4, segments: [[0, 4]] }),
      'good',
      entry('file', { size: 4, segments: [[0, 4]] }),
      'evil',
      entry('link', { kind: 'directory' }),
      entry('disk', { kind: 'block', device: [8, 0] }),
      entry('socket', { kind: 'socket' }),
    );
    expect(readdirSync(outside)).toEqual([]);
    rmSync(outside, { recursive: true });
    expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('good');
    expect(told).toEqual([
      'link/inside cannot be made here (EEXIST)',
      'file cannot be made here (EEXIST)',
      'link cannot be made here (EEXIST)',
      'disk is a device: it is left out',
      'socket is a socket: it is left out',
    ]);
    const links = [entry('twin', { kind: 'hardlink', target: 'disk' }), entry('evil', { kind: 'hardlink', target: 'link/x' })];
    expect(await unpack(...links)).toEqual(['twin cannot be made here (ENOENT)', 'evil cannot be made here (ENOENT)']);
    expect(existsSync(join(directory, 'disk'))).toBe(false);
  });
});

describe('a tar', () => {
  const head = (of: FileEntry): Buffer => tarHead(of as Parameters<typeof tarHead>[0]);
  const records = (bytes: Buffer): string[] =>
    [...bytes.toString('latin1').matchAll(/(?:^|\n|\0)(\d+) ([A-Za-z.]+)=([^\n]*)(?=\n)/g)].map(
      (match) => `${match[1]!} ${match[2]!}=${match[3]!}`,
    );

  it('has whole blocks, a right sum, and no record where the header says all', () => {
    const bytes = head(entry('etc/hostname', { size: 5, segments: [[0, 5]], mode: 0o4755, uid: 1000, gid: 7 }));
    expect(bytes).toHaveLength(512);
    expect(bytes.toString('latin1', 0, 12)).toBe('etc/hostname');
    expect([bytes.toString('latin1', 100, 107), bytes.toString('latin1', 124, 135), bytes.toString('latin1', 156, 157)]).toEqual([
      '0004755',
      '00000000005',
      '0',
    ]);
    const sum = bytes.reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 0x20 : byte), 0);
    expect(parseInt(bytes.toString('latin1', 148, 154), 8)).toBe(sum);
    expect(padding(5)).toHaveLength(507);
    expect(padding(1024)).toHaveLength(0);
  });

  it('says in records what the header cannot, and marks bytes that are no text', () => {
    const long = `${'d'.repeat(99)}/\xff`;
    const bytes = head(
      entry(long, { uid: 3_000_000, mtime: [-2, 500_000_000], attributes: [['user.a', Buffer.from('v').toString('base64')]] }),
    );
    expect(records(bytes).map((record) => record.replace(/^\d+ /, ''))).toEqual([
      'hdrcharset=BINARY',
      `path=${long}`,
      'uid=3000000',
      'mtime=-1.500000000',
      'SCHILY.xattr.user.a=v',
    ]);
    for (const record of records(bytes)) expect(Buffer.byteLength(record, 'latin1') + 1).toBe(parseInt(record, 10));
    expect(bytes.length % 512).toBe(0);
  });

  it('keeps holes as a map before the content', () => {
    const bytes = head(entry('sparse', { size: 10 ** 12, segments: [[4096, 512]] }));
    expect(records(bytes).join()).toMatch(/GNU.sparse.name=sparse,.*GNU.sparse.realsize=1000000000000/);
    const map = bytes
      .subarray(bytes.length - 512)
      .toString('latin1')
      .replaceAll('\0', '');
    expect(map).toBe('2\n4096\n512\n1000000000000\n0\n');
    expect(parseInt(bytes.subarray(bytes.length - 1024).toString('latin1', 124, 135), 8)).toBe(1024);
  });

  it.each([
    [0, 1, '0.000000001'],
    [5, 0, '5.000000000'],
    [-1, 250_000_000, '-0.750000000'],
    [-2_300_000_000, 0, '-2300000000.000000000'],
  ])('writes %d s and %d ns as %s', (seconds, nanoseconds, text) => {
    expect(decimal(seconds, nanoseconds)).toBe(text);
  });
});

describe('names', () => {
  it('that are shown can be given back, whatever bytes they have, and steer no terminal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        const name = Buffer.from(bytes).toString('latin1').replaceAll(/[/\0]/g, '');
        fc.pre(name !== '' && name !== '.' && name !== '..');
        const shown = shownName(name);
        expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
        expect(parsePath('file', shown)).toBe(name);
      }),
    );
    expect(shownName(Buffer.from('Grüße \u202e\n\\').toString('latin1'))).toBe('Grüße \\xe2\\x80\\xae\\x0a\\\\');
  });

  it('are paths from the root of the guest', () => {
    expect(['/etc//passwd/', './etc/./passwd', 'etc/passwd'].map((path) => parsePath('file', path))).toEqual(Array(3).fill('etc/passwd'));
    for (const path of ['../etc', '/a/../../b', 'a\\b', 'a\\x00b', '\\x2e\\x2e/etc'])
      expect(() => parsePath('file', path)).toThrow(
        expect.objectContaining({ type: 'InvalidInput', details: expect.objectContaining({ field: 'file' }) as unknown }),
      );
    expect(outermost(['etc/passwd', 'etc', 'etcetera', 'etc'])).toEqual(['etc', 'etcetera']);
    expect(outermost(['etc', ''])).toEqual(['']);
  });

  it.each(['', '.', '..', 'a/b', '../../escape', 'a\0b'])('%j of a directory is refused', (name) => {
    expect(whyNotName(name)).toBeDefined();
  });
});

describe('a directory block', () => {
  const dirent = (inode: number, length: number, name: string, nameLength = name.length): Buffer => {
    const bytes = Buffer.alloc(length);
    bytes.writeUInt32LE(inode);
    bytes.writeUInt16LE(length, 4);
    bytes.writeUInt8(nameLength, 6);
    bytes.write(name, 8, 'latin1');
    return bytes;
  };
  const names = (...parts: Buffer[]): string[] => [...entriesIn(Buffer.concat(parts), true)].map(({ name }) => name);

  it('gives names that are in use, whatever bytes they have', () => {
    expect(names(dirent(2, 12, '.'), dirent(0, 16, 'deleted'), dirent(11, 20, '\xff\n/'), dirent(0, 464, ''))).toEqual(['.', '\xff\n/']);
  });

  it.each<[string, Buffer]>([
    ['of length 0', Buffer.alloc(64)],
    ['that goes beyond the block', dirent(2, 12, 'x').fill(0xfc, 4, 6)],
    ['whose name goes beyond it', dirent(2, 12, 'x', 200)],
    ['of a length that is no multiple of four', dirent(2, 13, 'x')],
  ])('with an entry %s is broken', (_, block) => {
    expect(() => names(block)).toThrow('broken');
  });
});

describe('extended attributes', () => {
  const source: Source = {
    block: () => Buffer.alloc(0),
    inode: () => {
      throw new Error('there is none');
    },
    content: () => Buffer.alloc(0),
  };
  const inodeWith = (index: number, name: string, value: Buffer): Inode => {
    const raw = Buffer.alloc(256);
    raw.writeUInt16LE(32, 128);
    raw.writeUInt32LE(0xea020000, 160);
    raw.writeUInt8(name.length, 164);
    raw.writeUInt8(index, 165);
    raw.writeUInt16LE(60, 166);
    raw.writeUInt32LE(value.length, 172);
    raw.write(name, 180, 'latin1');
    value.copy(raw, 164 + 60);
    return { raw, attributes: 0 } as Inode;
  };

  it('are read out of the inode', () => {
    expect(attributesOf(source, inodeWith(1, 'colour', Buffer.from('red')))).toEqual([{ name: 'user.colour', value: Buffer.from('red') }]);
  });

  it('are access lists as programs see them', () => {
    // user::rw-, user:1000:r--, as ext4 keeps them.
    const kept = Buffer.from([1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 0xe8, 3, 0, 0]);
    expect(attributesOf(source, inodeWith(2, '', kept))).toEqual([
      { name: 'system.posix_acl_access', value: Buffer.from([2, 0, 0, 0, 1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff, 2, 0, 4, 0, 0xe8, 3, 0, 0]) },
    ]);
  });

  it.each<[string, (raw: Buffer) => void]>([
    ['a value outside', (raw) => raw.writeUInt16LE(60_000, 166)],
    ['a value that is too large', (raw) => raw.writeUInt32LE(0xffffffff, 172)],
    ['a name that is too long', (raw) => raw.writeUInt8(255, 164)],
    ['an unknown kind', (raw) => raw.writeUInt8(99, 165)],
  ])('with %s are broken', (_, change) => {
    const inode = inodeWith(1, 'colour', Buffer.from('red'));
    change(inode.raw);
    expect(() => attributesOf(source, inode)).toThrow(/attribute/);
  });
});

describe('a file system', () => {
  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(1 << 16)],
    ['a superblock of ones', Buffer.alloc(1 << 16, 0xff)],
  ])('of %s is none, and nothing else happens', (_, bytes) => {
    const path = join(directory, 'image');
    writeFileSync(path, bytes);
    expect(() => new FileSystem(path)).toThrow(/no ext file system|points outside|what cannot be/);
  });
});

it.each([
  [0x0700, 7, 0],
  [0xfd03, 253, 3],
  [286327664, 259, 70_000],
])('device number %d is %d:%d', (rdev, major, minor) => {
  expect(deviceNumber(rdev)).toEqual({ major, minor });
});

it('is refused to who is not root before a place for it is looked for', async () => {
  vi.spyOn(process, 'getuid').mockReturnValue(1_000);
  onTestFinished(() => void vi.restoreAllMocks());
  const backup = { ...storedBackup('web1', '20261123T020000Z'), path: '/none', recordSha256: '', recordState: 'verified' as const };
  const reading = {
    request: { what: 'list' as const, paths: [''] },
    temporary: join(directory, 'none'),
    program: new Uint8Array(),
    passphraseFile: '',
  };
  const work = { host: createHost(), signal: new AbortController().signal, progress: () => undefined };
  await expect(readFiles(work, backup, { ...reading, sink: new Unpacking(directory, () => undefined) })).rejects.toMatchObject({
    type: 'HostNotReady',
  });
});
