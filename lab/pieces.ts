/** What bases are made of: a dom0's tree, and golden tarballs of guests. Each is made once and shared by all bases that have it. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Runner } from '../system/run.ts';
import { machineSources, type AptSource } from './apt.ts';
import { makeArtifact, readArtifact, removeTree } from './artifact.ts';
import type { Progress } from './progress.ts';
import { RELEASE_FACTS, type LabKind, type Release } from './releases.ts';
import { dom0Recipe, GUEST_OVERLAY, guestRecipe, makeDom0Tree, makeGuestTarball } from './trees.ts';

/** A piece of the cache: a folder with one tree or one tarball in it. */
export interface Piece {
  readonly kind: 'dom0' | 'golden';
  readonly release: Release;
  readonly sources: readonly AptSource[];
  /** Name of the folder: kind, release, and a hash of what decides the content. */
  readonly name: string;
}

/** What making pieces needs. */
export interface MakeContext {
  readonly runner: Runner;
  /** The lab's part of the cache. */
  readonly cache: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

const OTHER_FAILED = 'another piece failed';

/** A short hash, for names of the cache. */
export function digest(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** Names, modes and contents of all files below a folder. */
export async function describeFolder(folder: string): Promise<string[]> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const parts = files
    .sort()
    .map(async (file) => [path.relative(folder, file), String((await stat(file)).mode & 0o100), await readFile(file, 'utf8')]);
  return (await Promise.all(parts)).flat();
}

/**
 * The pieces of a lab of that kind: the dom0 first, then the guests in their order.
 *
 * @param sourcesOf where a release comes from; default: the machine's own sources.
 */
export async function piecesOf(
  { release, dists }: LabKind,
  sourcesOf: (release: Release) => Promise<readonly AptSource[]> = machineSources,
): Promise<readonly [dom0: Piece, ...goldens: Piece[]]> {
  const { xenToolsFrom } = RELEASE_FACTS[release];
  const sources = [...(await sourcesOf(release)), ...(xenToolsFrom === undefined ? [] : await sourcesOf(xenToolsFrom))];
  const dom0: Piece = { kind: 'dom0', release, sources, name: `dom0-${release}-${digest([dom0Recipe(release, sources)])}` };
  const overlay = await describeFolder(GUEST_OVERLAY);
  const goldens = dists.map(async (dist): Promise<Piece> => {
    const own = await sourcesOf(dist);
    return { kind: 'golden', release: dist, sources: own, name: `golden-${dist}-${digest([guestRecipe(dist, own), ...overlay])}` };
  });
  return [dom0, ...(await Promise.all(goldens))];
}

/** The dom0's tree, or the guest's tarball, of a piece in the cache. */
export function pieceContent(cache: string, { kind, name }: Piece): string {
  return path.join(cache, name, kind === 'dom0' ? 'tree' : 'guest.tar');
}

async function makePiece(context: MakeContext, piece: Piece, signal: AbortSignal): Promise<void> {
  const { runner, cache, progress } = context;
  const { release, sources } = piece;
  await makeArtifact(runner, path.join(cache, piece.name), async (temporary) => {
    const tree = { runner, release, sources, signal, onOutput: progress.detail };
    if (piece.kind === 'dom0') await makeDom0Tree(tree, path.join(temporary, 'tree'));
    else await makeGuestTarball(tree, path.join(temporary, 'guest.tar'));
  });
}

/** Makes the pieces that the cache lacks, side by side. One that fails ends the others; those that are whole stay. */
export async function ensurePieces(context: MakeContext, pieces: readonly Piece[]): Promise<void> {
  const there = await Promise.all(pieces.map(async ({ name }) => (await readArtifact(path.join(context.cache, name))) !== undefined));
  const missing = pieces.filter((_piece, index) => there[index] !== true);
  if (missing.length === 0) return;
  const named = missing.map(({ kind, release }) => (kind === 'dom0' ? `the dom0 (${release})` : `a guest (${release})`)).join(', ');
  const stop = context.progress.begin('trees', `making ${named} from Debian packages`);
  const either = new AbortController();
  const signal = context.signal === undefined ? either.signal : AbortSignal.any([either.signal, context.signal]);
  const outcomes = await Promise.allSettled(
    missing.map((piece) =>
      makePiece(context, piece, signal).catch((error: unknown) => {
        const first = !either.signal.aborted;
        either.abort();
        throw first ? error : new Error(OTHER_FAILED);
      }),
    ),
  );
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
  const cause = failures.find((failure) => failure.message !== OTHER_FAILED);
  if (cause !== undefined) throw cause;
  stop();
}

/** Removes what older recipes have made of the same things. */
export async function prunePieces(runner: Runner, cache: string, current: readonly Piece[]): Promise<void> {
  for (const entry of await readdir(cache)) {
    const replaced = current.some(({ kind, release, name }) => entry.startsWith(`${kind}-${release}-`) && entry !== name);
    if (replaced) await removeTree(runner, path.join(cache, entry));
  }
}
