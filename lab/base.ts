/** The base of every lab: the dom0's root disk, hypervisor, kernel, initrd and keys, built once and cached by what decides their content. */
import { mkdir, readdir, readFile, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Runner } from '../system/run.ts';
import { makeArtifact, readArtifact, removeTree, sha256File, sweepTemporaries, type Manifest } from './artifact.ts';
import { addGolden, customizeDom0, OVERLAY } from './customize.ts';
import { explain } from './errors.ts';
import { makeRootImage } from './image.ts';
import { withMachineLock } from '../system/machine-lock.ts';
import { describeFolder, digest, ensurePieces, pieceContent, piecesOf, prunePieces, type MakeContext, type Piece } from './pieces.ts';
import type { LabKind } from './releases.ts';

/** A base that is whole. */
export interface Base {
  /** The dom0's release, and a hash of what decides the content. */
  readonly key: string;
  readonly folder: string;
  readonly manifest: Manifest;
}

/** A kept machine needs the base it was made on: the last few stay. */
const KEPT_BASES = 4;

const RECIPE_FILES = ['customize.ts', 'initrd.ts', 'kernel.ts', 'image.ts', 'packages.ts', 'releases.ts'];

type Pieces = Awaited<ReturnType<typeof piecesOf>>;

/** Cache key of the base of a lab of that kind: its pieces, and the code and files of the recipe. */
export async function baseKey(kind: LabKind): Promise<string> {
  return keyOf(kind, await piecesOf(kind));
}

async function keyOf(kind: LabKind, pieces: Pieces): Promise<string> {
  const code = await Promise.all(RECIPE_FILES.map((file) => readFile(fileURLToPath(new URL(file, import.meta.url)), 'utf8')));
  return `${kind.release}-${digest([...pieces.map(({ name }) => name), ...code, ...(await describeFolder(OVERLAY))])}`;
}

/** The folder of the base of that key. */
export function baseFolder(cache: string, key: string): string {
  return path.join(cache, `base-${key}`);
}

/** The base of that key when it is in the cache and whole; `deep` checks the content of kernel and initrd, too. */
export async function findBase(cache: string, key: string, deep = false): Promise<Base | undefined> {
  const folder = baseFolder(cache, key);
  const manifest = await readArtifact(folder, { deep });
  return manifest === undefined ? undefined : { key, folder, manifest };
}

async function addGoldens(cache: string, goldens: readonly Piece[], tree: string): Promise<void> {
  for (const golden of goldens) {
    const file = pieceContent(cache, golden);
    const [{ size, mtime }, sha256] = await Promise.all([stat(file), sha256File(file)]);
    await addGolden(tree, golden.release, file, { sha256, createdAt: mtime.toISOString(), bytes: size });
  }
}

async function buildImage(context: MakeContext, [dom0, ...goldens]: Pieces, folder: string): Promise<Manifest> {
  const { runner, cache, progress, signal } = context;
  const stop = progress.begin('image', "making dom0's disk");
  const work = path.join(cache, `tmp-${String(process.pid)}-work`);
  try {
    await removeTree(runner, work);
    await runner.run('cp', ['-al', '--', pieceContent(cache, dom0), work]);
    return await makeArtifact(runner, folder, async (temporary) => {
      await customizeDom0({ runner, release: dom0.release, tree: work, output: temporary });
      await addGoldens(cache, goldens, work);
      await makeRootImage(runner, work, path.join(temporary, 'dom0.raw'), signal);
    });
  } finally {
    await removeTree(runner, work);
    stop();
  }
}

/** Notes that the base is in use, so that it is not the first to go. */
export async function touchBase(base: Base): Promise<void> {
  const now = new Date();
  await utimes(base.folder, now, now);
}

/** Removes bases that older recipes made of the same pieces, and those that were used longest ago. */
async function pruneCache(runner: Runner, cache: string, pieces: Pieces): Promise<void> {
  await prunePieces(runner, cache, pieces);
  const names = (await readdir(cache)).filter((name) => name.startsWith('base-'));
  const bases = await Promise.all(names.map(async (name) => ({ name, used: (await stat(path.join(cache, name))).mtimeMs })));
  for (const { name } of bases.sort((a, b) => b.used - a.used).slice(KEPT_BASES)) await removeTree(runner, path.join(cache, name));
}

/** The base of this checkout on this machine for a lab of that kind: from the cache, or built. One build at a time in a cache. */
export async function ensureBase(context: MakeContext, kind: LabKind): Promise<Base> {
  const { runner, cache, progress, signal } = context;
  try {
    const pieces = await piecesOf(kind);
    const key = await keyOf(kind, pieces);
    await mkdir(cache, { recursive: true, mode: 0o700 });
    const onWait = (): void => {
      progress.say('build', 'another process is building the lab: waiting for it');
    };
    return await withMachineLock(
      `lab-build/${cache}`,
      async () => {
        const found = await findBase(cache, key, true);
        if (found !== undefined) {
          await touchBase(found);
          return found;
        }
        await sweepTemporaries(runner, cache);
        await ensurePieces(context, pieces);
        const folder = baseFolder(cache, key);
        const manifest = await buildImage(context, pieces, folder);
        await pruneCache(runner, cache, pieces);
        return { key, folder, manifest };
      },
      { signal, onWait },
    );
  } catch (error) {
    throw explain('building the lab', cache, error, signal);
  }
}
