/**
 * The renewal of golden images, step by step. What is made waits beside what is in use, and takes its place by a rename when all of it is whole: a tarball
 * `DIST.next.tar`, and the root file systems that were made from it, which no order finds before that. The one before is kept as `DIST.former.tar`.
 */
import { canonical } from '../../../contract/canonical.ts';
import { defined } from '../../../contract/defined.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { GoldenImage, GoldenSystem } from '../../../contract/golden.ts';
import type { GoldenResult, GoldenRootResult } from '../../../contract/step-results.ts';
import type { StepEnv } from '../env.ts';
import { inBackground } from '../backup/background.ts';
import type { Work } from '../work.ts';
import { goldenPath, goldenRecord, isIntact, isOld, makeTarball, writtenRecord, type GoldenRecord } from './golden.ts';
import { discardHalfGoldenRoot, discardHalfMadeGolden } from './golden-half.ts';
import { findRootAt, keyOf, listRoots, pathOf, type FoundRoot } from './golden-place.ts';
import { dropRoot, ensureTemplate, makeGoldenRoot, resultOf } from './golden-root.ts';
import { nobodyOf } from './golden-system.ts';

const DAY_MS = 86_400_000;
/** So many days before an order would make it anew, unless it may not even grow so old. */
const EARLIER_DAYS = 7;
/** What no order has used for longer is not made anew. */
const USED_WITHIN_MS = 90 * DAY_MS;
/** Golden root file systems that are made anew of one distribution: those that were used last. */
const MOST_SYSTEMS = 4;

interface OfDist {
  readonly dist: string;
}

/** The golden tarballs in use on this dom0, by distribution. */
export async function listTarballs(work: Work): Promise<GoldenRecord[]> {
  const found: GoldenRecord[] = [];
  for (const name of (await work.host.files.list(work.settings.goldenDir)).sort()) {
    const dist = /^([a-z]+)\.tar$/.exec(name)?.[1];
    const record = dist === undefined ? undefined : await goldenRecord(work, dist);
    if (dist !== undefined && record !== undefined) found.push({ ...record, dist });
  }
  return found;
}

/** The golden images of this dom0: its tarballs, and what is made from them. */
export async function listGolden(env: StepEnv): Promise<GoldenImage[]> {
  const found: GoldenImage[] = [];
  for (const { dist, createdAt, backAt } of await listTarballs(env)) {
    const isDue = isOld(env.settings, backAt ?? createdAt, Math.min(EARLIER_DAYS, env.settings.goldenMaxAgeDays / 2));
    const former = (await goldenRecord(env, dist, 'former'))?.sha256;
    found.push({ dist, createdAt, isDue, systems: await systemsOf(env, dist), ...defined({ former }) });
  }
  return found;
}

/** What golden root file systems were used for lately. */
async function systemsOf(env: StepEnv, dist: string): Promise<GoldenSystem[]> {
  const used = (await listRoots(env, dist)).filter(({ record: { usedAt } }) => Date.now() - Date.parse(usedAt) < USED_WITHIN_MS);
  const systems = new Map(used.flatMap(({ record: { system } }) => (system === undefined ? [] : [[canonical(system), system]])));
  return [...systems.values()].slice(0, MOST_SYSTEMS);
}

/**
 * Makes the tarball that is to be the next one. One that a killed attempt has made is found.
 *
 * @throws NotFound when there is none to be renewed
 */
export async function renewTarball(env: StepEnv, { dist }: OfDist): Promise<GoldenResult> {
  const current = await goldenRecord(env, dist);
  if (current === undefined)
    throw new GuestflowError('NotFound', `there is no golden tarball of ${dist} on ${env.settings.host}: the first order makes it`, {
      field: 'dist',
      value: dist,
    });
  const next = await nextOf(env, dist);
  if (next !== undefined && Date.now() - Date.parse(next.createdAt) < DAY_MS && (await isIntact(env, next, 'next'))) {
    const { sha256, bytes, createdAt } = next;
    return { dist, sha256, bytes, createdAt, path: goldenPath(env.settings, dist, 'next'), reused: true };
  }
  await discardNext(env, { dist });
  return await makeTarball(inBackground(env), { dist, ...defined({ mirror: current.mirror }) }, 'next');
}

