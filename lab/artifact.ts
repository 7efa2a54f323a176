/** Folders of the cache that are whole or absent: made under another name, listed in a manifest, renamed when complete. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Runner } from '../system/run.ts';
import { processStartTime } from '../system/run-server.ts';

const MANIFEST = 'manifest.json';
const TEMPORARY = /^tmp-(\d+)-/;
/** Files up to this size have their content checked when asked; larger ones their size. */
const HASHED_UP_TO = 128 * 1024 * 1024;

interface Entry {
  readonly bytes: number;
  readonly sha256?: string;
}

/** What a complete folder says about itself. */
export interface Manifest {
  /** Tells this build from another one of the same recipe. */
  readonly buildId: string;
  readonly madeAt: string;
  readonly entries: Readonly<Record<string, Entry>>;
}

/** Hash of a file's content, in hexadecimal. */
export async function sha256File(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

async function describeEntry(file: string, withHash: boolean): Promise<Entry> {
  const facts = await stat(file);
  // Entries with their types: without them readdir goes into folders that links lead to, and a root tree's /var/run is this machine's.
  if (facts.isDirectory()) return { bytes: (await readdir(file, { recursive: true, withFileTypes: true })).length };
  return { bytes: facts.size, ...(withHash && facts.size <= HASHED_UP_TO ? { sha256: await sha256File(file) } : {}) };
}

/** The folder's manifest when everything in it is as it was made; undefined when it is absent, half-made or broken. */
export async function readArtifact(folder: string, options: { deep?: boolean } = {}): Promise<Manifest | undefined> {
  try {
    const manifest = JSON.parse(await readFile(path.join(folder, MANIFEST), 'utf8')) as Manifest;
    for (const [name, expected] of Object.entries(manifest.entries)) {
      const found = await describeEntry(path.join(folder, name), options.deep === true && expected.sha256 !== undefined);
      if (found.bytes !== expected.bytes || (found.sha256 !== undefined && found.sha256 !== expected.sha256)) return undefined;
    }
    return manifest;
  } catch {
    return undefined;
  }
}

/** Removes a folder of ours and all in it, but nothing that is mounted below it. */
export async function removeTree(runner: Runner, folder: string): Promise<void> {
  await runner.run('rm', ['-rf', '--one-file-system', '--', folder], { timeoutMs: 120_000 });
}

/** Makes `folder`: `make` fills a temporary one beside it, which is renamed to `folder` at the end, or removed if `make` fails. */
export async function makeArtifact(runner: Runner, folder: string, make: (temporary: string) => Promise<void>): Promise<Manifest> {
  const parent = path.dirname(folder);
  const temporary = path.join(parent, `tmp-${String(process.pid)}-${randomUUID()}`);
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  try {
    await make(temporary);
    const entries: Record<string, Entry> = {};
    for (const name of (await readdir(temporary)).sort()) entries[name] = await describeEntry(path.join(temporary, name), true);
    const manifest: Manifest = { buildId: randomUUID(), madeAt: new Date().toISOString(), entries };
    await writeFile(path.join(temporary, MANIFEST), `${JSON.stringify(manifest, undefined, 1)}\n`);
    await removeTree(runner, folder);
    await rename(temporary, folder);
    return manifest;
  } catch (error) {
    await removeTree(runner, temporary);
    throw error;
  }
}

/** Removes temporary folders whose makers are no more. */
export async function sweepTemporaries(runner: Runner, parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid !== undefined && Number(pid) !== process.pid && processStartTime(Number(pid)) === undefined)
      await removeTree(runner, path.join(parent, name));
  }
}
