/** Brings a lab up on fresh disks: from a saved state of the cache, or by a boot. */
import { mkdir, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../system/ports.ts';
import { ensureBase, type Base } from './base.ts';
import { messageOf } from './errors.ts';
import { labHandle, type Lab, type LabOrigin } from './lab.ts';
import type { Layout } from './layout.ts';
import { machineSignature } from './machine.ts';
import { writeRecord, type LabRecord } from './record.ts';
import { bootCold, makeFreshDisks, resumeFrom, setTemporalGate, type StartContext } from './start.ts';
import { findState, saveState, takeState, type StateIdentity } from './states.ts';
import { qemuVersion, startContext, withWorker, type UpContext } from './up-context.ts';
import { awaitKnock } from './worker.ts';

/** How long a start waits for the package before it begins with a dom0 that has none. */
const PACKAGE_PATIENCE_MS = 1_500;

/** Removes the disks of a machine, and what belongs to them. */
export async function discardDisks(layout: Layout): Promise<void> {
  for (const file of [layout.rootDisk, layout.volumeDisk, layout.memory, layout.record, layout.serialLog]) await rm(file, { force: true });
}

/** Resumes a state of the cache on fresh disks. Undefined when there is none or it does not load. */
async function tryState(context: UpContext, start: StartContext, identity: StateIdentity, base: Base): Promise<boolean> {
  const { layout, progress, runner } = context;
  const folder = await findState(layout.cache, identity);
  if (folder === undefined) return false;
  const stop = progress.begin('resume', 'resuming a saved dom0');
  try {
    await resumeFrom(start, await takeState(runner, layout, folder, base));
    stop();
    return true;
  } catch (error) {
    context.signal?.throwIfAborted();
    await rm(folder, { recursive: true, force: true });
    await discardDisks(layout);
    progress.say('resume', `the saved dom0 could not be used (${messageOf(error)}): booting`);
    return false;
  }
}

async function bootFresh(context: UpContext, start: StartContext, base: Base, identity: StateIdentity): Promise<void> {
  const { layout, progress, runner } = context;
  const boot = progress.begin('boot', 'booting dom0');
  await makeFreshDisks(runner, layout, base.folder);
  await bootCold(start);
  await runner.run('ssh', ['-F', layout.sshConfig, '--', 'dom0', 'systemctl is-system-running --wait'], {
    okCodes: [0, 1],
    timeoutMs: 120_000,
  });
  boot();
  const save = progress.begin('save', 'saving the booted dom0 for the next start');
  await saveState(runner, layout, identity);
  save();
}

/** Starts a machine on fresh disks. */
export async function startFresh(context: UpContext): Promise<Lab> {
  const { layout, runner } = context;
  const base = await ensureBase({ runner, cache: layout.cache, progress: context.progress, signal: context.signal }, context.kind);
  await discardDisks(layout);
  const sshPort = await freePort();
  const signature = machineSignature(context.accel, await qemuVersion(runner));
  const start = startContext(context, base.folder, context.accel, sshPort);
  await mkdir(layout.run, { recursive: true, mode: 0o700 });
  await rm(layout.knocked, { force: true });
  await setTemporalGate(layout, 'shut');
  const bare: StateIdentity = { base, signature };
  const early = await Promise.race([context.workerPackage, sleep(PACKAGE_PATIENCE_MS, undefined, { ref: false })]);
  const identityWith = (sha256: string): StateIdentity => ({ ...bare, worker: { sha256, dom0Name: context.dom0Name } });
  let record: LabRecord = {
    ...context.kind,
    accel: context.accel,
    sshPort,
    temporalPort: context.temporalPort,
    baseKey: base.key,
    buildId: base.manifest.buildId,
    dom0Name: context.dom0Name,
    keep: context.keep,
    saved: false,
    signature,
    startedAt: new Date().toISOString(),
  };
  let origin: LabOrigin = 'resumed';
  if (early !== undefined && (await tryState(context, start, identityWith(early.sha256), base)))
    record = { ...record, packageSha256: early.sha256 };
  else if (!(await tryState(context, start, bare, base))) {
    await bootFresh(context, start, base, bare);
    origin = 'booted';
  }
  record = await withWorker(context, record, async ({ packageSha256 }) => {
    // The worker is saved while it waits for Temporal. If it had begun to work, it would do that work again at each resume.
    if (packageSha256 === undefined || !(await awaitKnock(layout, context.signal))) return;
    await saveState(runner, layout, identityWith(packageSha256));
  });
  await setTemporalGate(layout, context.temporalPort);
  await writeRecord(layout, record);
  return labHandle(runner, layout, record, origin);
}
