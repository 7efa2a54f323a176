/**
 * The golden root file system: a guest's system that is no guest's yet. xen-tools installs it once on a dom0, as it installs an image; it is kept
 * compressed, and written to the disk of each guest of the recipe `direct`, which is made a machine of its own before it starts.
 */
import { GuestflowError } from '../../../contract/errors.ts';
import { defined } from '../../../contract/defined.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { GoldenRootResult } from '../../../contract/step-results.ts';
import { ZstdFile } from '../backup/containers/zstd-file.ts';
import type { Disk } from '../backup/port.ts';
import type { StepEnv } from '../env.ts';
import { checkFs, fsInfo, leastFsBytes, shrinkFs } from '../tools/ext4.ts';
import { ensureGolden, goldenPath, goldenRecord, isOld, renewed, type GoldenPlace } from './golden.ts';
import { discardHalfGoldenRoot } from './golden-half.ts';
import {
  allRoots,
  findGoldenRoot,
  keyOf,
  pathOf,
  templateKeyIn,
  workplace,
  writeRecord,
  type FoundRoot,
  type GoldenRootRecord,
} from './golden-place.ts';
import { nobodyOf, systemOf } from './golden-system.ts';
import { install } from './make-image.ts';
import { packagesOf } from './mirrors.ts';
import { writeRoleInput } from './role-input.ts';

/** How many of one distribution are kept: those that were used last. */
const KEPT = 4;

/** What one is made from. */
interface Source {
  /** Where it is kept. */
  readonly path: string;
  /** sha256 of the tarball. Undefined: it is installed by debootstrap. */
  readonly tarball?: string;
  /** Where the tarball lies. Default: the one in use. */
  readonly place?: GoldenPlace;
}

/** golden-root: finds the golden root file system for this guest, or makes it. Its content is compared with its checksums when it is used. */
export async function ensureGoldenRoot(env: StepEnv, spec: GuestSpec): Promise<GoldenRootResult> {
  await discardHalfGoldenRoot(env, spec.os);
  const there = await findGoldenRoot(env, spec);
  if (there === undefined) return await makeNew(env, spec, await newSource(env, spec));
  const keep = (): Promise<GoldenRootResult> => use(env, there, spec);
  if (!isOld(env.settings, there.record.createdAt)) return await keep();
  const renew = async (): Promise<GoldenRootResult> => {
    const source = await newSource(env, spec);
    // Of a tarball that could not be made anew, the same would come.
    return source.path === there.path && spec.os.installMethod === 'golden' ? await keep() : await makeNew(env, spec, source);
  };
  return await renewed(env, there.path, renew, keep);
}

/** What it was made for is noted anew: an earlier version has not done it. */
async function use(env: StepEnv, { path, record: there }: FoundRoot, spec: GuestSpec): Promise<GoldenRootResult> {
  const tarball = spec.os.installMethod === 'golden' ? (await goldenRecord(env, spec.os.dist))?.sha256 : undefined;
  const record = { ...there, usedAt: new Date().toISOString(), ...madeFor(spec, tarball) };
  await writeRecord(env, path, record);
  await ensureTemplate(env, path, record);
  return resultOf(path, record, true);
}

function madeFor(spec: GuestSpec, tarball: string | undefined): Pick<GoldenRootRecord, 'tarball' | 'system'> {
  return tarball === undefined ? {} : { tarball, system: systemOf(spec) };
}

/** From what it is made: the tarball is made before it where it has to. */
async function newSource(env: StepEnv, spec: GuestSpec): Promise<Source> {
  const tarball = spec.os.installMethod === 'golden' ? (await ensureGolden(env, spec.os)).sha256 : undefined;
  return { path: pathOf(env.settings, spec.os.dist, await keyOf(env, spec, tarball)), ...defined({ tarball }) };
}

async function makeNew(env: StepEnv, spec: GuestSpec, source: Source): Promise<GoldenRootResult> {
  const made = await makeGoldenRoot(env, spec, source);
  await dropOthers(env, spec.os.dist);
  return made;
}

/** Makes it, in the place of what is there. @param usedAt Default: now */
export async function makeGoldenRoot(env: StepEnv, spec: GuestSpec, source: Source, usedAt?: string): Promise<GoldenRootResult> {
  // A template of the one before has the same key, unless the tarball is another.
  await env.storage.templates?.remove(templateKeyIn(source.path));
  const record = await make(env, spec, source, usedAt);
  await ensureTemplate(env, source.path, record);
  return resultOf(source.path, record, false);
}

/** Where disks are clones, it is kept as a template, too. */
export async function ensureTemplate(env: StepEnv, path: string, record: GoldenRootRecord): Promise<void> {
  const { templates } = env.storage;
  if (templates === undefined) return;
  const bytes = await env.storage.roundUp(record.dumpedBytes);
  await templates.ensure(templateKeyIn(path), { bytes, fill: (device) => restoreTo(env, { path, record }, { device, bytes }) });
}

