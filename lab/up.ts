/**
 * Brings a lab up by the shortest way there is: attach to the running one, resume or boot the kept machine, resume a saved
 * state on fresh disks, boot the base, build the base.
 */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Runner } from '../system/run.ts';
import { stopServer } from '../system/run-server.ts';
import { sha256File } from './artifact.ts';
import { ensureBase, findBase, touchBase, type Base } from './base.ts';
import { LabError, messageOf } from './errors.ts';
import { labHandle, type Lab, type LabOrigin } from './lab.ts';
import type { Layout } from './layout.ts';
import { machineSignature, type Accel } from './machine.ts';
import type { Progress } from './progress.ts';
import { labKind, type LabKind, type Release } from './releases.ts';
import { findMachine, readRecord, writeRecord, type LabRecord } from './record.ts';
import { freePort } from '../system/ports.ts';
import { bootCold, makeFreshDisks, resumeFrom, setTemporalGate, type StartContext } from './start.ts';
import { findState, saveState, takeState, type StateIdentity } from './states.ts';
import { awaitKnock, installWorker } from './worker.ts';

/** What bringing a lab up needs. */
export interface UpContext {
  readonly runner: Runner;
  readonly layout: Layout;
  readonly progress: Progress;
  readonly kind: LabKind;
  readonly accel: Accel;
  readonly temporalPort: number;
  readonly dom0Name: string;
  readonly keep: boolean;
  /** The dom0 worker's package, being made. */
  readonly workerPackage: Promise<WorkerPackage> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A Debian package of the dom0 worker. */
export interface WorkerPackage {
  readonly file: string;
  readonly sha256: string;
}

/** How long a start waits for the package before it begins with a dom0 that has none. */
const PACKAGE_PATIENCE_MS = 1_500;

/** Begins to make the package, and hashes it; a failure is reported when it is awaited. */
export function beginPackage(packageFile: (() => Promise<string>) | undefined): Promise<WorkerPackage> | undefined {
  if (packageFile === undefined) return undefined;
  const made = packageFile().then(async (file) => ({ file, sha256: await sha256File(file) }));
  made.catch(() => undefined);
  return made;
}

async function qemuVersion(runner: Runner): Promise<string> {
  return (await runner.run('qemu-system-x86_64', ['--version'])).stdout.split('\n')[0] ?? '';
}

function startContext(context: UpContext, baseFolder: string, accel: Accel, sshPort: number): StartContext {
  const { runner, layout, signal } = context;
  return { runner, layout, baseFolder, accel, sshPort, signal };
}

/** Installs the worker when the lab has another one or none. Returns the record to write. */
async function withWorker(context: UpContext, record: LabRecord, afterKnock: (record: LabRecord) => Promise<void>): Promise<LabRecord> {
  const { layout, progress, runner, signal } = context;
  const made = await context.workerPackage;
  if (made === undefined || made.sha256 === record.packageSha256) return record;
  const stop = progress.begin('package', "installing the dom0 worker's package");
  await installWorker(runner, layout, made.file, record.dom0Name, signal);
  const updated = { ...record, packageSha256: made.sha256 };
  await afterKnock(updated);
  stop();
  return updated;
}

async function attach(context: UpContext, record: LabRecord): Promise<Lab> {
  await setTemporalGate(context.layout, context.temporalPort);
  const current = await withWorker(context, { ...record, keep: record.keep || context.keep, temporalPort: context.temporalPort }, () =>
    Promise.resolve(),
  );
  await writeRecord(context.layout, current);
  return labHandle(context.runner, context.layout, current, 'attached');
}

async function keptBase(context: UpContext, record: LabRecord): Promise<Base> {
  const base = await findBase(context.layout.cache, record.baseKey, true);
  if (base?.manifest.buildId === record.buildId) {
    await touchBase(base);
    return base;
  }
  throw new LabError(
    'failed',
    `the kept machine of lab "${context.layout.name}" needs a base that is no longer in ${context.layout.cache}: throw the machine away with \`guestflow lab clean\` and start again`,
  );
}

/** Starts the machine whose disks were kept: from its saved memory, or by a cold boot when there is none or it does not load. */
async function startKept(context: UpContext, old: LabRecord): Promise<Lab> {
  const { layout, progress, runner } = context;
  const base = await keptBase(context, old);
  const sshPort = await freePort(old.sshPort);
  const fits = old.signature === machineSignature(old.accel, await qemuVersion(runner));
  const record: LabRecord = {
    ...old,
    sshPort,
    temporalPort: context.temporalPort,
    saved: false,
    keep: true,
    startedAt: new Date().toISOString(),
  };
  const start = startContext(context, base.folder, old.accel, sshPort);
  await mkdir(layout.run, { recursive: true, mode: 0o700 });
  await setTemporalGate(layout, context.temporalPort);
  let origin: LabOrigin = 'booted-kept';
  if (existsSync(layout.memory) && fits) {
    const stop = progress.begin('resume', 'resuming the machine that was saved');
    try {
      // A saved memory belongs to the disks as they are now: it must be gone before they change.
      await resumeFrom(start, layout.memory, async () => {
        await rm(layout.memory);
        await writeRecord(layout, record);
      });
      origin = 'resumed-kept';
      stop();
    } catch (error) {
      context.signal?.throwIfAborted();
      progress.say('resume', `the saved memory could not be used (${messageOf(error)}): booting from the kept disks`);
    }
  }
  if (origin === 'booted-kept') {
    await rm(layout.memory, { force: true });
    await writeRecord(layout, record);
    const stop = progress.begin('boot', 'booting dom0 from the kept disks');
    await bootCold(start);
    stop();
  }
  const current = await withWorker(context, record, () => Promise.resolve());
  await writeRecord(layout, current);
  return labHandle(runner, layout, current, origin);
}

async function discardDisks(layout: Layout): Promise<void> {
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
async function startFresh(context: UpContext): Promise<Lab> {
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
    // The worker is saved as it waits for Temporal: a saved one that had begun to work would do so again at each resume.
    if (packageSha256 === undefined || !(await awaitKnock(layout, context.signal))) return;
    await saveState(runner, layout, identityWith(packageSha256));
  });
  await setTemporalGate(layout, context.temporalPort);
  await writeRecord(layout, record);
  return labHandle(runner, layout, record, origin);
}

