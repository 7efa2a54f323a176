/** How an operation through the real workflows has ended: on the dom0, in the ledger, in its schedule and in the guest's status. */
import { nightlyScheduleId } from '../../contract/names.ts';
import type { GuestStatus } from '../../contract/types.ts';
import type { Answer, GuestAtRest } from './at-rest.ts';
import type { Verdict } from './case.ts';
import type { Complaints } from './invariants.ts';
import { asItWas, asWanted, listComplaints, undoListComplaints, type Wanted } from './operation-invariants.ts';
import { failureOf } from './server.ts';
import { beforeOf, type Matrix } from './step-faults.ts';
import { GUEST, inTheNameOf } from './tape.ts';

/** Promise and schedule are those of a guest in this phase, and of its size. */
async function bookComplaints({ server, name, world }: GuestAtRest, { phase, spec }: GuestStatus): Promise<Complaints> {
  const [promise, isScheduled] = await Promise.all([server.promisedTo(world.settings.host, name), server.hasSchedule(name)]);
  const isGone = phase === 'gone';
  const shouldBeScheduled = !isGone && phase !== 'terminating';
  const size = spec === undefined || isGone ? undefined : [spec.memoryBytes, spec.vcpus, spec.diskBytes + spec.swapBytes];
  const promised = promise === undefined ? undefined : [promise.memoryBytes, promise.vcpus, promise.diskBytes];
  return [
    ...(JSON.stringify(size) === JSON.stringify(promised) ? [] : [`promised is ${String(promised)}, and it takes ${String(size)}`]),
    ...(isScheduled === shouldBeScheduled ? [] : [`it is ${phase}, and its schedule is ${isScheduled ? 'there' : 'missing'}`]),
  ];
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

/** @param of the operation as it should be, in the names of the guest of the tape. */
export async function verdictOf(matrix: Matrix, guest: GuestAtRest, of: Wanted, answer: Answer): Promise<Verdict> {
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
  const schedules = (await guest.server.hasSchedule(guest.name)) ? [`schedule ${nightlyScheduleId(guest.name)}`] : [];
  const list =
    of.row.isRemoval === true
      ? listComplaints(wanted, beforeOf(matrix), now, status.leftovers, schedules)
      : undoListComplaints(status.leftovers);
  return { end: 'needs cleanup, then as ordered', complaints: [...list, ...(await again(guest, wanted))] };
}
