/** How an operation through the real workflows has ended: on the dom0, in the ledger, in its schedule and in the guest's status. */
import { nightlyScheduleId } from '../../contract/names.ts';
import { withKept } from '../../workflows/guest/rules.ts';
import { bytesBeside } from '../../workflows/guest/state.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import type { Answer, GuestAtRest } from './at-rest.ts';
import { booksOf, reservationComplaints, type Books } from './books.ts';
import type { Verdict } from './case.ts';
import type { Complaints } from './invariants.ts';
import { inexact, notOfThese } from './lists.ts';
import { asItWas, asWanted, leftOf, type Wanted } from './operation-invariants.ts';
import { failureOf } from './server.ts';
import { beforeOf, type Matrix } from './step-faults.ts';
import { GUEST, inTheNameOf, type Entry } from './tape.ts';

/** Promise, address and schedule are those of a guest in this phase, and of its size. */
export async function bookComplaints(guest: GuestAtRest, { phase, spec, ...beside }: GuestStatus): Promise<Complaints> {
  const books = await booksOf(guest.server, guest.world.settings.host, guest.name);
  const isGone = phase === 'gone';
  const shouldBeScheduled = !isGone && phase !== 'terminating';
  return [
    ...reservationComplaints(books, isGone ? undefined : spec && withKept(spec, bytesBeside(beside))),
    ...leaseComplaints(books, isGone ? undefined : guest.lease),
    ...(books.isScheduled === shouldBeScheduled ? [] : [`it is ${phase}, and its schedule is ${books.isScheduled ? 'there' : 'missing'}`]),
  ];
}

/** No operation gives a guest another address. */
function leaseComplaints({ lease }: Books, wanted: Books['lease']): Complaints {
  const [is, was] = [JSON.stringify(lease), JSON.stringify(wanted)];
  return is === was ? [] : [`its lease is ${is}, and should be ${was}`];
}

function phaseComplaints({ phase, leftovers }: GuestStatus, expected: string): Complaints {
  return [
    ...(phase === expected ? [] : [`its phase is ${phase}, not ${expected}`]),
    ...(leftovers.length === 0 ? [] : [`its status lists ${leftovers.join(', ')}`]),
  ];
}

/** Asked for again when nothing is wrong any more: it must be done. */
async function again(guest: GuestAtRest, wanted: Wanted): Promise<Complaints> {
  guest.world.dom0.faults.restart();
  const { row } = wanted;
  const kind = (await guest.status()).phase === 'needs-cleanup' ? 'cleanup' : row.kind;
  const answer = await guest.operate({ kind, id: 'again', ...row.details });
  if (!answer.isOk) return [`asked for again, it failed: ${failureOf(answer.error).message}`];
  const status = await guest.status();
  return [...asWanted(wanted, guest.world.snapshot()), ...phaseComplaints(status, row.end), ...(await bookComplaints(guest, status))];
}

/** The steps of a removal, by what they call: what cannot be removed is named by them when nothing of it is on the dom0. */
const REMOVAL_STEPS: Readonly<Record<string, string>> = {
  unscheduleNightly: 'schedule',
  destroyGuest: 'domain',
  removeVolumes: 'volumes',
  removeImage: 'image',
  discardHalfGolden: 'golden',
  removeCfg: 'cfg',
  removeBackups: 'backups',
  removeGuestState: 'state',
  release: 'lease',
  changeReservation: 'give-back',
};

export function removalStep({ activity, input }: Entry): string {
  if (activity === 'dropDisk') return (input as { readonly role: string }).role;
  return REMOVAL_STEPS[activity] ?? `a name for ${activity} in operation-verdict.ts`;
}

/**
 * @param of the operation as it should be, in the names of the guest of the tape.
 * @param stuck the steps that cannot be undone, or removed.
 */
export async function verdictOf(
  matrix: Matrix,
  guest: GuestAtRest,
  of: Wanted,
  answer: Answer,
  stuck: readonly string[],
): Promise<Verdict> {
  const wanted: Wanted = {
    ...of,
    guest: guest.name,
    before: guest.before,
    after: inTheNameOf(of.after, guest.name, GUEST),
  };
  const status = await guest.status();
  const now = guest.world.snapshot();
  if (answer.isOk)
    return {
      end: 'as ordered',
      complaints: [...asWanted(wanted, now), ...phaseComplaints(status, of.row.end), ...(await bookComplaints(guest, status))],
    };
  const { type, message } = failureOf(answer.error);
  if (type !== 'NeedsCleanup') {
    const undone = of.row.isRemoval === true ? [`a removal ended with ${type}: ${message}`] : asItWas(wanted, now);
    return {
      end: 'as before',
      complaints: [...undone, ...phaseComplaints(status, guest.state.phase), ...(await bookComplaints(guest, status))],
    };
  }
  const books = await booksOf(guest.server, guest.world.settings.host, guest.name);
  const schedules = books.isScheduled ? [`schedule ${nightlyScheduleId(guest.name)}`] : [];
  const left = [...leftOf(wanted, beforeOf(matrix), now), ...schedules];
  // That a guest that lives on has volumes is no news: its list is of what could not be undone.
  const list =
    of.row.isRemoval !== true
      ? notOfThese(status.leftovers, stuck, 'undo of ')
      : of.row.end === 'gone' && of.row.phase !== 'lost' && left.length > 0
        ? inexact(status.leftovers, left)
        : notOfThese(status.leftovers, stuck, '');
  return {
    end: 'needs cleanup, then as ordered',
    complaints: [...list, ...leaseComplaints(books, guest.lease), ...(await again(guest, wanted))],
  };
}
