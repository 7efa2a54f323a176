/** Where golden root file systems lie on a dom0, for which guests each is, and what is known of it. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { GuestSpec } from '../../../contract/guest.ts';
import { GiB } from '../../../contract/sizes.ts';
import type { Dom0Settings } from '../../../order/dom0-settings.ts';
import { PART_SUFFIX } from '../../../system/host.ts';
import type { StepEnv } from '../env.ts';
import type { Work } from '../work.ts';
import { goldenRecord } from './golden.ts';
import { packagesOf } from './mirrors.ts';

/** The size that it is made with, unless the guest's disk is smaller. It grows with the disk that it is written to. */
const MOST_BYTES = 2 * GiB;
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

/** The size of the file system when it is made. */
export function goldenBytes({ size }: GuestSpec): number {
  return Math.min(size.diskBytes, MOST_BYTES);
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

/** The record of what is there for this guest; undefined: it must be made. The content is not read. */
export async function findGoldenRoot(env: StepEnv, spec: GuestSpec): Promise<FoundRoot | undefined> {
  const tarball = spec.os.installMethod === 'golden' ? await goldenRecord(env, spec.os.dist) : undefined;
  if (spec.os.installMethod === 'golden' && tarball === undefined) return undefined;
  const path = pathOf(env.settings, spec.os.dist, await keyOf(env, spec, tarball?.sha256));
  const record = await readRecord(env, path);
  return record !== undefined && (await env.host.files.info(path))?.bytes === record.bytes ? { path, record } : undefined;
}

/** Key of its template: `bookworm-0123456789abcdef`. */
export function templateKeyIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, -SUFFIX.length);
}
