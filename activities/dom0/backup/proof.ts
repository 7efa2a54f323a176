/**
 * The proof of a backup, in a file beside its record: the record itself stays as it was written, wherever it was copied to. A proof is of one file, by its
 * checksum.
 */
import { z } from 'zod';
import type { Proof, StoredBackup } from '../../../contract/backup.ts';
import { readSummed, recordText } from './record.ts';

/** What came of a proof, as it crosses to the dom0 and as it is read back: a repository may come from anywhere. */
export const proofSchema = z.object({
  at: z.iso.datetime(),
  seconds: z.number().min(0),
  outcome: z.enum(['proven', 'unusable', 'silent']),
  what: z.string().max(10_000),
}) satisfies z.ZodType<Proof>;

/** What is kept of a proof: of which backup it is, with the checksum of that backup's file, beside what came of it. */
const recordSchema = proofSchema.extend({ format: z.literal(1), id: z.string(), guest: z.string(), sha256: z.string() });

export function proofName(id: string): string {
  return `${id}.proof.json`;
}

export function proofText({ id, guest, sha256 }: StoredBackup, proof: Proof): string {
  const record: z.output<typeof recordSchema> = { format: 1, id, guest, sha256, ...proof };
  return recordText(record);
}

/** The backup with what its proof says. A proof of something else, or one that is not what was written, counts as none. */
export function withProof<T extends StoredBackup>(backup: T, text: string | undefined): T {
  const { success, data } = recordSchema.safeParse(text === undefined ? undefined : readSummed(text));
  if (!success || data.id !== backup.id || data.guest !== backup.guest || data.sha256 !== backup.sha256) return backup;
  const { at, seconds, outcome, what } = data;
  return { ...backup, ...(outcome === 'silent' ? {} : { state: outcome }), proof: { at, seconds, outcome, what } };
}
