/**
 * What a change of the access to a guest has replaced, as long as the change may be undone: in the guest's directory of keys and records on dom0, for root only,
 * and nowhere else. It is wiped when the change is over.
 */
import { z } from 'zod';
import { ensureGuestState, guestPaths } from '../../guest-paths.ts';
import type { Ref } from '../../marks.ts';
import { partsOf } from '../../staging.ts';
import type { FileAttributes, PathState } from '../../tools/system-files.ts';
import type { Work } from '../../work.ts';

const attributes = z.object({ mode: z.number().int().min(0).max(0o7777), uid: z.number().int().min(0), gid: z.number().int().min(0) });
const recordSchema = z.object({
  change: z.string(),
  paths: z.array(
    z.discriminatedUnion('is', [
      z.object({ path: z.string(), is: z.literal('file'), has: attributes.extend({ base64: z.base64() }).nullable() }),
      z.object({ path: z.string(), is: z.literal('directory'), has: attributes.nullable() }),
    ]),
  ),
});
type Kept = z.infer<typeof recordSchema>['paths'][number];

function attributesOf({ mode, uid, gid }: FileAttributes): FileAttributes {
  return { mode, uid, gid };
}

function kept(state: PathState): Kept {
  const { path } = state;
  if (state.is === 'directory') return { path, is: state.is, has: state.has === undefined ? null : attributesOf(state.has) };
  const { has } = state;
  return { path, is: state.is, has: has === undefined ? null : { ...attributesOf(has), base64: has.bytes.toString('base64') } };
}

function restored(entry: Kept): PathState {
  const { path } = entry;
  if (entry.is === 'directory') return { path, is: entry.is, has: entry.has ?? undefined };
  const { has } = entry;
  return { path, is: entry.is, has: has === null ? undefined : { ...attributesOf(has), bytes: Buffer.from(has.base64, 'base64') } };
}

/** Keeps what a change is about to replace, in place of what was kept for an earlier one. */
export async function keepFormer(work: Work, ref: Ref, change: string, former: readonly PathState[]): Promise<void> {
  const { formerAccess } = await ensureGuestState(work, ref);
  const record: z.infer<typeof recordSchema> = { change, paths: former.map(kept) };
  await work.host.files.writeAtomic(formerAccess, JSON.stringify(record));
}

/** What was kept for this change, in the order in which it is replaced; undefined: it has changed nothing yet, or is over. */
export async function formerOf(
  { host, settings }: Work,
  { name }: Pick<Ref, 'name'>,
  change: string,
): Promise<readonly PathState[] | undefined> {
  const text = await host.files.read(guestPaths(settings, name).formerAccess);
  if (text === undefined) return undefined;
  const record = readable(text.toString('utf8'));
  return record?.change === change ? record.paths.map(restored) : undefined;
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
