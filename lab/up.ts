/**
 * Brings a lab up by the shortest way there is: attach to the running one, resume or boot the kept machine, resume a saved
 * state on fresh disks, boot the base, build the base.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { stopServer } from '../system/run-server.ts';
import { LabError } from './errors.ts';
import { labHandle, type Lab } from './lab.ts';
import type { Layout } from './layout.ts';
import { findMachine, readRecord, writeRecord, type LabRecord } from './record.ts';
import { labKind, type LabKind, type Release } from './releases.ts';
import { setTemporalGate } from './start.ts';
import { withWorker, type UpContext } from './up-context.ts';
import { discardDisks, startFresh } from './up-fresh.ts';
import { startKept } from './up-kept.ts';

async function attach(context: UpContext, record: LabRecord): Promise<Lab> {
  await setTemporalGate(context.layout, context.temporalPort);
  const current = await withWorker(context, { ...record, keep: record.keep || context.keep, temporalPort: context.temporalPort });
  await writeRecord(context.layout, current);
  return labHandle(context.runner, context.layout, current, 'attached');
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
