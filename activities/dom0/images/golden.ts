/** The golden root tarball of a distribution: made once on a dom0, checked each time that a guest is made from it. */
import { defined } from '../../../contract/defined.ts';
import type { Dom0Settings } from '../../../order/dom0-settings.ts';
import type { GoldenResult } from '../../../contract/step-results.ts';
import { PART_SUFFIX } from '../../../system/host.ts';
import { partsOf } from '../staging.ts';
import type { Work } from '../work.ts';
import { mirrorFor } from './mirrors.ts';
import { goldenWork, makeGolden } from './mmdebstrap.ts';

/** Record beside a golden tarball. */
export interface GoldenRecord {
  readonly dist: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly createdAt: string;
  /** The mirror that its order named. */
  readonly mirror?: string;
  /** When it was brought back: it is as good as made then, or it would be renewed at once. */
  readonly backAt?: string;
}

function parseGoldenRecord(text: Buffer | undefined): GoldenRecord | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text.toString('utf8')) as Partial<GoldenRecord>;
    const { dist, sha256, bytes, createdAt, mirror, backAt } = value;
    return typeof dist === 'string' && typeof sha256 === 'string' && typeof bytes === 'number' && typeof createdAt === 'string'
      ? { dist, sha256, bytes, createdAt, ...defined({ mirror, backAt }) }
      : undefined;
  } catch {
    return undefined;
  }
}

/** `next`: made by a renewal, and not in use yet. `former`: the one that was in use before. */
export type GoldenPlace = 'current' | 'next' | 'former';

export function goldenPath(settings: Dom0Settings, dist: string, place: GoldenPlace = 'current'): string {
  return `${settings.goldenDir}/${dist}${place === 'current' ? '' : `.${place}`}.tar`;
}

function unfinishedGolden(settings: Dom0Settings, dist: string): string {
  return `${settings.goldenDir}/${dist}${PART_SUFFIX}.tar`;
}

/** What is written of the tarball at this place, whether or not that is there. */
export async function writtenRecord(work: Work, dist: string, place?: GoldenPlace): Promise<GoldenRecord | undefined> {
  return parseGoldenRecord(await work.host.files.read(`${goldenPath(work.settings, dist, place)}.json`));
}

/** The record of the distribution's golden tarball, if the tarball exists and has the recorded size. Its checksum is not computed. */
export async function goldenRecord(work: Work, dist: string, place?: GoldenPlace): Promise<GoldenRecord | undefined> {
  const path = goldenPath(work.settings, dist, place);
  const record = await writtenRecord(work, dist, place);
  return record !== undefined && (await work.host.files.info(path))?.bytes === record.bytes ? record : undefined;
}

async function sha256Of(work: Work, path: string): Promise<string> {
  const { stdout } = await work.host.run('sha256sum', ['--', path], { timeoutMs: 10 * 60_000, signal: work.signal });
  return stdout.slice(0, 64);
}

const DAY_MS = 86_400_000;

/**
 * Whether what was made then is to be made anew. A time to come, which a wrong clock has made, is not old.
 *
 * @param earlierDays so many days before it is
 */
export function isOld({ goldenMaxAgeDays }: Dom0Settings, createdAt: string, earlierDays = 0): boolean {
  return goldenMaxAgeDays > 0 && Date.now() - Date.parse(createdAt) > (goldenMaxAgeDays - earlierDays) * DAY_MS;
}

/**
 * Makes something golden anew because it is old. If that fails, what is there is used: an old system, which installs its updates itself, is better than
 * none.
 */
export async function renewed<T>(work: Work, what: string, renew: () => Promise<T>, keep: () => Promise<T>): Promise<T> {
  try {
    return await renew();
  } catch (error) {
    if (work.signal.aborted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    work.log.warn(
      { reason },
      `${what} is older than ${String(work.settings.goldenMaxAgeDays)} days and could not be made anew: it is used as it is`,
    );
    return await keep();
  }
}

/**
 * The distribution's root tarball, made on this dom0. A tarball whose size is not the recorded one is made again, and so is one that is old; the checksum is
 * computed when it is made, and compared each time it is used.
 */
export async function ensureGolden(work: Work, input: { dist: string; mirror?: string }): Promise<GoldenResult> {
  const path = goldenPath(work.settings, input.dist);
  const record = await goldenRecord(work, input.dist);
  if (record !== undefined) {
    work.progress(`checking the golden root tarball of ${input.dist}`);
    const there = resultOf(record, path, true);
    if ((await sha256Of(work, path)) === record.sha256)
      return isOld(work.settings, record.backAt ?? record.createdAt)
        ? await renewed(
            work,
            path,
            () => makeTarball(work, input),
            () => Promise.resolve(there),
          )
        : there;
    work.log.warn({ path }, 'the golden root tarball does not match its checksum: it is made again');
  }
  return await makeTarball(work, input);
}

function resultOf({ dist, sha256, bytes, createdAt }: GoldenRecord, path: string, reused: boolean): GoldenResult {
  return { dist, sha256, bytes, createdAt, path, reused };
}

/** Whether the tarball at this place is what was made. */
export async function isIntact(work: Work, { dist, sha256 }: GoldenRecord, place?: GoldenPlace): Promise<boolean> {
  return (await sha256Of(work, goldenPath(work.settings, dist, place))) === sha256;
}

/** Makes the tarball, in the place of the one that is there. */
export async function makeTarball(work: Work, input: { dist: string; mirror?: string }, place?: GoldenPlace): Promise<GoldenResult> {
  const { host, settings } = work;
  const path = goldenPath(settings, input.dist, place);
  await host.files.makeDirectory(settings.goldenDir, 0o700);
  await discardHalfGolden(work, input);
  const unfinished = unfinishedGolden(settings, input.dist);
  work.progress(`making the golden root tarball of ${input.dist} (for all guests of this dom0)`);
  const mirror = mirrorFor(settings, input);
  await makeGolden(host, {
    dist: input.dist,
    path: unfinished,
    ...defined({ mirror }),
    signal: work.signal,
    onProgress: (line) => {
      work.progress(`golden root tarball: ${line}`);
    },
  });
  const made: GoldenRecord = {
    dist: input.dist,
    sha256: await sha256Of(work, unfinished),
    bytes: (await host.files.info(unfinished))?.bytes ?? 0,
    createdAt: new Date().toISOString(),
    ...defined({ mirror: input.mirror }),
  };
  // The record is written first. If tarball or record is missing, or they do not match, the tarball is made again.
  await host.files.writeAtomic(`${path}.json`, `${JSON.stringify(made)}\n`, 0o600);
  await host.files.rename(unfinished, path);
  return resultOf(made, path, false);
}

/** The files that exist of a half-made tarball. */
export async function halfGolden(work: Work, dist: string): Promise<string[]> {
  const { files } = work.host;
  const unfinished = unfinishedGolden(work.settings, dist);
  const there: string[] = [];
  for (const path of [unfinished, goldenWork(unfinished)]) if ((await files.info(path)) !== undefined) there.push(path);
  const records = (['current', 'next'] as const).map((place) => `${goldenPath(work.settings, dist, place)}.json`);
  for (const record of records) there.push(...(await partsOf(files, record)));
  return there;
}

/** Removes a half-made tarball. */
export async function discardHalfGolden(work: Work, input: { dist: string }): Promise<void> {
  for (const path of await halfGolden(work, input.dist)) await work.host.files.removeTree(path);
}
