/** nightly-backup, the part on the dom0: snapshot, journal replayed, dump, zstd, checksum, snapshot gone (row 16 of the how-to). */
import type { BackupRecord, GuestRef } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { formatSize, MiB } from '../../../contract/sizes.ts';
import { dumpToFile, listDump, unsafeForDump } from '../backup/engines/dump.ts';
import { fsInfo, replayJournal } from '../tools/ext4.ts';
import { createSnapshot, devicePath, listVolumes, volumeGroup, type Volume } from '../storage/lvm/lvm.ts';
import { guestPaths, guestVolumes } from '../guest-paths.ts';
import { makeMarkedDirectory } from '../staging.ts';
import { mustOwn, volumeOwner, volumeTags } from '../marks.ts';
import type { StepEnv } from '../step.ts';
import { discardHalfBackups } from './half-backups.ts';
import { removeSnapshot } from './undo.ts';

/** A snapshot must hold what the guest writes while it is dumped: as large as its origin where the group allows, never less than this part. */
const SMALLEST_SNAPSHOT_PART = 0.05;

/** `20261123T020000Z`: sorts by time, and is a file name. */
function backupId(now: Date): string {
  return now.toISOString().replace(/[-:]|\.\d+/g, '');
}

async function snapshotBytes(env: StepEnv, origin: Volume): Promise<number> {
  const group = await volumeGroup(env.host, env.settings.volumeGroup);
  const free = group?.freeBytes ?? 0;
  const least = Math.max(64 * MiB, origin.bytes * SMALLEST_SNAPSHOT_PART);
  if (free < least) {
    throw new GuestflowError(
      'NoCapacity',
      `volume group ${env.settings.volumeGroup} has ${formatSize(free)} free, ${formatSize(least - free)} too little for a snapshot of ${origin.name}`,
      { field: 'volumeGroup' },
      true,
    );
  }
  // LVM adds nothing to a snapshot that is larger than its origin plus its tables (about 1 %).
  return Math.floor(Math.min(free, origin.bytes * 1.01) / MiB) * MiB;
}

async function mustBeValid(env: StepEnv, name: string): Promise<void> {
  const snapshot = (await listVolumes(env.host, env.settings.volumeGroup)).find((volume) => volume.name === name);
  if (snapshot === undefined) throw new GuestflowError('BackupUnusable', `snapshot ${name} went while it was dumped`);
  if (snapshot.invalid || (snapshot.dataPercent ?? 0) >= 100) {
    throw new GuestflowError(
      'BackupUnusable',
      `snapshot ${name} filled up while it was dumped (${String(snapshot.dataPercent ?? 100)} %): what was read from it cannot be trusted`,
    );
  }
}

/** Takes one backup of a guest on LVM, without stopping it. */
export async function takeBackup(env: StepEnv, ref: GuestRef): Promise<BackupRecord> {
  const { host, settings } = env;
  const vg = settings.volumeGroup;
  const names = guestVolumes(ref.name);
  const started = Date.now();
  const volumes = await listVolumes(host, vg);
  const origin = volumes.find((volume) => volume.name === names.root);
  if (origin === undefined) throw new GuestflowError('NotFound', `${ref.name} has no volume ${vg}/${names.root} to back up`);
  mustOwn(volumeOwner(origin), ref, `volume ${vg}/${names.root}`);
  const left = volumes.find((volume) => volume.name === names.snapshot);
  if (left !== undefined) mustOwn(volumeOwner(left), ref, `volume ${vg}/${names.snapshot}`);
  const directory = await ensureBackupDirectory(env, ref);
  await removeSnapshot(env, ref);
  const takenAt = await freeSecond(env, directory);
  const id = backupId(takenAt);
  env.progress(`snapshot of ${origin.name}`);
  try {
    await createSnapshot(host, {
      vg,
      origin: origin.name,
      name: names.snapshot,
      bytes: await snapshotBytes(env, origin),
      tags: volumeTags({ guest: ref.name, order: ref.order }),
    });
    const device = devicePath(vg, names.snapshot);
    // Without this, dump says DUMP IS DONE, exits 0, and misses what the journal held: recently written files, all of them.
    await replayJournal(host, device, { signal: env.signal });
    const unsafe = unsafeForDump((await fsInfo(host, device)).features);
    if (unsafe !== undefined)
      throw new GuestflowError('BackupUnusable', `${ref.name}: dump cannot save this file system: ${unsafe}`, {}, false);
    const path = `${directory}/${id}.dump.zst`;
    const dump = await dumpToFile(host, {
      device,
      path,
      signal: env.signal,
      onProgress: (bytes) => {
        env.progress(`dumping: ${formatSize(bytes)} written`);
      },
    });
    try {
      await mustBeValid(env, names.snapshot);
      await dump.commit();
    } finally {
      await dump.abort();
    }
    await mustList(env, path);
    const record: BackupRecord = {
      id,
      guest: ref.name,
      takenAt: takenAt.toISOString(),
      path,
      bytes: dump.bytes,
      dumpedBytes: dump.dumpedBytes,
      sha256: dump.sha256,
      engine: 'dump+zstd',
      seconds: Math.round((Date.now() - started) / 100) / 10,
      state: 'taken',
    };
    // The record makes it a backup: without it the file is a leftover that the next backup removes.
    await host.files.writeAtomic(`${directory}/${id}.json`, `${JSON.stringify(record, undefined, 2)}\n`);
    return record;
  } finally {
    await removeSnapshot(env, ref);
  }
}

/** Now, or the next second of which there is no backup: the same one may come twice, when dom0's clock was set back. */
async function freeSecond({ host: { files } }: StepEnv, directory: string): Promise<Date> {
  let at = new Date();
  while ((await files.info(`${directory}/${backupId(at)}.json`)) !== undefined) at = new Date(at.getTime() + 1_000);
  return at;
}

/** The directory of a guest's backups, ours by its marker, rid of what killed attempts left. */
async function ensureBackupDirectory(env: StepEnv, ref: GuestRef): Promise<string> {
  const { files } = env.host;
  const directory = guestPaths(env.settings, ref.name).backups;
  await makeMarkedDirectory(files, directory, ref);
  await discardHalfBackups(env, ref);
  return directory;
}

/** A dump that restore cannot even list is none. */
async function mustList(env: StepEnv, path: string): Promise<void> {
  env.progress('listing the dump with restore');
  const names = await listDump(env.host, path, { signal: env.signal });
  if (!names.some((name) => /^(\.\/)?etc\/(hostname|passwd)$/.test(name)))
    throw new GuestflowError('BackupUnusable', `restore lists no /etc in ${path}: it is not the backup of a root file system`);
}

/** The backups of a guest on this dom0, oldest first. */
export async function listBackups(env: StepEnv, name: string): Promise<BackupRecord[]> {
  const directory = guestPaths(env.settings, name).backups;
  const records: BackupRecord[] = [];
  for (const file of (await env.host.files.list(directory)).filter((entry) => /^\d{8}T\d{6}Z\.json$/.test(entry)).sort()) {
    const text = await env.host.files.read(`${directory}/${file}`);
    if (text !== undefined) records.push(JSON.parse(text.toString('utf8')) as BackupRecord);
  }
  return records;
}