/** Makes a golden root file system from the next tarball. @throws NotFound when there is no next tarball */
export async function renewGoldenRoot(env: StepEnv, { system }: { readonly system: GoldenSystem }): Promise<GoldenRootResult> {
  const { dist } = system;
  await discardHalfGoldenRoot(env, { dist });
  const { sha256: tarball } = await mustHaveNext(env, dist);
  const path = await nextPath(env, system, tarball);
  const there = await findRootAt(env, path);
  if (there !== undefined) {
    await ensureTemplate(env, path, there.record);
    return resultOf(path, there.record, true);
  }
  const before = (await listRoots(env, dist)).find(({ record }) => canonical(record.system) === canonical(system));
  const spec = nobodyOf(env.settings, system);
  return await makeGoldenRoot({ ...env, ...inBackground(env) }, spec, { path, tarball, place: 'next' }, before?.record.usedAt);
}

async function nextPath(env: StepEnv, system: GoldenSystem, tarball: string): Promise<string> {
  return pathOf(env.settings, system.dist, await keyOf(env, nobodyOf(env.settings, system), tarball));
}

async function mustHaveNext(env: StepEnv, dist: string): Promise<GoldenRecord> {
  const next = await nextOf(env, dist);
  if (next !== undefined) return next;
  throw new GuestflowError('NotFound', `there is no next golden tarball of ${dist} on ${env.settings.host} any more`, { field: 'dist' });
}

/** The golden root file system for this system that waits to be used. @throws NotFound */
export async function findNextRoot(env: StepEnv, system: GoldenSystem): Promise<FoundRoot> {
  const path = await nextPath(env, system, (await mustHaveNext(env, system.dist)).sha256);
  const found = await findRootAt(env, path);
  if (found !== undefined) return found;
  throw new GuestflowError('NotFound', `there is no next golden root file system ${path}`, { field: 'dist' });
}

/**
 * Puts the next tarball in the place of the one in use, which is kept as the former one. Its root file systems are found from then on; those of neither are
 * removed. If that has happened already, it says which one is in use.
 *
 * @throws NotFound when there is neither
 */
export async function useNextGolden(env: StepEnv, { dist }: OfDist): Promise<{ readonly createdAt: string }> {
  const { files } = env.host;
  const [from, to] = [goldenPath(env.settings, dist, 'next'), goldenPath(env.settings, dist)];
  if ((await nextOf(env, dist)) !== undefined) {
    await setAside(env, dist);
    await files.rename(from, to);
    await files.rename(`${from}.json`, `${to}.json`);
  }
  const current = await goldenRecord(env, dist);
  if (current === undefined) throw new GuestflowError('NotFound', `there is no golden tarball of ${dist} any more`, { field: 'dist' });
  const kept = [current.sha256, (await goldenRecord(env, dist, 'former'))?.sha256];
  for (const { path, record } of await listRoots(env, dist))
    if (record.tarball !== undefined && !kept.includes(record.tarball)) await dropRoot(env, path);
  return { createdAt: current.createdAt };
}

/** Makes the tarball in use the former one. The record goes first; without it, the tarball follows when this is called again. */
async function setAside({ host: { files }, settings }: Work, dist: string): Promise<void> {
  const [from, to] = [goldenPath(settings, dist), goldenPath(settings, dist, 'former')];
  if ((await files.info(from)) === undefined) return;
  if ((await files.info(`${from}.json`)) !== undefined) await files.rename(`${from}.json`, `${to}.json`);
  await files.rename(from, to);
}

/** Undoes `setAside`, where nothing has taken that place. */
async function bringInUse({ host: { files }, settings }: Work, dist: string): Promise<void> {
  const [to, from] = [goldenPath(settings, dist), goldenPath(settings, dist, 'former')];
  if ((await files.info(`${to}.json`)) !== undefined || (await files.info(`${from}.json`)) === undefined) return;
  if ((await files.info(to)) === undefined && (await files.info(from)) !== undefined) await files.rename(from, to);
  await files.rename(`${from}.json`, `${to}.json`);
}

