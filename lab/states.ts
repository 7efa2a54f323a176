/** Saved machines: memory and disks of a dom0 that has just booted, so that the next lab starts in seconds. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Runner } from '../system/run.ts';
import { makeArtifact, readArtifact, removeTree } from './artifact.ts';
import type { Base } from './base.ts';
import type { Layout } from './layout.ts';
import { awaitRunState, migrateTo, withQmp, type Qmp } from './qmp.ts';
import { releaseOfKey } from './releases.ts';

const KEPT_STATES = 4;

/** What a saved state belongs to. */
export interface StateIdentity {
  readonly base: Base;
  /** QEMU's version and the machine's hardware. */
  readonly signature: string;
  /** The worker's package inside and the name it works under; undefined: a dom0 without it. */
  readonly worker?: { readonly sha256: string; readonly dom0Name: string } | undefined;
}

interface StateFacts {
  readonly buildId: string;
  readonly release: string;
}

function folderOf(cache: string, identity: StateIdentity): string {
  const parts = [identity.base.manifest.buildId, identity.signature, identity.worker?.sha256 ?? '', identity.worker?.dom0Name ?? ''];
  return path.join(cache, `state-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)}`);
}

function factsOf(base: Base): StateFacts {
  return { buildId: base.manifest.buildId, release: releaseOfKey(base.key) };
}

/** The folder of the state when it is in the cache and whole. */
export async function findState(cache: string, identity: StateIdentity): Promise<string | undefined> {
  const folder = folderOf(cache, identity);
  return (await readArtifact(folder)) === undefined ? undefined : folder;
}

async function stopThen<T>(qmp: Qmp, work: () => Promise<T>): Promise<T> {
  await qmp.execute('stop');
  try {
    return await work();
  } finally {
    await qmp.execute('cont');
    await awaitRunState(qmp, (state) => state === 'running', 10_000);
  }
}

async function copyDisk(runner: Runner, from: string, to: string): Promise<void> {
  await runner.run('cp', ['--sparse=always', '--reflink=auto', '--', from, to], { timeoutMs: 120_000 });
}

/** Saves the running machine into the cache; it stands still for a second or two, and goes on. */
export async function saveState(runner: Runner, layout: Layout, identity: StateIdentity): Promise<void> {
  await withQmp(layout.qmpSocket, (qmp) =>
    stopThen(qmp, async () => {
      await makeArtifact(runner, folderOf(layout.cache, identity), async (temporary) => {
        await migrateTo(qmp, path.join(temporary, 'memory.zst'));
        await copyDisk(runner, layout.rootDisk, path.join(temporary, 'root.qcow2'));
        await copyDisk(runner, layout.volumeDisk, path.join(temporary, 'volumes.qcow2'));
        await writeFile(path.join(temporary, 'facts.json'), JSON.stringify(factsOf(identity.base)));
      });
    }),
  );
  await pruneStates(runner, layout.cache, factsOf(identity.base));
}

/** Copies the disks of a state into the lab, and returns the memory file to resume from. */
export async function takeState(runner: Runner, layout: Layout, folder: string, base: Base): Promise<string> {
  await mkdir(layout.home, { recursive: true, mode: 0o700 });
  await copyDisk(runner, path.join(folder, 'root.qcow2'), layout.rootDisk);
  await copyDisk(runner, path.join(folder, 'volumes.qcow2'), layout.volumeDisk);
  // The cache may have been moved since.
  await runner.run('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', 'raw', '-b', path.join(base.folder, 'dom0.raw'), layout.rootDisk]);
  const now = new Date();
  await utimes(folder, now, now);
  return path.join(folder, 'memory.zst');
}

/** Keeps the states of this base that were used last, and removes those of the release's other bases. Other releases' are left alone. */
async function pruneStates(runner: Runner, cache: string, { buildId, release }: StateFacts): Promise<void> {
  const states: { folder: string; used: number; fits: boolean }[] = [];
  for (const name of (await readdir(cache)).filter((entry) => entry.startsWith('state-'))) {
    const folder = path.join(cache, name);
    const facts = await readFile(path.join(folder, 'facts.json'), 'utf8').then(
      (text) => JSON.parse(text) as StateFacts,
      () => undefined,
    );
    if (facts !== undefined && facts.release !== release) continue;
    states.push({ folder, used: (await stat(folder)).mtimeMs, fits: facts?.buildId === buildId });
  }
  const kept = states
    .filter(({ fits }) => fits)
    .sort((a, b) => b.used - a.used)
    .slice(0, KEPT_STATES);
  for (const { folder } of states.filter((state) => !kept.includes(state))) await removeTree(runner, folder);
}

/** Saves the machine's memory beside its disks and ends it: the next start resumes this very machine. */
export async function saveInPlace(layout: Layout): Promise<void> {
  const temporary = `${layout.memory}.new`;
  await withQmp(layout.qmpSocket, async (qmp) => {
    await qmp.execute('stop');
    try {
      await migrateTo(qmp, temporary);
    } catch (error) {
      await rm(temporary, { force: true });
      await qmp.execute('cont');
      throw error;
    }
    await rename(temporary, layout.memory);
  });
}
