/** Where golden root file systems lie on a dom0, for which guests each is, and what is known of it. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { Dom0Settings } from '../../../order/dom0-settings.ts';
import { PART_SUFFIX } from '../../../system/host.ts';
import type { StepEnv } from '../env.ts';
import type { Work } from '../work.ts';
import { goldenRecord } from './golden.ts';
import { goldenBytes, goldenSystemSchema } from './golden-system.ts';
import { packagesOf } from './mirrors.ts';

const SUFFIX = '.img.zst';

const recordSchema = z.strictObject({
  dist: z.string(),
  /** Of the compressed file. */
  bytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of the file system. */
  dumpedBytes: z.number().int().positive(),
  createdAt: z.iso.datetime(),
  usedAt: z.iso.datetime(),
  /** sha256 of the tarball that it was made from. Missing: it was made without one, or by an earlier version. */
  tarball: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .exactOptional(),
  /** What it was made for. Missing: by an earlier version, and not used since. One that this version does not take is none: the image is as good. */
  system: goldenSystemSchema.optional().catch(undefined),
});
export type GoldenRootRecord = z.infer<typeof recordSchema>;

/** What is on the disk of every guest for which these agree. */
export async function keyOf(env: StepEnv, spec: GuestSpec, tarball: string | undefined): Promise<string> {
  const { settings, host } = env;
  const { os, storage } = spec;
  const role = await host.files.read(`${settings.roleDir}/guestflow`);
  const content = [
    [os.dist, os.installMethod, os.timezone, os.serialDevice, storage.fs, storage.fsOptions],
    [goldenBytes(spec), await packagesOf(env, spec), tarball],
    // xen-tools puts the modules of dom0's kernel into it.
    [settings.kernel, settings.modules],
    createHash('sha256')
      .update(role ?? '')
      .digest('hex'),
  ];
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
}

export function pathOf(settings: Dom0Settings, dist: string, key: string): string {
  return `${settings.goldenDir}/${dist}-${key}${SUFFIX}`;
}

export function isGoldenRoot(dist: string, name: string): boolean {
  return name.startsWith(`${dist}-`) && /^[a-z]+-[0-9a-f]{16}\.img\.zst$/.test(name);
}

/** Where xen-tools works. */
export function workplace(settings: Dom0Settings, dist: string): string {
  return `${settings.goldenDir}/${dist}-root${PART_SUFFIX}`;
}

export async function readRecord({ host }: Work, path: string): Promise<GoldenRootRecord | undefined> {
  const text = await host.files.read(`${path}.json`);
  if (text === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(text.toString('utf8')));
  } catch {
    return undefined;
  }
}

export async function writeRecord({ host }: Work, path: string, record: GoldenRootRecord): Promise<void> {
  await host.files.writeAtomic(`${path}.json`, `${JSON.stringify(record)}\n`, 0o600);
}

export interface FoundRoot {
  readonly path: string;
  readonly record: GoldenRootRecord;
}

/** All golden root file systems of a distribution, those that were used last first; last of all those whose record is missing or damaged. */
export async function allRoots(
  work: Work,
  dist: string,
): Promise<{ readonly path: string; readonly record: GoldenRootRecord | undefined }[]> {
  const names = (await work.host.files.list(work.settings.goldenDir)).filter((name) => isGoldenRoot(dist, name));
  const paths = names.map((name) => `${work.settings.goldenDir}/${name}`);
  const found = await Promise.all(paths.map(async (path) => ({ path, record: await readRecord(work, path) })));
  return found.sort((a, b) => ((a.record?.usedAt ?? '') < (b.record?.usedAt ?? '') ? 1 : -1));
}

/** Those that have a record, in the same order. */
export async function listRoots(work: Work, dist: string): Promise<FoundRoot[]> {
  return (await allRoots(work, dist)).flatMap(({ path, record }) => (record === undefined ? [] : [{ path, record }]));
}

/** The record of what is there for this guest; undefined: it must be made. The content is not read. */
export async function findGoldenRoot(env: StepEnv, spec: GuestSpec): Promise<FoundRoot | undefined> {
  const tarball = spec.os.installMethod === 'golden' ? await goldenRecord(env, spec.os.dist) : undefined;
  if (spec.os.installMethod === 'golden' && tarball === undefined) return undefined;
  return await findRootAt(env, pathOf(env.settings, spec.os.dist, await keyOf(env, spec, tarball?.sha256)));
}

/** What is at this path, if it has the size that its record says. */
export async function findRootAt(env: StepEnv, path: string): Promise<FoundRoot | undefined> {
  const record = await readRecord(env, path);
  return record !== undefined && (await env.host.files.info(path))?.bytes === record.bytes ? { path, record } : undefined;
}

/** Key of its template: `bookworm-0123456789abcdef`. */
export function templateKeyIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, -SUFFIX.length);
}
