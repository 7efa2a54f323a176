/** Backups in a borg repository, with the real borg: what it keeps, what comes out of it, what it says when something is wrong. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Dom0Engines } from '../../activities/dom0/backup/engines/engines.ts';
import { DirectoryRepository } from '../../activities/dom0/backup/repositories/directory.ts';
import { fsInfo } from '../../activities/dom0/tools/ext4.ts';
import { usedBlocks } from '../../activities/dom0/tools/used-blocks.ts';
import type { Work } from '../../activities/dom0/work.ts';
import type { StoredBackup } from '../../contract/backup.ts';
import type { Host } from '../../system/host.ts';
import { until } from '../../system/until.ts';
import { storedBackup } from '../a-backup.ts';
import { workOn } from '../dump-to-file.ts';
import { errorOf, run } from '../unit/cli/run.ts';
import { randomOf } from './backup-corpus.ts';
import { host, imageFile, loopOn, mounted, scratch, titled, whyNotHere } from './machine.ts';

const why = whyNotHere('borg', 'openssl', 'flock', 'mke2fs', 'e2fsck', 'dumpe2fs', 'losetup', 'blkdiscard', 'blkid');
const MiB = 2 ** 20;
const GUEST = { name: 'web1', order: 'order-web1' };
const [FIRST, SECOND] = ['20261128T020000Z', '20261129T020000Z'] as const;
const DISK_BYTES = 24 * MiB;
const NOISE_BYTES = 8 * MiB;

/** A dom0 that keeps its backups in borg, and a guest's disk. */
interface Rig {
  readonly directory: string;
  readonly backups: string;
  readonly passphraseFile: string;
  readonly device: string;
  /** Work on that dom0. */
  readonly work: (signal?: AbortSignal) => Work;
  readonly repository: DirectoryRepository;
}

/** Bytes that no compression makes fewer, the same for the same seed. */
function noise(bytes: number, seed: number): Buffer {
  const random = randomOf(seed);
  return Buffer.from(Uint32Array.from({ length: bytes / 4 }, () => random() * 2 ** 32).buffer);
}

/** Files of a dom0: the directory of backups, the passphrase, the disk. */
function rigIn(directory: string, device: string): Rig {
  const [backups, passphraseFile] = [join(directory, 'backups'), join(directory, 'passphrase')];
  const work = (signal?: AbortSignal): Work => {
    const plain = workOn(host, signal);
    const settings = { ...plain.settings, backupDir: backups, backupRepository: 'borg', backupPassphraseFile: passphraseFile } as const;
    return { ...plain, settings };
  };
  return { directory, backups, passphraseFile, device, work, repository: new DirectoryRepository(work()) };
}

/** With an empty repository. */
async function fresh(): Promise<Rig> {
  const directory = scratch();
  mkdirSync(join(directory, 'backups'), { mode: 0o700 });
  writeFileSync(join(directory, 'passphrase'), 'correct horse battery\n', { mode: 0o600 });
  const rig = rigIn(directory, await loopOn(imageFile(join(directory, 'disk'), DISK_BYTES)));
  await host.run('mke2fs', ['-q', '-F', '-t', 'ext4', rig.device]);
  await write(rig, (at) => {
    writeFileSync(join(at, 'data'), noise(NOISE_BYTES, 1));
    writeFileSync(join(at, 'hello'), Buffer.alloc(64 * 1024, 'of a tenant '));
  });
  return rig;
}

/** Each start of borg costs: the first backup of a dom0 is taken once, and copied for each test. */
let template: { readonly directory: string; readonly backup: StoredBackup } | undefined;
afterAll(() => {
  if (template !== undefined) rmSync(template.directory, { recursive: true, force: true });
});

/** With one backup in its repository. */
async function rig(): Promise<Rig & { readonly first: StoredBackup }> {
  if (template === undefined) {
    const made = await fresh();
    const first = await take(made, FIRST);
    const directory = mkdtempSync(join(tmpdir(), 'guestflow-host-'));
    await host.run('cp', ['-a', '--sparse=always', '--', `${made.directory}/.`, directory]);
    template = { directory, backup: first };
  }
  const directory = scratch();
  await host.run('cp', ['-a', '--sparse=always', '--', `${template.directory}/.`, directory]);
  return { ...rigIn(directory, await loopOn(join(directory, 'disk'))), first: template.backup };
}

async function write({ directory, device }: Pick<Rig, 'directory' | 'device'>, how: (at: string) => void): Promise<void> {
  const { unmount } = await mounted(device, join(directory, 'mount'));
  how(join(directory, 'mount'));
  await unmount();
}