export function resultOf(path: string, { dist, bytes, createdAt, tarball }: GoldenRootRecord, reused: boolean): GoldenRootResult {
  return { dist, path, bytes, createdAt, reused, ...defined({ tarball }) };
}

async function make(env: StepEnv, spec: GuestSpec, { path, tarball, place }: Source, usedAt?: string): Promise<GoldenRootRecord> {
  const { host, settings } = env;
  const { dist } = spec.os;
  const directory = workplace(settings, dist);
  const roleInput = `${directory}/role`;
  const nobody: GuestSpec = { ...nobodyOf(settings, systemOf(spec)), os: spec.os };
  await host.files.makeDirectory(directory, 0o700);
  const { mirror, aptSources } = await packagesOf(env, spec);
  await writeRoleInput(host, roleInput, {
    authorizedKeys: [],
    timezone: spec.os.timezone,
    dist,
    ...(aptSources === undefined ? {} : { aptSources }),
  });
  env.progress(`making the golden root file system of ${dist} (once on this dom0)`);
  const goldenTarball = tarball === undefined ? undefined : goldenPath(settings, dist, place);
  await install(env, nobody, { directory, roleInput, ...defined({ mirror, goldenTarball }) });
  const image = await keep(env, `${directory}/domains/${nobody.name}/disk.img`, path);
  const createdAt = new Date().toISOString();
  const record = { dist, ...image, createdAt, usedAt: usedAt ?? createdAt, ...madeFor(spec, tarball) };
  await writeRecord(env, path, record);
  await discardHalfGoldenRoot(env, { dist });
  return record;
}

/** Compresses it, and reads back what was written. */
async function keep(env: StepEnv, image: string, path: string): Promise<Pick<GoldenRootRecord, 'bytes' | 'sha256' | 'dumpedBytes'>> {
  const { host, signal } = env;
  await checkFs(host, image, { signal });
  // As small as it goes: free blocks are zeros, and cost time whenever it is read or written. It grows with the disk that it is written to.
  await shrinkFs(host, image, await leastFsBytes(host, image, { signal }), { signal });
  const engine = env.engines.named('blocks', 'at once');
  const fs = await fsInfo(host, image);
  const container = new ZstdFile(env, path);
  try {
    const written = await engine.save(image, container, fs);
    await container.commit();
    return { ...written, dumpedBytes: await engine.check(container, written, fs) };
  } catch (error) {
    await container.abort();
    throw error;
  }
}

/**
 * Removes those that were used least recently. An order that reads one of them goes on: its file is open. What a renewal has made is not among them, nor
 * what can be brought back.
 */
async function dropOthers(env: StepEnv, dist: string): Promise<void> {
  const aside = [await goldenRecord(env, dist, 'next'), await goldenRecord(env, dist, 'former')].map((record) => record?.sha256);
  const found = (await allRoots(env, dist)).filter(({ record }) => record?.tarball === undefined || !aside.includes(record.tarball));
  for (const { path } of found.slice(KEPT)) await dropRoot(env, path);
}

/** Removes one. The record goes first: without it there is none. */
export async function dropRoot(env: StepEnv, path: string): Promise<void> {
  await env.host.files.remove(`${path}.json`);
  await env.host.files.remove(path);
  await env.storage.templates?.remove(templateKeyIn(path));
}

/** A golden root file system that can be written to a device. */
export interface OpenedRoot {
  readonly dumpedBytes: number;
  readonly template: string;
  readonly restore: (target: Disk) => Promise<void>;
}

/**
 * The golden root file system for this guest, to be written to a device that reads as zeros.
 *
 * @throws NotFound if there is none: it was removed since `ensureGoldenRoot`. `restore` throws ToolFailed if it is damaged: it is given up then, and the next
 * order has it made anew.
 */
export async function openGoldenRoot(env: StepEnv, spec: GuestSpec): Promise<OpenedRoot> {
  const found = await findGoldenRoot(env, spec);
  if (found === undefined)
    throw new GuestflowError('NotFound', `there is no golden root file system of ${spec.os.dist} for ${spec.name}`, { field: 'dist' });
  return opened(env, found);
}

/** The same of one that was found. */
export function opened(env: StepEnv, found: FoundRoot): OpenedRoot {
  return {
    dumpedBytes: found.record.dumpedBytes,
    template: templateKeyIn(found.path),
    restore: (target) => restoreTo(env, found, target),
  };
}

/** @throws ToolFailed if it is damaged: it is given up then, and the next order has it made anew */
async function restoreTo(env: StepEnv, { path, record }: FoundRoot, target: Disk): Promise<void> {
  try {
    await env.engines.named('blocks', 'at once').restore?.(new ZstdFile(env, path), record, target);
  } catch (error) {
    if (!(error instanceof GuestflowError) || error.type !== 'BackupUnusable') throw error;
    await env.host.files.remove(`${path}.json`);
    throw new GuestflowError('ToolFailed', `the golden root file system ${path} is damaged, and was given up: ${error.message}`);
  }
}
