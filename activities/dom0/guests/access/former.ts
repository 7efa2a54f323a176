/**
 * What a change of root's access has replaced, as long as the change may be undone: in the guest's directory of keys and records on dom0, for root only,
 * and nowhere else. It is wiped when the change is over.
 */
import { z } from 'zod';
import type { OfflineContent } from '../../tools/offline-file.ts';
import { ensureGuestState, guestPaths } from '../../guest-paths.ts';
import type { Ref } from '../../marks.ts';
import { partsOf } from '../../staging.ts';
import type { Work } from '../../work.ts';

const fileSchema = z.object({
  base64: z.base64(),
  mode: z.number().int().min(0).max(0o7777),
  uid: z.number().int().min(0),
  gid: z.number().int().min(0),
});
const recordSchema = z.object({ change: z.string(), file: fileSchema.nullable() });

/** The file as it was; undefined: there was none. */
export interface Former {
  readonly file: OfflineContent | undefined;
}

/** Keeps what a change is about to replace, in place of what was kept for an earlier one. */
export async function keepFormer(work: Work, ref: Ref, change: string, { file }: Former): Promise<void> {
  const { formerAccess } = await ensureGuestState(work, ref);
  const kept = file === undefined ? null : { base64: file.bytes.toString('base64'), mode: file.mode, uid: file.uid, gid: file.gid };
  const record: z.infer<typeof recordSchema> = { change, file: kept };
  await work.host.files.writeAtomic(formerAccess, JSON.stringify(record));
}

/** What was kept for this change; undefined: it has changed nothing yet, or is over. */
export async function formerOf({ host, settings }: Work, { name }: Pick<Ref, 'name'>, change: string): Promise<Former | undefined> {
  const text = await host.files.read(guestPaths(settings, name).formerAccess);
  if (text === undefined) return undefined;
  const record = readable(text.toString('utf8'));
  if (record?.change !== change) return undefined;
  const { file } = record;
  if (file === null) return { file: undefined };
  const { base64, ...attributes } = file;
  return { file: { bytes: Buffer.from(base64, 'base64'), ...attributes } };
}

/** It is written whole: what cannot be read is one whose wiping has begun. */
function readable(text: string): z.infer<typeof recordSchema> | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Wipes what was kept, and what a killed attempt has left half written. */
export async function forgetFormer({ host, settings }: Work, { name }: Pick<Ref, 'name'>): Promise<void> {
  const { formerAccess, accessWork } = guestPaths(settings, name);
  for (const part of [formerAccess, ...(await partsOf(host.files, formerAccess))]) await host.files.wipe(part);
  await host.files.removeTree(accessWork);
}
