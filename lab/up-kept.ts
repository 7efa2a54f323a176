/** Brings a lab up whose disks were kept. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { freePort } from '../system/ports.ts';
import { findBase, touchBase, type Base } from './base.ts';
import { LabError, messageOf } from './errors.ts';
import { labHandle, type Lab, type LabOrigin } from './lab.ts';
import { machineSignature } from './machine.ts';
import { writeRecord, type LabRecord } from './record.ts';
import { bootCold, resumeFrom, setTemporalGate } from './start.ts';
import { qemuVersion, startContext, withWorker, type UpContext } from './up-context.ts';

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
export async function startKept(context: UpContext, old: LabRecord): Promise<Lab> {
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
  const current = await withWorker(context, record);
  await writeRecord(layout, current);
  return labHandle(runner, layout, current, origin);
}