/** As a step does it: opened, saved, read back, recorded. */
async function take({ work, device }: Rig, id: string, signal?: AbortSignal): Promise<StoredBackup> {
  const repository = new DirectoryRepository(work(signal));
  await repository.open(GUEST);
  const { engine, fs } = await new Dom0Engines(work(signal)).choose(device);
  const kept = repository.keptAs(GUEST.name, id, engine.name);
  const container = repository.container(kept);
  try {
    const written = await engine.save(device, container, fs);
    await container.commit();
    const dumpedBytes = await engine.check(container, written, fs);
    const backup = { ...storedBackup(GUEST.name, id), ...kept, ...written, dumpedBytes, order: GUEST.order };
    await repository.record(backup);
    return backup;
  } finally {
    await container.abort();
  }
}

/** The sum of what a restored disk must hold: the used blocks of the disk as it is now. */
async function imageOf({ device }: Rig): Promise<string> {
  const sum = createHash('sha256');
  await host.pipeline(usedBlocks(device, await fsInfo(host, device), () => undefined).stages, { sink: (chunk) => void sum.update(chunk) });
  return sum.digest('hex');
}

function sumOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

async function restored({ directory, work, repository }: Rig, backup: StoredBackup): Promise<string> {
  const image = imageFile(join(directory, `restored-${Math.random()}`), backup.dumpedBytes);
  const target = { device: await loopOn(image), bytes: backup.dumpedBytes };
  await new Dom0Engines(work()).named('blocks').restore!(repository.container(backup), backup, target);
  return sumOf(image);
}

/** As borg itself lists them. */
async function archivesOf(of: Rig): Promise<string[]> {
  return (await borg(of, 'list', '--short', place(of, 'borg'))).trim().split('\n').sort();
}

async function idsOf({ repository }: Rig): Promise<string[]> {
  return (await repository.list(GUEST.name)).backups.map(({ id }) => id);
}

/** borg as a person runs it. */
async function borg({ passphraseFile, directory }: Rig, ...args: string[]): Promise<string> {
  const env = {
    BORG_BASE_DIR: join(directory, 'my-base'),
    BORG_PASSCOMMAND: `cat ${passphraseFile}`,
    BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
  };
  return (await host.run('borg', args, { env })).stdout;
}

const place = ({ backups }: Rig, ...names: string[]): string => join(backups, GUEST.name, ...names);

/** The largest files of the repository: its segments. */
function segments(of: Rig): string[] {
  return readdirSync(place(of, 'borg', 'data'), { recursive: true, encoding: 'utf8' })
    .map((name) => place(of, 'borg', 'data', name))
    .filter((path) => statSync(path).size > MiB)
    .sort();
}

