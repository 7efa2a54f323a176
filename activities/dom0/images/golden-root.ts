/**
 * The golden root file system: a guest's system that is no guest's yet. xen-tools installs it once on a dom0, as it installs an image; it is kept
 * compressed, and written to the disk of each guest of the recipe `direct`, which is made a machine of its own before it starts.
 */
import { GuestflowError } from '../../../contract/errors.ts';
import { MiB } from '../../../contract/sizes.ts';
import type { GuestNetwork, GuestSpec } from '../../../contract/guest.ts';
import type { GoldenRootResult } from '../../../contract/step-results.ts';
import { ZstdFile } from '../backup/containers/zstd-file.ts';
import type { Disk } from '../backup/port.ts';
import type { StepEnv } from '../env.ts';
import { checkFs, fsInfo, leastFsBytes, shrinkFs } from '../tools/ext4.ts';
import { ensureGolden, isOld, renewed } from './golden.ts';
import { discardHalfGoldenRoot } from './golden-half.ts';
import {
  findGoldenRoot,
  goldenBytes,
  isGoldenRoot,
  keyOf,
  pathOf,
  readRecord,
  templateKeyIn,
  workplace,
  writeRecord,
  type FoundRoot,
  type GoldenRootRecord,
} from './golden-place.ts';
import { install } from './make-image.ts';
import { packagesOf } from './mirrors.ts';
import { writeRoleInput } from './role-input.ts';

/** How many of one distribution are kept: those that were used last. */
const KEPT = 4;
const NAME = 'golden-root';

/** The network that it is installed with, until it is a guest's: addresses for documentation (RFC 5737). */
export function goldenNetwork({ bridge }: Pick<GuestNetwork, 'bridge'>): GuestNetwork {
  return { ip: '192.0.2.2', netmask: '255.255.255.0', gateway: '192.0.2.1', bridge, mac: '00:16:3E:00:00:00' };
}

/** golden-root: finds the golden root file system for this guest, or makes it. Its content is compared with its checksums when it is used. */
export async function ensureGoldenRoot(env: StepEnv, spec: GuestSpec): Promise<GoldenRootResult> {
  await discardHalfGoldenRoot(env, spec.os);
  const there = await findGoldenRoot(env, spec);
  if (there === undefined) return await makeNew(env, spec, await newPath(env, spec));
  const keep = (): Promise<GoldenRootResult> => use(env, there);
  if (!isOld(env.settings, there.record.createdAt)) return await keep();
  const renew = async (): Promise<GoldenRootResult> => {
    const path = await newPath(env, spec);
    // Of a tarball that could not be made anew, the same would come.
    return path === there.path && spec.os.installMethod === 'golden' ? await keep() : await makeNew(env, spec, path);
  };
  return await renewed(env, there.path, renew, keep);
}

async function use(env: StepEnv, { path, record: there }: FoundRoot): Promise<GoldenRootResult> {
  const record = { ...there, usedAt: new Date().toISOString() };
  await writeRecord(env, path, record);
  await ensureTemplate(env, path, record);
  return resultOf(path, record, true);
}

/** Where it is made: that depends on the tarball, which is made before it where it has to. */
async function newPath(env: StepEnv, spec: GuestSpec): Promise<string> {
  const tarball = spec.os.installMethod === 'golden' ? (await ensureGolden(env, spec.os)).sha256 : undefined;
  return pathOf(env.settings, spec.os.dist, await keyOf(env, spec, tarball));
}

async function makeNew(env: StepEnv, spec: GuestSpec, path: string): Promise<GoldenRootResult> {
  // A template of the one before has the same key, unless the tarball is another.
  await env.storage.templates?.remove(templateKeyIn(path));
  const record = await make(env, spec, path);
  await ensureTemplate(env, path, record);
  await dropOthers(env, spec.os.dist);
  return resultOf(path, record, false);
}

/** Where disks are clones, it is kept as a template, too. */
async function ensureTemplate(env: StepEnv, path: string, record: GoldenRootRecord): Promise<void> {
  const { templates } = env.storage;
  if (templates === undefined) return;
  const bytes = await env.storage.roundUp(record.dumpedBytes);
  await templates.ensure(templateKeyIn(path), { bytes, fill: (device) => restoreTo(env, { path, record }, { device, bytes }) });
}

function resultOf(path: string, { dist, bytes, createdAt }: GoldenRootRecord, reused: boolean): GoldenRootResult {
  return { dist, path, bytes, createdAt, reused };
}

async function make(env: StepEnv, spec: GuestSpec, path: string): Promise<GoldenRootRecord> {
  const { host, settings } = env;
  const { dist } = spec.os;
  const directory = workplace(settings, dist);
  const roleInput = `${directory}/role`;
  const nobody: GuestSpec = {
    ...spec,
    name: NAME,
    network: goldenNetwork(settings),
    size: { memoryBytes: 256 * MiB, vcpus: 1, diskBytes: goldenBytes(spec), swapBytes: 16 * MiB },
    storage: { ...spec.storage, image: 'sparse' },
  };
  await host.files.makeDirectory(directory, 0o700);
  const { mirror, aptSources } = await packagesOf(env, spec);
  await writeRoleInput(host, roleInput, {
    authorizedKeys: [],
    timezone: spec.os.timezone,
    dist,
    ...(aptSources === undefined ? {} : { aptSources }),
  });
  env.progress(`making the golden root file system of ${dist} (once on this dom0)`);
  await install(env, nobody, { directory, roleInput, ...(mirror === undefined ? {} : { mirror }) });
  const record = await keep(env, dist, `${directory}/domains/${NAME}/disk.img`, path);
  await discardHalfGoldenRoot(env, { dist });
  return record;
}

/** Compresses it, and reads back what was written. */
async function keep(env: StepEnv, dist: string, image: string, path: string): Promise<GoldenRootRecord> {
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
    const now = new Date().toISOString();
    const record = { dist, ...written, dumpedBytes: await engine.check(container, written, fs), createdAt: now, usedAt: now };
    await writeRecord(env, path, record);
    return record;
  } catch (error) {
    await container.abort();
    throw error;
  }
}

/** Removes those that were used least recently. An order that reads one of them goes on: its file is open. */
async function dropOthers(env: StepEnv, dist: string): Promise<void> {
  const { files } = env.host;
  const found: { readonly path: string; readonly usedAt: string }[] = [];
  for (const name of await files.list(env.settings.goldenDir)) {
    if (!isGoldenRoot(dist, name)) continue;
    const path = `${env.settings.goldenDir}/${name}`;
    found.push({ path, usedAt: (await readRecord(env, path))?.usedAt ?? '' });
  }
  for (const { path } of found.sort((a, b) => (a.usedAt < b.usedAt ? 1 : -1)).slice(KEPT)) {
    await files.remove(`${path}.json`);
    await files.remove(path);
    await env.storage.templates?.remove(templateKeyIn(path));
  }
}

/**
 * The golden root file system for this guest, to be written to a device that reads as zeros.
 *
 * @throws NotFound if there is none: it was removed since `ensureGoldenRoot`. `restore` throws ToolFailed if it is damaged: it is given up then, and the next
 * order has it made anew.
 */
export async function openGoldenRoot(
  env: StepEnv,
  spec: GuestSpec,
): Promise<{ readonly dumpedBytes: number; readonly template: string; readonly restore: (target: Disk) => Promise<void> }> {
  const found = await findGoldenRoot(env, spec);
  if (found === undefined)
    throw new GuestflowError('NotFound', `there is no golden root file system of ${spec.os.dist} for ${spec.name}`, { field: 'dist' });
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
