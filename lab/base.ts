/** The base of every lab: the dom0's root disk, hypervisor, kernel, initrd and keys, built once and cached by what decides their content. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Runner } from '../activities/host/run.ts';
import { machineSources, type AptSource } from './apt.ts';
import { makeArtifact, readArtifact, removeTree, sha256File, sweepTemporaries, type Manifest } from './artifact.ts';
import { addGolden, customizeDom0, OVERLAY } from './customize.ts';
import { explain } from './errors.ts';
import { makeRootImage } from './image.ts';
import { withLock } from './lock.ts';
import type { Progress } from './progress.ts';
import { GUEST_OVERLAY, makeDom0Tree, makeGuestTarball, treeRecipe } from './trees.ts';

/** A base that is whole. */
export interface Base {
  readonly key: string;
  readonly folder: string;
  readonly manifest: Manifest;
}

/** What building a base needs. */
export interface BuildContext {
  readonly runner: Runner;
  /** The lab's part of the cache. */
  readonly cache: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

/** A kept machine needs the base it was made on: the last few stay. */
const KEPT_BASES = 3;

const RECIPE_FILES = ['customize.ts', 'initrd.ts', 'kernel.ts', 'image.ts', 'packages.ts'];

function digest(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** Names, modes and contents of all files below a folder. */
async function describeFolder(folder: string): Promise<string[]> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const parts = files
    .sort()
    .map(async (file) => [path.relative(folder, file), String((await stat(file)).mode & 0o100), await readFile(file, 'utf8')]);
  return (await Promise.all(parts)).flat();
}

/** Cache keys of the trees and of the base: package lists, apt sources, and the code and files of the recipe. */
export async function baseKeys(sources: readonly AptSource[]): Promise<{ trees: string; base: string }> {
  const trees = digest(['trees', treeRecipe(sources), ...(await describeFolder(GUEST_OVERLAY))]);
  const code = await Promise.all(RECIPE_FILES.map((file) => readFile(fileURLToPath(new URL(file, import.meta.url)), 'utf8')));
  return { trees, base: digest([trees, ...code, ...(await describeFolder(OVERLAY))]) };
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

async function buildTrees(context: BuildContext, sources: readonly AptSource[], folder: string): Promise<void> {
  if ((await readArtifact(folder)) !== undefined) return;
  const stop = context.progress.begin('trees', 'making the dom0 and the guest from Debian packages');
  await makeArtifact(context.runner, folder, async (temporary) => {
    // One that fails ends the other: the folder is removed when both have gone.
    const either = new AbortController();
    const signal = context.signal === undefined ? either.signal : AbortSignal.any([either.signal, context.signal]);
    const tree = { runner: context.runner, sources, signal, onOutput: context.progress.detail };
    const outcomes = await Promise.allSettled(
      [makeDom0Tree(tree, path.join(temporary, 'dom0')), makeGuestTarball(tree, path.join(temporary, 'guest.tar'))].map((making) =>
        making.catch((error: unknown) => {
          const first = !either.signal.aborted;
          either.abort();
          throw first ? error : new Error('the other tree failed');
        }),
      ),
    );
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
    const cause = failures.find((failure) => failure.message !== 'the other tree failed');
    if (cause !== undefined) throw cause;
  });
  stop();
}

async function buildImage(context: BuildContext, trees: string, folder: string): Promise<Manifest> {
  const { runner, progress, signal } = context;
  const stop = progress.begin('image', "making dom0's disk");
  const work = path.join(trees, '..', `tmp-${String(process.pid)}-work`);
  const goldenFile = path.join(trees, 'guest.tar');
  try {
    await removeTree(runner, work);
    const [, sha256] = await Promise.all([runner.run('cp', ['-al', '--', path.join(trees, 'dom0'), work]), sha256File(goldenFile)]);
    const { size, mtime } = await stat(goldenFile);
    return await makeArtifact(runner, folder, async (temporary) => {
      await customizeDom0({ runner, tree: work, output: temporary });
      await addGolden(work, goldenFile, { sha256, createdAt: mtime.toISOString(), bytes: size });
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

/** Removes trees of other recipes, and the bases that were used longest ago. */
async function pruneCache(runner: Runner, cache: string, currentTrees: string): Promise<void> {
  const names = await readdir(cache);
  for (const name of names) if (name.startsWith('trees-') && name !== currentTrees) await removeTree(runner, path.join(cache, name));
  const bases = await Promise.all(
    names.filter((name) => name.startsWith('base-')).map(async (name) => ({ name, used: (await stat(path.join(cache, name))).mtimeMs })),
  );
  for (const { name } of bases.sort((a, b) => b.used - a.used).slice(KEPT_BASES)) await removeTree(runner, path.join(cache, name));
}

/** The base of this checkout on this machine: from the cache, or built. One build at a time in a cache. */
export async function ensureBase(context: BuildContext): Promise<Base> {
  const { runner, cache, progress, signal } = context;
  try {
    const sources = await machineSources();
    const keys = await baseKeys(sources);
    await mkdir(cache, { recursive: true, mode: 0o700 });
    const onWait = (): void => {
      progress.say('build', 'another process is building the lab: waiting for it');
    };
    return await withLock(
      `build ${cache}`,
      async () => {
        const found = await findBase(cache, keys.base, true);
        if (found !== undefined) {
          await touchBase(found);
          return found;
        }
        await sweepTemporaries(runner, cache);
        const trees = path.join(cache, `trees-${keys.trees}`);
        await buildTrees(context, sources, trees);
        const folder = baseFolder(cache, keys.base);
        const manifest = await buildImage(context, trees, folder);
        await pruneCache(runner, cache, path.basename(trees));
        return { key: keys.base, folder, manifest };
      },
      { signal, onWait },
    );
  } catch (error) {
    throw explain('building the lab', cache, error, signal);
  }
}
