/**
 * File systems of all kinds for backups to be tried on, made from a seed: what is on each is what a tenant has, or could write to do harm. Each is an
 * image as the snapshot of a guest that runs shows it: its last writes are in its journal only.
 */
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
  chmodSync,
  chownSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { host, imageFile, loopOn, mounted } from './machine.ts';

const MiB = 2 ** 20;

/** mulberry32: the same numbers for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;
type Fill = (at: string, random: Random) => Promise<void> | void;

export interface Kind {
  readonly name: string;
  /** Default: ext4. */
  readonly type?: 'ext3';
  /** Words for mke2fs, beside those that the seed adds. */
  readonly options?: readonly string[];
  readonly fill?: Fill;
  readonly isOfFsyncsOnly?: true;
  /** Done to the image when it is not mounted any more. */
  readonly after?: (image: string, random: Random) => Promise<void> | void;
  /** Why it must be refused altogether. */
  readonly refused?: RegExp;
  /** Some versions of the tools cannot read it: then it must be refused so. */
  readonly mayBeRefused?: RegExp;
  /** dump must not be trusted with it: the reason. Default: the seed decides. */
  readonly notForDump?: RegExp;
}

function durably(path: string | Buffer, data: string | Buffer): void {
  const file = openSync(path, 'w');
  writeSync(file, Buffer.from(data));
  fsyncSync(file);
  closeSync(file);
}

function bytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}

