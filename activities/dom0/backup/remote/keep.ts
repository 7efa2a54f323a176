/** What a backup host does with what it has: it reads it again, and removes what its own retention does not keep. The dom0 has no part in it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { MiB } from '../../../../contract/sizes.ts';
import type { HandWork } from '../../work.ts';
import type { FoundBackup } from '../repositories/reading.ts';
import type { Here } from './place.ts';

/** A backup here, as retention is told of it. */
export type Kept = FoundBackup & { readonly arrivedAt: string };

/** Ids of those that go, of one order's backups. */
export type Retain = (backups: readonly Kept[]) => readonly string[];

/** A backup as retention here is told of it. What the dom0 says of proofs is shown, and decides nothing: else a false one could let a true one go. */
function asItCame({ proof: _said, ...backup }: Kept): Kept {
  return { ...backup, state: backup.recordState === 'taken' ? 'taken' : 'verified' };
}

/** What is wrong with a backup's file, in words; undefined when it is what came. */
export async function whyNotWhole(
  { signal, progress }: Pick<HandWork, 'signal' | 'progress'>,
  backup: FoundBackup,
): Promise<string | undefined> {
  const { guest, id, path, sha256 } = backup;
  const hash = createHash('sha256');
  progress(`${guest} ${id}: reading it back`);
  try {
    for await (const piece of createReadStream(path, { highWaterMark: MiB, signal })) hash.update(piece as Buffer);
  } catch (error) {
    if (signal.aborted) throw error;
    return `what is here of it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  return hash.digest('hex') === sha256 ? undefined : `${path} is not what came: another SHA-256. Move its files away, and pull again`;
}

/**
 * The backups of a guest that go: what retention does not keep of each order, and what a killed pull has begun to remove. One that did not come by a pull
 * stays. Undefined when this machine's clock is behind what has arrived: then nobody knows what is older.
 */
export function goingOf({ whole, arrivals }: Here, retain: Retain, now: Date): Kept[] | undefined {
  const kept = [...whole.values()].filter((backup): backup is Kept => backup.arrivedAt !== undefined);
  if (kept.some(({ arrivedAt }) => Date.parse(arrivedAt) > now.getTime())) return undefined;
  const going = kept.filter(({ id }) => arrivals.get(id)?.removedAt !== undefined);
  for (const order of new Set(kept.map((backup) => backup.order))) {
    const all = kept.filter((backup) => backup.order === order && !going.includes(backup));
    const ids = new Set(retain(all.map(asItCame)));
    if (ids.size > 0 && all.every(({ id }) => ids.has(id))) throw new Error(`retention would remove all backups of order ${order}`);
    going.push(...all.filter(({ id }) => ids.has(id)));
  }
  return going;
}
