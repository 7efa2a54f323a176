/** nightly-backup, the part on the dom0: snapshot, saved by the engine into the repository, recorded, snapshot gone (row 16 of the how-to). */
import type { BackupRecord, GuestRef } from '../../../contract/types.ts';
import { backupId } from '../backup/port.ts';
import type { StepEnv } from '../env.ts';

/** Takes one backup of a guest, without stopping it. */
export async function takeBackup(env: StepEnv, ref: GuestRef): Promise<BackupRecord> {
  const { storage, engine, repository } = env;
  const started = Date.now();
  await storage.find(ref, 'root');
  await repository.open(ref);
  const takenAt = await repository.freeTime(ref.name);
  const id = backupId(takenAt);
  env.progress(`snapshot of the disk of ${ref.name}`);
  try {
    const snapshot = await storage.snapshot(ref);
    await engine.prepare(snapshot.device);
    const key = repository.keyOf(ref.name, id, engine.suffix);
    const sink = await repository.sink(key);
    let saved;
    try {
      saved = await engine.save(snapshot.device, sink);
      await storage.mustBeSound(snapshot);
      await sink.commit();
    } finally {
      await sink.abort();
    }
    await engine.check(repository.path(key));
    const record: BackupRecord = {
      id,
      guest: ref.name,
      takenAt: takenAt.toISOString(),
      repository: repository.name,
      key,
      ...saved,
      engine: engine.name,
      seconds: Math.round((Date.now() - started) / 100) / 10,
      state: 'taken',
    };
    await repository.record(record);
    return record;
  } finally {
    await storage.dropSnapshot(ref);
  }
}

/** Undo of a backup: its snapshot, and what of it has not become a backup. */
export async function undoBackup({ storage, repository }: StepEnv, ref: GuestRef): Promise<void> {
  await storage.dropSnapshot(ref);
  await repository.discardHalf(ref);
}

/** Undo of the first backup: what was taken of this order. */
export async function removeBackups({ repository }: StepEnv, ref: GuestRef): Promise<void> {
  await repository.removeAll(ref);
}
