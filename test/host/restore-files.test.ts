/** Files out of a backup, read in a cage: the same as the kernel sees them, or refused by name. Nothing is written but where it may. */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorOf, run } from '../unit/cli/run.ts';
import { ID, repositoryOf, usedBlocks } from './a-repository.ts';
import { corpus, grow, KIND_COUNT, type Specimen } from './backup-corpus.ts';
import { host, imageFile, loopOn, mounted, scratch, titled, whyNotHere } from './machine.ts';
import { describeTree } from './same-tree.ts';

const why = whyNotHere('mke2fs', 'e2fsck', 'e2image', 'zstd', 'losetup', 'debugfs', 'unshare', 'prlimit', 'setpriv', 'tar');
const MiB = 2 ** 20;
/** How many file systems: each kind once, and as many more as are asked for. */
const COUNT = Number(process.env['BACKUP_CORPUS'] ?? KIND_COUNT);

interface Place {
  readonly directory: string;
  readonly repository: string;
  /** What the backup holds. */
  readonly image: string;
}

async function placeOf(specimen: Specimen): Promise<Place> {
  const directory = scratch();
  const image = await usedBlocks(directory, await grow(directory, specimen));
  return { directory, image, repository: await repositoryOf(directory, image) };
}

const kindOf = (name: string): Specimen => corpus(KIND_COUNT).find(({ kind }) => kind.name.startsWith(name))!;

/** Of an image made by hand: what a tenant's root may write. */
async function crafted(change: (image: Buffer) => void, commands: readonly string[] = []): Promise<Place> {
  const directory = scratch();
  const image = imageFile(join(directory, 'crafted.img'), 8 * MiB);
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'd', 'e'), { recursive: true });
  for (const name of ['d/xxxxxxxxxxxx', 'd/yyyyyy', 'd/good', 'd/e/deep']) writeFileSync(join(tree, name), `content of ${name}`);
  await host.run('mke2fs', ['-q', '-F', '-t', 'ext4', '-O', '^metadata_csum', '-d', tree, image]);
  for (const command of commands) await host.run('debugfs', ['-w', '-R', command, image]);
  const bytes = readFileSync(image);
  change(bytes);
  writeFileSync(image, bytes);
  execFileSync('rm', ['-r', tree]);
  return { directory, image, repository: await repositoryOf(directory, image) };
}

function patch(image: Buffer, from: string, to: string): void {
  const at = image.indexOf(from);
  expect(at).toBeGreaterThan(0);
  image.write(to, at, 'latin1');
  expect(from).toHaveLength(to.length);
}

const restore = ({ repository }: Place, ...argv: string[]) => run(['restore', 'web1', '--repository', repository, ...argv]);
const list = ({ repository }: Place, path: string) => run(['backups', 'web1', '--repository', repository, '--ls', path, '--json']);

/** What the kernel says of the same tree. */
async function kernelTree({ directory, image }: Place, below = ''): Promise<string[]> {
  const at = join(directory, `kernel-${Math.random()}`);
  const mount = await mounted(await loopOn(image), at);
  try {
    return describeTree(join(at, below), KEPT);
  } finally {
    await mount.unmount();
  }
}

/** Of a tree on another file system. */
const KEPT = { nanoseconds: true, inodes: false, blocks: false };

/** The tar, unpacked by GNU tar as the machine has it. */
function untarred(directory: string, tar: Buffer): string {
  const at = join(directory, 'untarred');
  mkdirSync(at);
  execFileSync('tar', ['--numeric-owner', '-xpf', '-', '-C', at, '--xattrs', '--xattrs-include=*'], { input: tar, maxBuffer: 2 ** 28 });
  return at;
}

/** Names of what is below a directory, in which things come and go meanwhile. */
function namesBelow(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true }).map(String);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** No unpacked image is left, and nothing is beside what there was. */
function isClean({ directory }: Place, ...more: string[]): void {
  const left = readdirSync(directory).filter((name) => /guestflow|escape|evil/.test(name));
  expect(left).toEqual(more);
}

