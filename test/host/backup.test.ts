/** Backups of file systems of all kinds with the real tools: saved, read back, restored and compared, or refused with the reason. */
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Dom0Engines } from '../../activities/dom0/backup/engines/engines.ts';
import { SUFFIXES } from '../../activities/dom0/backup/containers/zstd-file.ts';
import type { Chosen, Container, Saved } from '../../activities/dom0/backup/port.ts';
import type { BackupEngine } from '../../contract/backup.ts';
import { workOn, zstdFileOn } from '../dump-to-file.ts';
import { corpus, grow, KIND_COUNT, type Specimen } from './backup-corpus.ts';
import { host, imageFile, loopOn, mounted, scratch, titled, whyNotHere } from './machine.ts';
import { describeTree, type Keeps } from './same-tree.ts';

const why = whyNotHere('mke2fs', 'e2fsck', 'e2image', 'debugfs', 'dumpe2fs', 'dump', 'restore', 'zstd', 'losetup', 'chattr');
const MiB = 2 ** 20;
/** How many file systems: each kind once, and as many more as are asked for. */
const COUNT = Number(process.env['BACKUP_CORPUS'] ?? KIND_COUNT);
const WHOLE: Keeps = { nanoseconds: true, inodes: true, blocks: true };
const RESTORED: Keeps = { nanoseconds: false, inodes: false, blocks: false };

function enginesOn(engine: BackupEngine): Dom0Engines {
  return new Dom0Engines(workOn(host, undefined, engine));
}

interface Backup {
  readonly chosen: Chosen;
  readonly file: Container;
  readonly saved: Saved;
}

async function backUp(directory: string, snapshot: string, wanted: BackupEngine = 'blocks'): Promise<Backup> {
  const device = await loopOn(snapshot);
  const chosen = await enginesOn(wanted).choose(device);
  const file = zstdFileOn(host, join(directory, `backup${SUFFIXES[chosen.engine.name]}`));
  const written = await chosen.engine.save(device, file, chosen.fs);
  await file.commit();
  const dumpedBytes = await chosen.engine.check(file, written, chosen.fs).catch((error: unknown) => {
    // The listing of a dump wants the /etc of a root file system, which the smallest of these have not.
    if (chosen.engine.name !== 'dump') throw error;
    return 0;
  });
  return { chosen, file, saved: { ...written, dumpedBytes } };
}

async function treeOf(directory: string, image: string, keeps: Keeps): Promise<string[]> {
  const at = join(directory, `tree-${Math.random()}`);
  const mount = await mounted(await loopOn(image), at);
  try {
    return describeTree(at, keeps);
  } finally {
    await mount.unmount();
  }
}

async function restored(directory: string, { chosen, file, saved }: Backup, bytes = saved.dumpedBytes): Promise<string> {
  const image = imageFile(join(directory, 'restored.img'), bytes);
  await chosen.engine.restore!(file, saved, { device: await loopOn(image), bytes });
  return image;
}

async function restoreDump(directory: string, { file }: Backup, bytes: number): Promise<string> {
  const image = imageFile(join(directory, 'restored.img'), bytes * 2);
  await host.run('mke2fs', ['-q', '-F', '-t', 'ext4', image]);
  const mount = await mounted(await loopOn(image), join(directory, 'target'));
  const plain: Uint8Array[] = [];
  await host.pipeline([{ tool: 'zstd', args: ['-dcq', file.title] }], { sink: (chunk) => void plain.push(chunk) });
  await host.run('restore', ['-r', '-f', '-'], { input: Buffer.concat(plain), cwd: join(directory, 'target') });
  await host.files.remove(join(directory, 'target', 'restoresymtable'));
  await mount.unmount();
  return image;
}

async function isSavedIdentically(specimen: Specimen): Promise<void> {
  const { kind } = specimen;
  const directory = scratch();
  const snapshot = await grow(directory, specimen);
  if (kind.refused !== undefined) {
    await expect(backUp(directory, snapshot)).rejects.toMatchObject({ type: 'BackupUnusable', retryable: false });
    await expect(backUp(directory, snapshot)).rejects.toThrow(kind.refused);
    return;
  }
  const backup = await backUp(directory, snapshot).catch((error: unknown) => {
    if (kind.mayBeRefused?.test((error as Error).message) !== true) throw error;
    return undefined;
  });
  if (backup === undefined) return;
  expect(backup.chosen.engine.name).toBe('blocks');
  const image = await restored(directory, backup);
  const isMountable = kind.fill !== undefined;
  if (isMountable) expect(await treeOf(directory, image, WHOLE)).toEqual(await treeOf(directory, snapshot, WHOLE));
}

