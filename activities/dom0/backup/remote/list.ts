/** Which backups a dom0 says that it has. */
import type { Remote } from '../../tools/pull-ssh.ts';
import type { HandWork } from '../../work.ts';
import { ask, type Progress } from './ask.ts';
import { disbelief, LONGEST_LINE, MOST_BACKUPS, type Offer } from './protocol.ts';

/** By guest, and then by id. */
export type Offers = ReadonlyMap<string, ReadonlyMap<string, Offer>>;

/**
 * @param tell told of what the dom0 cannot offer, and why
 * @throws Unreachable; BackupUnusable when what it says is no whole list
 */
export async function offersOf(
  work: HandWork,
  remote: Remote,
  atLeast: Progress,
  tell: (of: string, reason: string) => void,
): Promise<Offers> {
  const offers = new Map<string, Map<string, Offer>>();
  let [count, isWhole] = [0, false];
  await ask(work, remote, { what: 'list' }, atLeast, {
    longest: LONGEST_LINE,
    line: (answer) => {
      if (isWhole) throw disbelief('it went on after its end');
      count += 1;
      if (count > MOST_BACKUPS) throw disbelief(`it lists more than ${MOST_BACKUPS} backups`);
      if (answer.is === 'end') isWhole = true;
      else if (answer.is === 'problem') tell(`on the dom0: ${answer.of}`, answer.reason);
      else if (answer.is === 'record') {
        const ofGuest = offers.get(answer.guest) ?? new Map<string, Offer>();
        if (ofGuest.has(answer.id)) throw disbelief(`it lists ${answer.id} of ${answer.guest} twice`);
        offers.set(answer.guest, ofGuest.set(answer.id, answer));
      } else throw disbelief(`it said "${answer.is}" where a list was asked for`);
      return false;
    },
    bytes: () => Promise.resolve(),
  });
  if (!isWhole) throw disbelief('its list ended before its end');
  return offers;
}
