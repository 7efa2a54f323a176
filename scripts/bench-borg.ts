/** The part of `npm run bench -- --only backups` on borg: the same volume in a borg repository, the next night of it, and what comes back. */
import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, mkdirSync, openSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Dom0Engines } from '../activities/dom0/backup/engines/engines.ts';
import { readFiles } from '../activities/dom0/backup/files/read-files.ts';
import { DirectoryRepository } from '../activities/dom0/backup/repositories/directory.ts';
import { readBackupOf } from '../activities/dom0/backup/repositories/reading.ts';
import type { Work } from '../activities/dom0/work.ts';
import { bundledReader } from '../cli/repository/bundled-reader.ts';
import type { StoredBackup } from '../contract/backup.ts';
import { MiB } from '../contract/sizes.ts';
import { storedBackup } from '../test/a-backup.ts';
import { workOn } from '../test/dump-to-file.ts';
import { LIMIT_MS, ONE_FILE, row, timed, type Bench, type Taken } from './bench-volume.ts';

const GUEST = { name: 'web1', order: 'order-web1' };
const [FIRST, SECOND] = ['20261128T020000Z', '20261129T020000Z'] as const;

/** What a day changes: pages of a database, so many of each 256 MiB of it; and of all that is used, this part is new. */
const PAGE = 8 * 1024;
const PAGES = 375;
const DATABASE_BYTES = 64 * MiB;
const NEW_SHARE = 0.005;

/** What the how-to needed for the same. */
export interface HowTo {
  readonly save: Taken;
  readonly savedBytes: number;
  readonly restore: Taken;
}

/** @returns bytes that were written */
async function aDay(bench: Bench, device: string): Promise<number> {
  const written = await bench.mounted(device, (at) => {
    // Every third part is noise.
    const database = openSync(join(at, 'part-2'), 'r+');
    for (let page = 0; page < PAGES; page += 1) writeSync(database, randomBytes(PAGE), 0, PAGE, randomInt(DATABASE_BYTES / PAGE) * PAGE);
    closeSync(database);
    const { blocks, bfree, bsize } = statfsSync(at);
    const newBytes = Math.round(((blocks - bfree) * bsize * NEW_SHARE) / MiB) * MiB;
    writeFileSync(join(at, 'new'), randomBytes(newBytes));
    return Promise.resolve(PAGES * PAGE + newBytes);
  });
  await bench.host.run('e2fsck', ['-fp', device], { timeoutMs: LIMIT_MS, okCodes: [0, 1] });
  return written;
}

/** A backup as a step takes it, its verification apart. */
async function take(work: Work, device: string, id: string): Promise<{ save: Taken; check: Taken; backup: StoredBackup }> {
  const repository = new DirectoryRepository(work);
  await repository.open(GUEST);
  const { engine, fs } = await new Dom0Engines(work).choose(device);
  const kept = repository.keptAs(GUEST.name, id, engine.name);
  const container = repository.container(kept);
  const save = await timed(() => engine.save(device, container, fs));
  await container.commit();
  const check = await timed(() => engine.check(container, save.result, fs));
  const backup = { ...storedBackup(GUEST.name, id), ...kept, ...save.result, dumpedBytes: check.result, order: GUEST.order };
  await repository.record(backup);
  return { save, check, backup };
}

export async function benchBorg(bench: Bench, device: string, howTo: HowTo): Promise<void> {
  const backups = bench.path('backups');
  const passphraseFile = bench.path('passphrase');
  mkdirSync(backups, { mode: 0o700 });
  writeFileSync(passphraseFile, 'a passphrase of the bench\n', { mode: 0o600 });
  const plain = workOn(bench.host);
  const work: Work = {
    ...plain,
    settings: { ...plain.settings, backupDir: backups, backupRepository: 'borg', backupPassphraseFile: passphraseFile },
  };
  const full = await take(work, device, FIRST);
  row('borg: full backup', full.save.seconds, howTo.save.seconds);
  row('borg: full backup, CPU', full.save.cpuSeconds, howTo.save.cpuSeconds);
  row('borg: full backup with its verification', full.save.seconds + full.check.seconds, howTo.save.seconds);
  row('borg: bytes of it', full.backup.bytes / MiB, howTo.savedBytes / MiB, 'M');
  const changed = await aDay(bench, device);
  const next = await take(work, device, SECOND);
  process.stdout.write(`borg: the next night, ${(changed / MiB).toFixed(1)} MiB written\n`);
  row('borg: next night', next.save.seconds, howTo.save.seconds);
  row('borg: next night, CPU', next.save.cpuSeconds, howTo.save.cpuSeconds);
  row('borg: next night, bytes', next.backup.bytes / MiB, howTo.savedBytes / MiB, 'M');
  row('borg: next night, bytes, of its own full one', next.backup.bytes / MiB, full.backup.bytes / MiB, 'M');
  await benchBack(bench, work, next.backup, howTo);
}

/** The whole disk, and one file of it. */
async function benchBack(bench: Bench, work: Work, backup: StoredBackup, { restore }: HowTo): Promise<void> {
  const { dumpedBytes: bytes } = backup;
  const { backupDir, backupPassphraseFile: passphraseFile } = work.settings;
  const device = await bench.volume('borg-restored', bytes);
  const container = new DirectoryRepository(work).container(backup);
  const whole = await timed(async () => new Dom0Engines(work).named('blocks').restore?.(container, backup, { device, bytes }));
  row('borg: restore of the whole disk, compared and checked', whole.seconds, restore.seconds);
  row('borg: restore of the whole disk, CPU', whole.cpuSeconds, restore.cpuSeconds);
  const found = await readBackupOf(backupDir, GUEST.name, SECOND);
  const program = await bundledReader();
  const nothing = (): Promise<void> => Promise.resolve();
  const sink = { entry: nothing, content: nothing, problem: () => undefined };
  const request = { what: 'read', paths: [ONE_FILE] } as const;
  const one = await timed(() => readFiles(work, found, { request, temporary: bench.place, program, sink, passphraseFile }));
  row('borg: one file of 1 MiB, its image unpacked first', one.seconds, restore.seconds);
}