/** Whether the lab's machine is used as it is: it runs, or its disks are kept. */
function isThere(layout: Layout, record: LabRecord | undefined, keep: boolean): record is LabRecord {
  if (record === undefined) return false;
  if (findMachine(layout) !== undefined) return true;
  return (record.keep || keep) && existsSync(layout.rootDisk) && existsSync(layout.volumeDisk);
}

/**
 * The kind of the lab that is to be brought up: that of the machine that is there, or what is asked for.
 *
 * @throws LabError (`bad-input`) when the machine that is there is of another kind than what is asked for.
 */
export async function kindFor(
  layout: Layout,
  asked: { readonly release?: Release | undefined; readonly dists?: readonly Release[] | undefined; readonly keep?: boolean },
): Promise<LabKind> {
  const record = await readRecord(layout);
  if (!isThere(layout, record, asked.keep ?? false)) return labKind(asked.release, asked.dists);
  const lacking = asked.dists?.find((dist) => !record.dists.includes(dist));
  const differs = asked.release !== undefined && asked.release !== record.release;
  if (!differs && lacking === undefined) return { release: record.release, dists: record.dists };
  const has = differs ? `a dom0 of ${record.release}, not ${asked.release}` : `no golden tarball of ${String(lacking)}`;
  throw new LabError(
    'bad-input',
    `lab "${layout.name}" is there already, with ${has}: give the new one another --name, or throw this one away with \`guestflow lab clean\``,
  );
}

/** Brings the lab up. The caller holds the lab's lock. */
export async function bringUp(context: UpContext): Promise<Lab> {
  const { layout } = context;
  const record = await readRecord(layout);
  const running = findMachine(layout);
  if (running !== undefined && record !== undefined) return await attach(context, record);
  // A machine without a record is one whose start was cut short.
  if (running !== undefined) await stopServer(running);
  await mkdir(layout.home, { recursive: true, mode: 0o700 });
  const isKept = isThere(layout, record, context.keep);
  try {
    return await (isKept ? startKept(context, record) : startFresh(context));
  } catch (error) {
    const half = findMachine(layout);
    if (half !== undefined) await stopServer(half);
    if (!isKept) await discardDisks(layout);
    throw error;
  }
}
