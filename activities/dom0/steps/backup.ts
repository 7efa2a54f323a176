/** Backups, the part on the dom0: take a snapshot, save it by an engine into the repository, read it back, record it (row 16 of the how-to). */
import { defined } from '../../../contract/defined.ts';
import type { BackupRecord, StoredBackup } from '../../../contract/backup.ts';
import type { DomainRow } from '../../../contract/dom0.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import { backupId, type Chosen, type Container, type Kept, type Written } from '../backup/port.ts';
import type { StepEnv } from '../env.ts';
import { whileFrozen, type Frozen } from '../guests/freeze.ts';
import { isOwner, type Ref } from '../marks.ts';
import type { Disk, DiskRole, Snapshot } from '../storage/port.ts';

/** Takes one backup of a guest, without stopping it. */
export async function takeBackup(env: StepEnv, spec: GuestSpec): Promise<BackupRecord> {
  const { repository } = env;
  const started = Date.now();
  const guest = await guestNow(env, spec);
  await repository.open(spec);
  const takenAt = await repository.freeTime(spec.name);
  const id = backupId(takenAt);
  const { chosen, kept, container, written, ...frozen } = await saveSnapshot(env, spec, id);
  const { engine, fs, why } = chosen;
  const warnings = [...chosen.warnings, ...frozen.warnings];
  const dumpedBytes = await engine.check(container, written, fs);
  const backup: StoredBackup = {
    format: 1,
    id,
    guest: spec.name,
    order: spec.order,
    dom0: spec.dom0,
    takenAt: takenAt.toISOString(),
    endedAt: new Date().toISOString(),
    repository: repository.name,
    ...kept,
    ...written,
    dumpedBytes,
    engine: engine.name,
    why,
    tools: await engine.tools(container),
    seconds: Math.round((Date.now() - started) / 100) / 10,
    state: 'verified',
    ...(warnings.length === 0 ? {} : { warnings }),
    fileSystem: { uuid: fs.uuid, features: fs.features, blockSize: fs.blockSize, blocks: fs.blocks },
    consistency: frozen.consistency,
    ...guest,
  };
  await repository.record(backup);
  return recordOf(backup);
}

interface InRepository {
  readonly chosen: Chosen;
  readonly kept: Kept;
  readonly container: Container;
  readonly written: Written;
}

/** A backup in the repository, and how the guest was. */
type Saved = InRepository & Pick<StoredBackup, 'consistency'> & { readonly warnings: readonly string[] };

/** The guest's domain. If a killed attempt has left it paused, it goes on. */
async function domainOf({ storage, toolstack }: StepEnv, spec: GuestSpec): Promise<DomainRow | undefined> {
  const domain = await toolstack.find(spec.name);
  if (domain?.state !== 'paused') return domain;
  await storage.dropSnapshot(spec);
  return await toolstack.find(spec.name);
}

/** What is told of a guest that had to stand still for its snapshot. */
function toldStill(frozen: Frozen<Snapshot>): Pick<Saved, 'consistency' | 'warnings'> & { readonly result: Snapshot } {
  const { result, consistency, warnings } = frozen;
  if (result.stoodStillMs === undefined) return frozen;
  const seconds = Math.ceil(result.stoodStillMs / 1000);
  return {
    result,
    consistency: consistency === 'crash' ? 'paused' : consistency,
    warnings: [...warnings, `it was paused for ${String(seconds)} s while its disk was copied`],
  };
}

/** Takes a snapshot; of a guest that runs and can be frozen, while it is. */
async function snapshotOf(env: StepEnv, spec: GuestSpec): Promise<Pick<Saved, 'consistency' | 'warnings'> & { readonly result: Snapshot }> {
  const { storage } = env;
  const domain = await domainOf(env, spec);
  const take = async (): Promise<Snapshot> => {
    env.progress(`snapshot of the disk of ${spec.name}`);
    return await storage.snapshot(spec);
  };
  if (domain?.state === 'running') return toldStill(await whileFrozen(env, spec, take));
  return { result: await take(), consistency: domain === undefined ? 'stopped' : 'crash', warnings: [] };
}

/** Saves a snapshot, and removes it before the backup is read back: the guest's writes are slow while it exists. */
async function saveSnapshot(env: StepEnv, spec: GuestSpec, id: string): Promise<Saved> {
  const { storage } = env;
  try {
    const { result: snapshot, ...frozen } = await snapshotOf(env, spec);
    const saved = await save(env, spec.name, id, snapshot).catch(async (error: unknown) => {
      // If the snapshot has overflowed meanwhile, what was read from it is worthless.
      await storage.mustBeSound(snapshot);
      throw error;
    });
    return { ...saved, ...frozen };
  } finally {
    await storage.dropSnapshot(spec);
  }
}

async function save({ engines, repository, storage }: StepEnv, guest: string, id: string, snapshot: Snapshot): Promise<InRepository> {
  const chosen = await engines.choose(snapshot.device);
  const kept = repository.keptAs(guest, id, chosen.engine.name);
  const container = repository.container(kept);
  try {
    const written = await chosen.engine.save(snapshot.device, container, chosen.fs);
    await storage.mustBeSound(snapshot);
    await container.commit();
    return { chosen, kept, container, written };
  } finally {
    await container.abort();
  }
}

/** The guest's disk of this role, if it has one. */
export async function ownDisk({ storage }: StepEnv, ref: Ref, role: DiskRole): Promise<Disk | undefined> {
  const device = storage.device(ref.name, role);
  return (await storage.list()).find((disk) => disk.device === device && isOwner(disk.owner, ref));
}

/** A password that an operator wrote into a cfg, of a console by VNC or SPICE. */
const PASSWORD = /((?:vnc|spice)passwd\s*=\s*)(?:"[^"\n]*"|'[^'\n]*'|[^,'"\]\n]*)/g;

/** What the record keeps of the guest beside its file system. */
async function guestNow(env: StepEnv, spec: GuestSpec): Promise<Pick<StoredBackup, 'disks' | 'spec' | 'cfg'>> {
  const { storage, toolstack } = env;
  const { name } = spec;
  const { bytes: root } = await storage.find(spec, 'root');
  const swap = await ownDisk(env, spec, 'swap');
  const cfg = await toolstack.readCfg(name);
  const { sealedPassword: _secret, ...access } = spec.access;
  return {
    spec: { ...spec, access },
    disks: { root, ...defined({ swap: swap?.bytes }) },
    ...(isOwner(cfg?.owner, spec) ? { cfg: cfg?.bytes.toString('latin1').replaceAll(PASSWORD, '$1…') ?? '' } : {}),
  };
}

/** The part of a record that workflows get: they keep many, so it is small. */
export function recordOf(backup: StoredBackup): BackupRecord {
  const { id, guest, takenAt, repository, key, bytes, dumpedBytes, sha256, engine, seconds, state, consistency } = backup;
  const { warnings, isProtected, proof } = backup;
  return {
    ...{ id, guest, takenAt, repository, key, bytes, dumpedBytes, sha256, engine, seconds, state, consistency },
    ...defined({ warnings, isProtected, proof }),
  };
}

/** Undo of a backup: removes its snapshot, and its file if that has no record yet. */
export async function undoBackup({ storage, repository }: StepEnv, ref: GuestRef): Promise<void> {
  await storage.dropSnapshot(ref);
  await repository.discardHalf(ref);
}

/** Removes all backups of this order. */
export async function removeBackups({ repository }: StepEnv, ref: GuestRef): Promise<void> {
  await repository.removeAll(ref);
}
