/**
 * What a dom0 says of backups that are here: how their proofs went, and which it protects. It may lie: so a proof decides nothing here, and neither can take
 * anything back. A protection keeps a backup from retention, but only so many of a guest, within the room of the dom0.
 */
import { MOST_PROTECTED, type Proof } from '../../../../contract/backup.ts';
import type { FoundBackup } from '../repositories/reading.ts';
import type { Place } from './place.ts';
import type { Offer } from './protocol.ts';

/** A proof that came stays, but for one that says nothing of the backup itself. */
function isNews(here: Proof | undefined, said: Proof | undefined): said is Proof {
  if (said === undefined) return false;
  return here === undefined || (here.outcome === 'silent' && said.outcome !== 'silent');
}

/**
 * Keeps what is new of it, of the backups that are the very ones that the dom0 has.
 *
 * @param tell told of what is not kept, and why
 */
export async function takeNotes(
  place: Place,
  offers: ReadonlyMap<string, Offer>,
  tell: (backup: FoundBackup, reason: string) => void,
): Promise<void> {
  const { whole } = await place.look();
  let count = [...whole.values()].filter(({ isProtected }) => isProtected === true).length;
  for (const backup of whole.values()) {
    const offer = offers.get(backup.id);
    if (offer === undefined || offer.recordSha256 !== backup.recordSha256) continue;
    if (isNews(backup.proof, offer.proof)) await place.prove(backup, offer.proof);
    if (offer.isProtected !== true || backup.isProtected === true) continue;
    if (count >= MOST_PROTECTED) tell(backup, `the dom0 protects it, and ${count} of its guest are protected here already: it is not`);
    else {
      await place.protect(backup);
      count += 1;
    }
  }
}