describe.skipIf(why !== undefined)(titled('guestflow restore --repository DIR NAME --file PATH', why), () => {
  it.each(
    corpus(COUNT)
      .filter(({ kind }) => kind.refused === undefined && kind.mayBeRefused === undefined)
      .map((specimen) => [specimen.title, specimen] as const),
  )('brings all of %s back as the kernel sees it', async (_, specimen) => {
    const place = await placeOf(specimen);
    const { code, output, stderr } = await restore(place, '--file', '/', '--to', '-');
    const sockets = /^guestflow: \/\S+ is a socket, which a tar cannot hold: it is left out$/;
    expect({ code, stderr: stderr.split('\n').filter((line) => line !== '' && !sockets.test(line)) }).toEqual({ code: 0, stderr: [] });
    isClean(place);
    if (specimen.kind.fill === undefined) return;
    const expected = (await kernelTree(place)).filter((line) => !line.includes(' Socket '));
    expect(describeTree(untarred(place.directory, output), KEPT)).toEqual(expected);
  });

  it('brings back one file in a directory that is made for it', async () => {
    const place = await placeOf(kindOf('ordinary'));
    const to = join(place.directory, 'out');
    const { code, stdout } = await restore(place, '--file', '/etc/hostname', 'home', '--to', to, '--json');
    expect({ code, document: JSON.parse(stdout) as unknown }).toEqual({
      code: 0,
      document: { guest: 'web1', backup: ID, to, problems: [] },
    });
    expect(statSync(to).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(to, 'etc/hostname'), 'utf8')).toMatch(/^guest-/);
    const seconds = { ...KEPT, nanoseconds: false };
    const at = join(place.directory, 'kernel');
    await mounted(await loopOn(place.image), at);
    expect(describeTree(join(to, 'home'), seconds)).toEqual(describeTree(join(at, 'home'), seconds));
    isClean(place);
  });

  it('keeps extended attributes in the tar', async () => {
    const place = await placeOf(kindOf('extended attributes'));
    const { output } = await restore(place, '--file', 'etc', '--to', '-');
    const records = [...output.toString('latin1').matchAll(/(\d+) SCHILY\.xattr\.([a-z.]+)=([a-z]*)\n/g)];
    expect(records.map(([whole, length, name, value]) => [Number(length) - whole.length, name, value]).sort()).toEqual([
      [0, 'security.capability', 'cap'],
      [0, 'user.large', 'v'.repeat(900)],
      [0, 'user.small', 'v'],
    ]);
  });

  it.each([
    ['../../escape', 'xxxxxxxxxxxx'],
    ['/etc/x', 'yyyyyy'],
    ['..\0\0\0\0', 'yyyyyy'],
  ])('writes nothing outside for an entry that is called %j, names it, and brings the others back', async (name, former) => {
    const place = await crafted((image) => {
      patch(image, former, name);
    });
    const to = join(place.directory, 'a', 'b', 'out');
    mkdirSync(join(place.directory, 'a', 'b'), { recursive: true });
    const unpacked = await restore(place, '--file', '/', '--to', to);
    expect(unpacked.code).toBe(1);
    expect(unpacked.stderr).toMatch(/guestflow: \/d\/\S+ is a name/);
    expect(readFileSync(join(to, 'd/good'), 'utf8')).toBe('content of d/good');
    expect(readdirSync(join(to, 'd')).sort()).toEqual(['e', 'good', former === 'yyyyyy' ? 'xxxxxxxxxxxx' : 'yyyyyy'].sort());
    expect(readdirSync(join(place.directory, 'a'), { recursive: true }).filter((path) => String(path).includes('escape'))).toEqual([]);
    const tar = await restore(place, '--file', '/');
    expect(tar.code).toBe(1);
    const names = execFileSync('tar', ['-tf', '-'], { input: tar.output, encoding: 'utf8' });
    expect(names.split('\n').filter((path) => path.includes('..') || path.startsWith('/'))).toEqual([]);
    const listed = await list(place, '/d');
    expect(listed.code).toBe(1);
    expect(JSON.parse(listed.stdout)).toMatchObject({ problems: [{ isLoss: true }] });
    isClean(place);
    expect(existsSync(join(place.directory, 'escape'))).toBe(false);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a directory that is in itself', ['ln <2> /d/loop'], /\/d\/loop\/d is the directory \/d once more/],
    ['a file that says it is encrypted', ['sif /d/good flags 0x80800'], /\/d\/good is encrypted/],
    ['a map of blocks outside of the file system', ['sif /d/good block[5] 0x7fffffff'], /\/d\/good points outside/],
    ['a kind that there is not', ['sif /d/good mode 0170644'], /\/d\/good is of no kind/],
    ['a directory of rubbish', ['sif /d/good mode 040755', 'sif /d/good size 1024'], /\/d\/good is a directory that is broken/],
    ['an extent tree that leads to itself', ['sif /d/good block[1] 0x00010004'], /\/d\/good (points outside|has a broken map)/],
  ])('names %s, and brings the others back', async (_, commands, reason) => {
    const place = await crafted(() => undefined, commands);
    const { code, output, stderr } = await restore(place, '--file', '/d', '--to', '-');
    expect(stderr).toMatch(reason);
    expect(code).toBe(1);
    const root = untarred(place.directory, output);
    expect(readFileSync(join(root, 'd/e/deep'), 'utf8')).toBe('content of d/e/deep');
  });

  it('is refused for a file system with a feature that it cannot read, by name', async () => {
    const place = await crafted((image) => {
      image.writeUInt32LE(image.readUInt32LE(1024 + 96) | 0x1000, 1024 + 96);
    });
    const refused = await restore(place, '--file', '/d', '--to', join(place.directory, 'out'), '--json');
    expect(errorOf(refused)).toMatchObject({ type: 'BackupUnusable', message: expect.stringContaining('dirdata') as unknown });
    isClean(place);
  });

  it('shows what is in a directory, with names that can be given back', async () => {
    const place = await placeOf(kindOf('names with line breaks'));
    const { stdout } = await list(place, '/');
    const { entries } = JSON.parse(stdout) as {
      entries: { path: string; kind: string; mode: string; uid: number; size: number; modifiedAt: string }[];
    };
    const paths = entries.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['/etc', '/home', '/two\\x0alines', '/\\xff\\xfe\\x80\\x0d', '/-rf *;$(id)']));
    for (const [path, content] of [
      ['/two\\x0alines', 'x'],
      ['/\\xff\\xfe\\x80\\x0d', 'y'],
    ] as const) {
      const { output } = await restore(place, '--file', path, '--to', '-');
      expect(execFileSync('tar', ['-xOf', '-'], { input: output, encoding: 'utf8' })).toBe(content);
    }
    const table = await run(['backups', 'web1', '--repository', place.repository, '--ls', 'home/link']);
    expect(table.stdout).toMatch(/^MODE +OWNER +SIZE +MODIFIED +NAME\nlrwxrwxrwx +0:0 +0 +\S+Z +link -> \.\.\/etc\/passwd\n$/);
  });

  it('is the same by the program of the dom0 package, which is its own reader', async () => {
    const place = await placeOf(kindOf('nearly full'));
    const { bundlePrepare } = await import('../../deploy/bundle-worker.ts');
    const program = join(place.directory, 'guestflow-dom0.cjs');
    writeFileSync(program, (await bundlePrepare()).code);
    const from = ['web1', '--repository', place.repository];
    const to = join(place.directory, 'whole.img');
    execFileSync(process.execPath, [program, 'restore', ...from, '--to', to]);
    expect(readFileSync(to).equals(readFileSync(place.image))).toBe(true);
    const options = { maxBuffer: 2 ** 28 };
    const tar = execFileSync(process.execPath, [program, 'restore', ...from, '--file', '/', '--to', '-'], options);
    expect(describeTree(untarred(place.directory, tar), KEPT)).toEqual(await kernelTree(place));
    expect(execFileSync(process.execPath, [program, 'backups', ...from], { encoding: 'utf8' })).toContain(`web1   ${ID}`);
  });

  it('says what is not there, what is behind a link, and what cannot be asked for', async () => {
    const place = await placeOf(kindOf('no 64bit'));
    const json = ['--to', join(place.directory, 'out'), '--json'];
    expect(errorOf(await restore(place, '--file', '/no/such', ...json))).toMatchObject({ type: 'NotFound', value: '/no/such' });
    expect(errorOf(await restore(place, '--file', '/home/link/x', ...json)).message).toMatch(/leads to \.\.\/etc\/passwd/);
    expect(errorOf(await restore(place, '--file', '/../etc', ...json))).toMatchObject({ type: 'InvalidInput', field: 'file' });
    expect(errorOf(await restore(place, '--file', '/etc', '--to', place.directory, '--json')).message).toMatch(/there already/);
    expect(errorOf(await restore(place, '--file', '/etc', '--tmp', '/no/such', ...json))).toMatchObject({ field: 'tmp' });
    isClean(place);
  });

  it('that is interrupted leaves neither the unpacked image nor half of the files', async () => {
    const place = await placeOf(kindOf('ordinary'));
    for (const hasBegun of [/image$/, /program$/]) {
      const interrupt = new AbortController();
      const watch = setInterval(() => {
        if (namesBelow(place.directory).some((name) => name.startsWith('.guestflow-files-') && hasBegun.test(name))) interrupt.abort();
      }, 5);
      const running = run(['restore', 'web1', '--repository', place.repository, '--file', '/', '--to', join(place.directory, 'out')], {
        interrupt: interrupt.signal,
      });
      expect(await running).toMatchObject({ code: 130 });
      clearInterval(watch);
      isClean(place);
      expect(existsSync(join(place.directory, 'out'))).toBe(false);
    }
  });

  it('fails without a trace where there is no room for the image', async () => {
    const place = await placeOf(kindOf('nearly full'));
    const small = imageFile(join(place.directory, 'small.img'), 4 * MiB);
    await host.run('mke2fs', ['-q', '-F', small]);
    const at = join(place.directory, 'small');
    await mounted(await loopOn(small), at);
    const full = await restore(place, '--file', '/', '--tmp', at, '--to', join(place.directory, 'out'), '--json');
    expect(errorOf(full)).toMatchObject({ type: 'ToolFailed', message: expect.stringContaining('No space left') as unknown });
    expect(readdirSync(at)).toEqual(['lost+found']);
    const whole = await restore(place, '--to', join(at, 'whole.img'), '--json');
    expect(errorOf(whole)).toMatchObject({ type: 'ToolFailed', message: expect.stringContaining('No space left') as unknown });
    expect(readdirSync(at)).toEqual(['lost+found']);
    isClean(place);
  });

  it('finds a changed byte of the backup before anything is read of it', async () => {
    const place = await placeOf(kindOf('ordinary'));
    const file = join(place.repository, 'web1', `${ID}.img.zst`);
    const changed = readFileSync(file);
    changed[Math.floor(changed.length / 2)]! ^= 1;
    writeFileSync(file, changed);
    const { code, output } = await restore(place, '--file', '/etc', '--to', '-');
    expect({ code, bytes: output.length }).toEqual({ code: 1, bytes: 0 });
    isClean(place);
  });

  it('reads in a process that is nobody, and sees neither this machine nor its network', async () => {
    const place = await placeOf(kindOf('ordinary'));
    const { runCaged } = await import('../../activities/dom0/backup/files/cage.ts');
    const program = join(place.directory, 'program.cjs');
    writeFileSync(
      program,
      `const fs = require('fs'); const denied = (work) => { try { work(); return 'done'; } catch ({ code }) { return code; } };
       const net = require('net').connect(80, '192.0.2.1');
       net.on('error', ({ code }) => console.log(JSON.stringify({ code, uid: process.getuid(), groups: process.getgroups(), pid: process.pid,
         root: fs.readdirSync('/').sort(), write: [denied(() => fs.writeFileSync('/x', '')), denied(() => fs.openSync('/image', 'r+'))] })));`,
    );
    const greedy = join(place.directory, 'greedy.cjs');
    writeFileSync(
      greedy,
      `const all = []; for (let at = 0; at < 200; at += 1) all.push(Buffer.alloc(2 ** 24, 1)); console.log('it had all of it');`,
    );
    chownSync(place.image, 65_534, 65_534);
    mkdirSync(join(place.directory, 'root'));
    const run = async (what: string): Promise<string> => {
      const said: Uint8Array[] = [];
      await runCaged(
        host,
        { root: join(place.directory, 'root'), image: place.image, program: what, args: [] },
        { signal: new AbortController().signal, sink: (chunk) => Promise.resolve(void said.push(chunk)) },
      );
      return Buffer.concat(said).toString();
    };
    // 3 GiB are more than it may have: Node refuses them, or dies of it.
    await expect(run(greedy)).rejects.toMatchObject({ name: 'ToolError' });
    expect(JSON.parse(await run(program))).toEqual({
      ...{ code: 'ENETUNREACH', uid: 65_534, groups: [65_534], pid: 1 },
      root: ['image', 'lib', 'lib64', 'node', 'program', 'usr'],
      write: ['EROFS', 'EROFS'],
    });
    expect(readdirSync(join(place.directory, 'root'))).toEqual([]);
  });
});
