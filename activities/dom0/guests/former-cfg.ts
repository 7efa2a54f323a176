/** Keeps a guest's cfg as it was before a change, so that an undo can put back exactly that file. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { GuestSpec } from '../../../contract/guest.ts';
import { guestPaths } from '../guest-paths.ts';
import type { Work } from '../work.ts';

const recordSchema = z.object({ change: z.string(), writtenSha256: z.string(), formerBase64: z.base64() });

/** Which change of the guest: from one spec to another. The record of another change is not used. */
export interface CfgChangeOf {
  readonly from: GuestSpec;
  readonly to: GuestSpec;
}

/** What was kept of a change. */
export interface FormerCfg {
  /** The file as it was. */
  readonly bytes: Buffer;
  /** SHA-256 of the file that the change wrote. */
  readonly writtenSha256: string;
}

export function sha256Of(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function nameOf({ from, to }: CfgChangeOf): string {
  return sha256Of(JSON.stringify([from, to]));
}

/** Keeps a cfg as it is before a change, in place of the one that was kept for an earlier change. */
export async function keepFormerCfg(work: Work, change: CfgChangeOf, { bytes, writtenSha256 }: FormerCfg): Promise<void> {
  const record: z.infer<typeof recordSchema> = { change: nameOf(change), writtenSha256, formerBase64: bytes.toString('base64') };
  await work.host.files.writeAtomic(guestPaths(work.settings, change.from.name).formerCfg, JSON.stringify(record));
}

/** What was kept for this change; undefined if the change was not written yet. */
export async function formerCfg(work: Work, change: CfgChangeOf): Promise<FormerCfg | undefined> {
  const text = await work.host.files.read(guestPaths(work.settings, change.from.name).formerCfg);
  if (text === undefined) return undefined;
  const record = recordSchema.parse(JSON.parse(text.toString('utf8')));
  if (record.change !== nameOf(change)) return undefined;
  return { bytes: Buffer.from(record.formerBase64, 'base64'), writtenSha256: record.writtenSha256 };
}