/** Names are bytes. */
function named(at: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${at}/`), name]);
}

/** A tree of a root file system's kind, with what every one has. */
const ordinary: Fill = (at, random) => {
  mkdirSync(join(at, 'etc'));
  durably(join(at, 'etc/hostname'), `guest-${random()}\n`);
  durably(join(at, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
  mkdirSync(join(at, 'home/a/b'), { recursive: true });
  for (let index = 0; index < 20; index += 1) {
    const path = join(at, index % 2 === 0 ? 'home' : 'home/a/b', `file-${index}`);
    durably(path, bytes(random, Math.floor(random() * 9_000)));
    chmodSync(path, Math.floor(random() * 0o10000));
    chownSync(path, Math.floor(random() * 70_000), Math.floor(random() * 70_000));
  }
  symlinkSync('../etc/passwd', join(at, 'home/link'));
  symlinkSync('/' + 'l'.repeat(200), join(at, 'home/long-link'));
};

const unwritten: Fill = async (at, random) => {
  await ordinary(at, random);
  // What the blocks held stays in them: the secret that was deleted.
  durably(join(at, 'secret'), 'deleted secret\n'.repeat(150_000));
  rmSync(join(at, 'secret'));
  await host.run('sync', ['--file-system', at]);
  for (let index = 0; index < 4; index += 1) {
    await host.run('fallocate', ['-l', String(400_000), join(at, `database-${index}`)]);
    const file = openSync(join(at, `database-${index}`), 'r+');
    writeSync(file, 'head of the database\n');
    fsyncSync(file);
    closeSync(file);
  }
};

const KINDS: readonly Kind[] = [
  { name: 'ordinary', fill: ordinary, isOfFsyncsOnly: true },
  { name: 'empty' },
  { name: 'ext3', type: 'ext3', fill: ordinary },
  { name: 'unwritten extents over deleted secrets', fill: unwritten, isOfFsyncsOnly: true, notForDump: /never written/ },
  {
    name: 'many hard links',
    fill: async (at, random) => {
      await ordinary(at, random);
      for (let index = 0; index < 1_500; index += 1) linkSync(join(at, 'etc/passwd'), join(at, 'home', `hard-${index}`));
    },
  },
  {
    name: 'a sparse file of 1 TB',
    options: ['-b', '4096'],
    fill: async (at, random) => {
      await ordinary(at, random);
      writeFileSync(join(at, 'monster'), '');
      truncateSync(join(at, 'monster'), 10 ** 12);
      const file = openSync(join(at, 'monster'), 'r+');
      writeSync(file, 'the end', 10 ** 12 - 100);
      fsyncSync(file);
      closeSync(file);
    },
    notForDump: /larger than itself/,
  },
  {
    name: 'names with line breaks and bytes that are no text',
    fill: async (at, random) => {
      await ordinary(at, random);
      durably(named(at, Buffer.from('two\nlines')), 'x');
      durably(named(at, Buffer.from([0xff, 0xfe, 0x80, 0x0d])), 'y');
      durably(named(at, Buffer.from('-rf *;$(id)')), 'z');
    },
    notForDump: /line breaks/,
  },
  {
    name: 'names of 255 bytes',
    fill: async (at, random) => {
      await ordinary(at, random);
      durably(join(at, 'n'.repeat(255)), 'kept?');
    },
    notForDump: /255 bytes/,
  },
  {
    name: 'sockets, pipes and devices',
    fill: async (at, random) => {
      await ordinary(at, random);
      await new Promise<void>((resolve) => {
        const server = createServer().listen(join(at, 'socket'), () => {
          // Without its own removal of the socket, as a daemon that was killed leaves it.
          linkSync(join(at, 'socket'), join(at, 'socket-left'));
          server.close(() => resolve());
        });
      });
      await host.run('mkfifo', [join(at, 'pipe')]);
      await host.run('mknod', [join(at, 'block'), 'b', '8', '1']);
      await host.run('mknod', [join(at, 'character'), 'c', '1', '3']);
    },
  },
  {
    name: 'a device of a large number',
    fill: async (at, random) => {
      await ordinary(at, random);
      await host.run('mknod', [join(at, 'large'), 'b', '259', '70000']);
    },
    notForDump: /larger numbers/,
  },
  {
    name: 'immutable and append-only files',
    fill: async (at, random) => {
      await ordinary(at, random);
      await host.run('chattr', ['+i', join(at, 'etc/passwd')]);
      await host.run('chattr', ['+a', join(at, 'etc/hostname')]);
    },
  },
  {
    name: 'dates before 1901 and after 2038',
    fill: async (at, random) => {
      await ordinary(at, random);
      utimesSync(join(at, 'etc/passwd'), -2_300_000_000, -2_300_000_000);
      utimesSync(join(at, 'etc/hostname'), 5_000_000_000, 5_000_000_000);
    },
    notForDump: /dates/,
  },
  {
    name: 'extended attributes and access lists up to a block',
    fill: ordinary,
    after: async (image) => {
      await host.run('e2fsck', ['-p', image], { okCodes: [0, 1] });
      const request = [
        `ea_set /etc/passwd user.large ${'v'.repeat(900)}`,
        'ea_set /etc/hostname user.small v',
        'ea_set /etc/passwd security.capability cap',
      ];
      for (const line of request) await host.run('debugfs', ['-w', '-R', line, image]);
    },
  },
  {
    name: 'nearly full',
    fill: async (at, random) => {
      await ordinary(at, random);
      const file = openSync(join(at, 'filler'), 'w');
      try {
        for (const block = bytes(random, 65_536); ;) writeSync(file, block);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ENOSPC') throw error;
      }
      closeSync(file);
    },
  },
  {
    name: 'a large directory, some of it deleted',
    fill: async (at, random) => {
      await ordinary(at, random);
      for (let index = 0; index < 1_200; index += 1) writeFileSync(join(at, 'home', `message-${index}`), '');
      for (let index = 0; index < 1_200; index += 3) rmSync(join(at, 'home', `message-${index}`));
    },
  },
  { name: 'inline_data', options: ['-O', 'inline_data'], fill: ordinary, notForDump: /inline_data/ },
  { name: 'bigalloc', options: ['-O', 'bigalloc', '-C', '16384'], fill: ordinary, notForDump: /bigalloc/ },
  { name: 'encrypt', options: ['-O', 'encrypt'], fill: ordinary, notForDump: /encrypt/ },
  { name: 'verity', options: ['-O', 'verity'], fill: ordinary, notForDump: /verity/ },
  { name: 'casefold, not mounted', options: ['-O', 'casefold'], notForDump: /casefold/ },
  { name: 'quota and project, not mounted', options: ['-O', 'quota,project'], notForDump: /project|quota/ },
  { name: 'ea_inode', options: ['-O', 'ea_inode'], fill: ordinary, notForDump: /ea_inode/ },
  { name: 'orphan_file and metadata_csum_seed, as Debian 13 makes it', options: ['-O', 'orphan_file,metadata_csum_seed'], fill: ordinary },
  // e2fsck 1.47.0 replays its journal, and leaves a superblock whose checksum is wrong.
  { name: 'fast_commit', options: ['-O', 'fast_commit'], fill: ordinary, mayBeRefused: /cannot be saved/ },
  { name: 'meta_bg', options: ['-O', 'meta_bg,^resize_inode'], fill: ordinary },
  { name: 'sparse_super2', options: ['-O', 'sparse_super2'], fill: ordinary },
  { name: 'no metadata_csum', options: ['-O', '^metadata_csum'], fill: ordinary },
  { name: 'no 64bit', options: ['-O', '^64bit'], fill: ordinary },
  {
    name: 'no journal, not mounted',
    options: ['-O', '^has_journal'],
    notForDump: /journal/,
  },
  {
    name: 'damaged',
    fill: ordinary,
    after: async (image) => {
      await host.run('e2fsck', ['-p', image], { okCodes: [0, 1] });
      // A directory that is no directory any more, and a file that says it has blocks of another.
      await host.run('debugfs', ['-w', '-R', 'clri /home', image]);
    },
    refused: /cannot be saved/,
  },
  {
    name: 'no file system at all',
    after: (image) => {
      writeFileSync(image, Buffer.alloc(8 * MiB, 'no file system'));
    },
    refused: /cannot be saved/,
  },
];

/** So many file systems are enough to have one of each kind. */
export const KIND_COUNT = KINDS.length;

export interface Specimen {
  readonly kind: Kind;
  readonly seed: number;
  readonly title: string;
}

/** So many file systems: each kind once, then again with other block sizes, inode sizes and contents. */
export function corpus(count: number): Specimen[] {
  return Array.from({ length: count }, (_, seed) => {
    const kind = KINDS[seed % KINDS.length]!;
    return { kind, seed, title: `${kind.name} (seed ${seed})` };
  });
}

/** Where there is room for it. */
function writeLast(path: string): void {
  try {
    durably(path, 'the last that was fsynced\n');
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOSPC') throw error;
  }
}

/** Makes the image of a snapshot. Returns its path. */
export async function grow(directory: string, { kind, seed }: Specimen): Promise<string> {
  const random = randomOf(seed);
  const running = imageFile(join(directory, 'running.img'), (seed < KINDS.length ? 16 : 8 + 4 * Math.floor(random() * 5)) * MiB);
  const given = kind.options ?? [];
  const varied = [
    ...(given.includes('-b') || given.includes('-C') ? [] : ['-b', ['1024', '2048', '4096'][Math.floor(random() * 3)]!]),
    ...['-I', ['256', '512', '1024'][seed < KINDS.length ? 0 : Math.floor(random() * 3)]!],
  ];
  await host.run('mke2fs', ['-q', '-F', '-t', kind.type ?? 'ext4', ...given, ...varied, running]);
  const snapshot = join(directory, 'snapshot.img');
  if (kind.fill === undefined) copyFileSync(running, snapshot);
  else {
    const device = await loopOn(running);
    const mount = await mounted(device, join(directory, 'guest'));
    await kind.fill(join(directory, 'guest'), random);
    // Of some nothing is there but what was fsynced; of most all is, and what is fsynced after it.
    if (kind.isOfFsyncsOnly !== true) {
      await host.run('sync', ['--file-system', join(directory, 'guest')]);
      writeLast(join(directory, 'guest', 'last'));
    }
    await host.run('sync', ['--', running]);
    copyFileSync(running, snapshot);
    await mount.unmount();
  }
  await kind.after?.(snapshot, random);
  return snapshot;
}