/**
 * Brings the former tarball of this checksum back, with its root file systems; the one in use is the former one then. If it is in use already, it stays so.
 *
 * @throws NotFound when there is no such one
 */
export async function bringBackGolden(
  env: StepEnv,
  { dist, sha256 }: OfDist & { readonly sha256: string },
): Promise<{ readonly createdAt: string }> {
  const { files } = env.host;
  await discardHalfMadeGolden(env, { dist });
  const path = goldenPath(env.settings, dist);
  const [from, to] = [goldenPath(env.settings, dist, 'former'), goldenPath(env.settings, dist, 'next')];
  if ((await nextOf(env, dist))?.sha256 !== sha256 && (await goldenRecord(env, dist))?.sha256 !== sha256) {
    if ((await writtenRecord(env, dist, 'former'))?.sha256 !== sha256)
      throw new GuestflowError('NotFound', `there is no former golden tarball of ${dist} any more`, { field: 'dist', value: dist });
    // One that a killed attempt has moved is there already.
    if ((await files.info(from)) !== undefined) {
      await discardNext(env, { dist });
      await files.rename(from, to);
    }
    await files.rename(`${from}.json`, `${to}.json`);
  }
  await useNextGolden(env, { dist });
  const record = await goldenRecord(env, dist);
  if (record?.sha256 !== sha256)
    throw new GuestflowError('NotFound', `the former golden tarball of ${dist} is not whole`, { field: 'dist' });
  if (record.backAt === undefined)
    await files.writeAtomic(`${path}.json`, `${JSON.stringify({ ...record, backAt: new Date().toISOString() })}\n`, 0o600);
  return { createdAt: record.createdAt };
}

/**
 * The record of the next tarball. A switch that was killed between its two renames is ended first: the tarball is in use then, and its record follows. Where
 * the record alone is there for another reason, it says nothing.
 */
async function nextOf(work: Work, dist: string): Promise<GoldenRecord | undefined> {
  const { files } = work.host;
  const [from, to] = [goldenPath(work.settings, dist, 'next'), goldenPath(work.settings, dist)];
  if ((await files.info(from)) !== undefined || (await files.info(`${from}.json`)) === undefined)
    return await goldenRecord(work, dist, 'next');
  const inUse = await writtenRecord(work, dist, 'next');
  if (inUse !== undefined && (await files.info(to)) !== undefined && (await isIntact(work, inUse)))
    await files.rename(`${from}.json`, `${to}.json`);
  return undefined;
}

/** Removes the next tarball and what was made from it. What is in use stays. */
export async function discardNext(env: StepEnv, { dist }: OfDist): Promise<void> {
  await discardHalfMadeGolden(env, { dist });
  const { files } = env.host;
  const next = await nextOf(env, dist);
  const path = goldenPath(env.settings, dist, 'next');
  for (const root of await rootsOf(env, dist, next)) await dropRoot(env, root.path);
  await files.remove(path);
  await files.remove(`${path}.json`);
  await bringInUse(env, dist);
}

/** What was made from a tarball that waits to be used. If it came out the same as another one, the root file systems are that one's, too. */
async function rootsOf(work: Work, dist: string, tarball: GoldenRecord | undefined): Promise<FoundRoot[]> {
  const others = [await goldenRecord(work, dist), await goldenRecord(work, dist, 'former')].map((record) => record?.sha256);
  if (tarball === undefined || others.includes(tarball.sha256)) return [];
  return (await listRoots(work, dist)).filter(({ record }) => record.tarball === tarball.sha256);
}

/** The files that wait to be used: of a renewal that is under way, or was left. */
export async function nextFiles(work: Work, dist: string): Promise<string[]> {
  const path = goldenPath(work.settings, dist, 'next');
  const there: string[] = [];
  for (const each of [path, `${path}.json`]) if ((await work.host.files.info(each)) !== undefined) there.push(each);
  return [...there, ...(await rootsOf(work, dist, await goldenRecord(work, dist, 'next'))).map((root) => root.path)];
}
