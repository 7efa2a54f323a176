/**
 * The proof of a backup, in a file beside its record: the record itself stays as it was written, wherever it was copied to. A proof is of one file, by its
 * checksum.
 */
import type { Proof, StoredBackup } from '../../../contract/backup.ts';
import { readSummed, recordText } from './record.ts';

/** What is kept of a proof. */
export interface ProofRecord extends Proof {
  /** Of this form. */
  readonly format: 1;
  readonly id: string;
  readonly guest: string;
  /** Of the backup's file. */
  readonly sha256: string;
}

export function proofName(id: string): string {
  return `${id}.proof.json`;
}

export function proofText({ id, guest, sha256 }: StoredBackup, proof: Proof): string {
  const record: ProofRecord = { format: 1, id, guest, sha256, ...proof };
  return recordText(record);
}

/** The backup with what its proof says. A proof of something else, or one that is not what was written, counts as none. */
export function withProof<T extends StoredBackup>(
  backup: T,
  text: string | undefined,
  isValid: (proof: ProofRecord) => boolean = () => true,
): T {
  const record = text === undefined ? undefined : (readSummed(text) as ProofRecord | undefined);
  if (record === undefined || record.id !== backup.id || record.guest !== backup.guest || record.sha256 !== backup.sha256) return backup;
  if (!isValid(record)) return backup;
  const { at, seconds, outcome, what } = record;
  return { ...backup, ...(outcome === 'silent' ? {} : { state: outcome }), proof: { at, seconds, outcome, what } };
}