/** By dump, where the product trusts it; else by blocks, and it says why. */
async function isDumpedIdentically(specimen: Specimen): Promise<void> {
  const { kind } = specimen;
  const directory = scratch();
  const snapshot = await grow(directory, specimen);
  const backup = await backUp(directory, snapshot, 'dump');
  if (kind.notForDump !== undefined) {
    expect([backup.chosen.engine.name, backup.chosen.why, ...backup.chosen.warnings]).toEqual([
      'blocks',
      expect.stringMatching(kind.notForDump),
      expect.stringMatching(kind.notForDump),
    ]);
    return;
  }
  expect([backup.chosen.engine.name, backup.chosen.why]).toEqual(['dump', 'backupEngine is dump']);
  const image = await restoreDump(directory, backup, statSync(snapshot).size);
  const tree = await treeOf(directory, image, RESTORED);
  expect(tree).toEqual(await treeOf(directory, snapshot, RESTORED));
}

/** Of all kinds that somebody has, dump is asked about those that no feature of the file system gives away. */
function dumped(specimen: Specimen): boolean {
  const { refused, mayBeRefused, fill, options } = specimen.kind;
  return (
    refused === undefined &&
    mayBeRefused === undefined &&
    fill !== undefined &&
    (options === undefined || options.includes('inline_data') || options.includes('-b'))
  );
}

describe.skipIf(why !== undefined)(titled('a backup', why), () => {
  it.each(corpus(COUNT).map((specimen) => [specimen.title, specimen] as const))(
    'of %s is restored identically, or refused',
    async (_, specimen) => {
      await isSavedIdentically(specimen);
    },
  );

  it.each(
    corpus(KIND_COUNT)
      .filter(dumped)
      .map((specimen) => [specimen.title, specimen] as const),
  )('by dump of %s is restored identically, or taken as blocks with the reason', async (_, specimen) => {
    await isDumpedIdentically(specimen);
  });

  it('with one byte changed anywhere is found, and cannot be restored', async () => {
    const directory = scratch();
    const backup = await backUp(directory, await grow(directory, corpus(1)[0]!));
    const { chosen, file, saved } = backup;
    const path = file.title;
    const whole = readFileSync(path);
    const places = [
      0,
      4,
      5,
      whole.length - 1,
      whole.length - 5,
      ...Array.from({ length: 12 }, (_, part) => Math.floor((whole.length * part) / 12)),
    ];
    for (const at of places) {
      const changed = Buffer.from(whole);
      changed[at] = changed[at]! ^ 0x01;
      writeFileSync(path, changed);
      await expect(chosen.engine.check(file, saved), `byte ${String(at)}`).rejects.toThrow();
    }
    await expect(restored(directory, backup)).rejects.toThrow();
    for (const other of [whole.subarray(0, -1), Buffer.concat([whole, whole]), Buffer.alloc(0)]) {
      writeFileSync(path, other);
      await expect(chosen.engine.check(file, saved)).rejects.toThrow();
    }
    writeFileSync(path, whole);
    await chosen.engine.check(file, saved);
  });

  it('of a disk that cannot be read everywhere is none, whatever is said of it', async () => {
    const directory = scratch();
    const snapshot = await grow(directory, corpus(1)[0]!);
    const { fs } = await enginesOn('blocks').choose(await loopOn(snapshot));
    truncateSync(snapshot, 9 * MiB);
    const engine = enginesOn('blocks').named('blocks');
    const file = zstdFileOn(host, join(directory, 'backup.img.zst'));
    await expect(engine.save(await loopOn(snapshot), file, fs)).rejects.toMatchObject({ type: 'BackupUnusable' });
    await file.abort();
  });

  it('is refused a disk that is too small for it, with numbers, and nothing is written', async () => {
    const directory = scratch();
    const backup = await backUp(directory, await grow(directory, corpus(1)[0]!));
    await expect(restored(directory, backup, 8 * MiB)).rejects.toThrow(/16 MiB.*8 MiB.*8 MiB too little/);
    expect(readFileSync(join(directory, 'restored.img')).equals(Buffer.alloc(8 * MiB))).toBe(true);
  });

  it('fits a larger disk', async () => {
    const directory = scratch();
    const snapshot = await grow(directory, corpus(1)[0]!);
    const image = await restored(directory, await backUp(directory, snapshot), 40 * MiB);
    expect(await treeOf(directory, image, WHOLE)).toEqual(await treeOf(directory, snapshot, WHOLE));
  });

  it('tells of errors that the kernel of the guest has recorded, before the check takes the record away', async () => {
    const directory = scratch();
    const snapshot = await grow(directory, corpus(1)[0]!);
    await host.run('e2fsck', ['-f', '-p', snapshot], { okCodes: [0, 1] });
    await host.run('debugfs', ['-w', '-R', 'ssv error_count 3', snapshot]);
    expect((await backUp(directory, snapshot)).chosen.warnings).toEqual([expect.stringMatching(/found errors.*3/)]);
  });
});