describe.skipIf(why !== undefined)(titled('a backup in a borg repository', why), () => {
  it('adds a tenth of the first one at most when a hundredth of the blocks is new; each is restored identically, and the last one alone', async () => {
    const dom0 = await rig();
    const { first } = dom0;
    const before = await imageOf(dom0);
    await write(dom0, (at) => {
      const changed = noise(NOISE_BYTES, 1);
      for (const part of [0, 1]) noise(64 * 1024, 2 + part).copy(changed, part * 4 * MiB);
      writeFileSync(join(at, 'data'), changed, { flag: 'r+' });
    });
    const second = await take(dom0, SECOND);
    process.stdout.write(`borg: ${first.bytes} bytes, the next night ${second.bytes}: ${(second.bytes / first.bytes).toFixed(3)}\n`);
    expect(first.bytes).toBeGreaterThan(NOISE_BYTES * 0.99);
    expect(second.bytes / first.bytes).toBeLessThanOrEqual(0.1);
    expect(await restored(dom0, first)).toBe(before);
    expect(await dom0.repository.remove(GUEST, [FIRST])).toBeGreaterThan(0);
    expect(await idsOf(dom0)).toEqual([SECOND]);
    expect(await archivesOf(dom0)).toEqual([SECOND]);
    expect(await restored(dom0, second)).toBe(await imageOf(dom0));
    await dom0.repository.removeAll(GUEST);
    expect(readdirSync(dom0.backups)).toEqual(['.guestflow']);
  }, 180_000);

  it('is encrypted, and neither its passphrase nor its content is in a command line, an environment or a file beside it', async () => {
    const dom0 = await fresh();
    const lines: string[] = [];
    const work = dom0.work();
    const listening = { ...work, host: listened(lines) };
    await take({ ...dom0, work: () => listening }, FIRST);
    expect(lines.filter((line) => line.startsWith('flock')).length).toBeGreaterThan(4);
    expect(lines.join('\n')).not.toContain('correct horse');
    for (const name of readdirSync(place(dom0), { recursive: true, encoding: 'utf8' })) {
      const path = place(dom0, name);
      if (!statSync(path).isFile() || statSync(path).size === 0) continue;
      expect(statSync(path).mode & 0o077, name).toBe(0);
      for (const secret of ['correct horse', 'of a tenant']) expect(readFileSync(path).includes(secret), `${name}: ${secret}`).toBe(false);
    }
  });

  it('with one byte changed is found, and cannot be restored', async () => {
    const dom0 = await rig();
    const { first } = dom0;
    const engine = new Dom0Engines(dom0.work()).named('blocks');
    const check = (): Promise<number> => engine.check(dom0.repository.container(first), first);
    const [path = ''] = segments(dom0);
    const whole = readFileSync(path);
    for (let part = 1; part < 5; part += 1) {
      const changed = Buffer.from(whole);
      changed[Math.floor((whole.length * part) / 5)]! ^= 1;
      writeFileSync(path, changed);
      await expect(check(), `part ${part}`).rejects.toMatchObject({ type: 'BackupUnusable' });
    }
    await expect(restored(dom0, first)).rejects.toMatchObject({ type: 'BackupUnusable' });
    writeFileSync(path, whole);
    expect(await check()).toBe(DISK_BYTES);
    // What is in the record is compared, too.
    const other = { ...first, sha256: first.sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) };
    await expect(engine.check(dom0.repository.container(other), other)).rejects.toMatchObject({ type: 'BackupUnusable' });
    await expect(restored(dom0, other)).rejects.toMatchObject({ type: 'BackupUnusable' });
  });

  it('by a tool that fails is none', async () => {
    const dom0 = await rig();
    const failing = (tool: string, ...args: string[]): Promise<unknown> =>
      dom0.repository.container(dom0.repository.keptAs(GUEST.name, SECOND, 'blocks')).pack({ stages: [{ tool, args }] });
    await expect(failing('sh', '-c', 'head -c 1000000 /dev/zero; exit 3')).rejects.toThrow(/exited with status 3/);
    await expect(failing('no-such-tool')).rejects.toThrow(/status 127/);
    expect(await archivesOf(dom0)).toEqual([FIRST]);
  });

  it('that was cancelled or killed in its middle is not there, and the next one is taken, whoever has the number of the dead process', async () => {
    const dom0 = await rig();
    await write(dom0, (at) => writeFileSync(join(at, 'data'), noise(NOISE_BYTES, 99)));
    const stop = new AbortController();
    const cancelled = take(dom0, SECOND, stop.signal).catch((error: unknown) => error);
    await until(() => creating(dom0), { everyMs: 5 });
    stop.abort();
    expect(await cancelled).toMatchObject({ cancelled: true });
    const killed = take(dom0, SECOND).catch((error: unknown) => error);
    process.kill(await until(() => creating(dom0), { everyMs: 5 }), 'SIGKILL');
    expect(await killed).toBeInstanceOf(Error);
    expect(await idsOf(dom0)).toEqual([FIRST]);
    // As if a process that lives now had the number of the one that was killed.
    rmSync(place(dom0, 'borg', 'lock.exclusive'), { recursive: true, force: true });
    mkdirSync(place(dom0, 'borg', 'lock.exclusive'));
    writeFileSync(place(dom0, 'borg', 'lock.exclusive', `guestflow.${process.pid}-0`), '');
    await take(dom0, SECOND);
    expect(await archivesOf(dom0)).toEqual([FIRST, SECOND]);
  });

  it('that has no record goes before the next one, one with a damaged record stays, and none goes where one is lost', async () => {
    const dom0 = await rig();
    const { repository } = dom0;
    await borg(dom0, 'create', `${place(dom0, 'borg')}::${SECOND}`, dom0.passphraseFile);
    await borg(dom0, 'create', `${place(dom0, 'borg')}::of-a-person`, dom0.passphraseFile);
    const record = readFileSync(place(dom0, `${FIRST}.json`));
    writeFileSync(place(dom0, `${FIRST}.json`), '{}');
    await repository.discardHalf(GUEST);
    expect(await archivesOf(dom0)).toEqual([FIRST, 'of-a-person']);
    writeFileSync(place(dom0, `${FIRST}.json`), record);
    await repository.record({ ...dom0.first, id: SECOND, key: `web1/borg::${SECOND}` });
    await expect(repository.remove(GUEST, [FIRST])).rejects.toMatchObject({
      type: 'BackupUnusable',
      message: expect.stringContaining(SECOND) as string,
    });
    expect(await idsOf(dom0)).toEqual([FIRST, SECOND]);
    expect(await archivesOf(dom0)).toEqual([FIRST, 'of-a-person']);
  });

  it('is refused without a passphrase, with one that others can read, and with another than that of the repository', async () => {
    const dom0 = await rig();
    const refused = async (message: RegExp): Promise<void> => {
      const error: unknown = await take(dom0, SECOND).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ type: 'HostNotReady', details: { field: 'backupPassphraseFile' } });
      expect(String(error)).toMatch(message);
    };
    chmodSync(dom0.passphraseFile, 0o644);
    await refused(/can be read by others/);
    writeFileSync(dom0.passphraseFile, 'another passphrase\n');
    chmodSync(dom0.passphraseFile, 0o600);
    await refused(/not opened by the passphrase/);
    await host.files.remove(dom0.passphraseFile);
    await refused(/is not there/);
    expect(await idsOf(dom0)).toEqual([FIRST]);
  });

  it('is listed, and restored whole and by single files, with nothing but the directory and the passphrase, beside one in a file', async () => {
    const dom0 = await rig();
    const work = (): Work => ({ ...dom0.work(), settings: { ...dom0.work().settings, backupRepository: 'directory' } });
    const toFile: Rig = { ...dom0, work, repository: new DirectoryRepository(work()) };
    const inFile = await take(toFile, SECOND);
    expect(await idsOf(toFile)).toEqual([FIRST, SECOND]);
    expect([await restored(dom0, inFile), await restored(toFile, dom0.first)]).toEqual([await imageOf(dom0), dom0.first.sha256]);
    // Another machine: nothing of this dom0 is left but a copy of the directory.
    const copy = join(dom0.directory, 'copy');
    await host.run('cp', ['-a', '--', dom0.backups, copy]);
    await host.run('rm', ['-rf', '--', join(copy, GUEST.name, 'borg.base'), join(copy, GUEST.name, 'borg.lock')]);
    const { stdout } = await run(['backups', '--repository', copy, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ guests: [{ backups: [{ id: FIRST, keptBy: 'borg' }, { id: SECOND }], damaged: [] }] });
    const asked = ['restore', GUEST.name, '--repository', copy, '--backup', FIRST];
    const to = join(dom0.directory, 'brought-back');
    const refused = await run([...asked, '--to', to, '--passphrase-file', '/nowhere', '--json']);
    expect(errorOf(refused)).toMatchObject({ type: 'HostNotReady', field: 'passphrase-file' });
    const secret = ['--passphrase-file', dom0.passphraseFile];
    expect(await run([...asked, '--to', to, ...secret, '--json'])).toMatchObject({ code: 0, stderr: '' });
    expect(sumOf(to)).toBe(dom0.first.sha256);
    const files = join(dom0.directory, 'files');
    expect(await run([...asked, '--file', '/hello', '--to', files, ...secret, '--json'])).toMatchObject({ code: 0 });
    expect(readFileSync(join(files, 'hello'), 'utf8')).toMatch(/^of a tenant /);
  }, 180_000);

  it('is opened again with the copy of its key when the repository has lost its own', async () => {
    const dom0 = await rig();
    const config = place(dom0, 'borg', 'config');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/^key = [^]*/m, ''));
    await expect(restored(dom0, dom0.first)).rejects.toThrow();
    await borg(dom0, 'key', 'import', place(dom0, 'borg'), place(dom0, 'borg.key'));
    expect(await restored(dom0, dom0.first)).toBe(dom0.first.sha256);
  });
});

/** This machine, with each command line and its environment. */
function listened(lines: string[]): Host {
  const hear = (tool: string, args: readonly string[], env: object = {}): void => {
    lines.push([tool, ...args, JSON.stringify(env)].join(' '));
  };
  return {
    ...host,
    run(tool, args, options) {
      hear(tool, args, options?.env);
      return host.run(tool, args, options);
    },
    pipeline(stages, options) {
      for (const { tool, args } of stages) hear(tool, args, options.env);
      return host.pipeline(stages, options);
    },
  };
}

/** The process of a `borg create` on this repository. */
async function creating(of: Rig): Promise<number | undefined> {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const line = String((await host.files.read(`/proc/${pid}/cmdline`).catch(() => undefined)) ?? '');
    if (line.includes('borg\0') && line.includes('\0create\0') && line.includes(dirname(place(of, 'borg'))) && !line.startsWith('flock'))
      return Number(pid);
  }
  return undefined;
}
