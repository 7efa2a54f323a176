/** Nights whose worker is killed, and nights that nobody asked for. */
import { readNights } from '../../client/guests/nights.ts';
import type { Session } from '../../client/session.ts';
import { nightlyScheduleId } from '../../contract/names.ts';
import type { Case } from './case.ts';
import { withClock } from './clock.ts';
import { nightCase } from './night-case.ts';
import { askNight, endOf } from './night.ts';
import type { OperationPlay } from './operation-tape.ts';
import { isLook, nameOf, strike } from './step-faults.ts';
import type { WorkflowMatrix } from './workflow-faults.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The step of a night's backup is killed at a call of it, and run again in another worker. */
export function killedCases(matrix: WorkflowMatrix, play: OperationPlay): Case[] {
  const taken = play.rehearsals.find(({ entry }) => entry.activity === 'takeBackup')?.calls ?? [];
  return taken
    .filter((call) => !isLook(call))
    .map((call) =>
      nightCase(matrix, play, `killed/${nameOf(call)}/${play.row.name}`, async (guest) => {
        guest.lead((_call, work) => work());
        strike(guest.world, call, 'kill-middle');
        const night = await askNight(guest);
        await endOf(night);
        if (guest.world.dom0.faults.fired.length === 0) throw new Error('nothing was killed');
        return { nights: [{ night, expected: 'done' }] };
      }),
    );
}

/** Two nights pass without a word to the guest: whoever asks for its nights is told, and told why when the Schedule is paused. */
export function missedCase(matrix: WorkflowMatrix, play: OperationPlay, isPaused: boolean): Case {
  return nightCase(matrix, play, `missed/${isPaused ? 'its Schedule is paused' : 'nobody was there'}`, async (guest) => {
    guest.lead((_call, work) => work());
    const { client } = guest.server;
    if (isPaused) await client.schedule.getHandle(nightlyScheduleId(guest.name)).pause('for the test');
    const night = await askNight(guest);
    await endOf(night);
    const session = { client, call: (_subject: string, work: () => Promise<unknown>) => work() } as unknown as Session;
    const nights = await withClock({ aheadMs: 2 * DAY_MS + HOUR_MS }, () => readNights(session, guest.name));
    const missed = nights.filter(({ state }) => state === 'missed');
    if (missed.length < 2) throw new Error(`two nights were missed, and shown are ${JSON.stringify(nights)}`);
    if (missed.some(({ reason = '' }) => !(isPaused ? /is paused$/ : /^the guest was not asked/).test(reason)))
      throw new Error(`the missed nights do not say why: ${JSON.stringify(missed)}`);
    return { nights: [{ night, expected: 'done' }] };
  });
}
