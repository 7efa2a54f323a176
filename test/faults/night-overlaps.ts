/** What happens to a night while its backup is taken, and while it waits: the next night, a cancel, an end of its workflow, a crowd. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import type { GuestAtRest } from './at-rest.ts';
import type { Case } from './case.ts';
import { failForGood, isBackup, nightCase, nightComes, nth } from './night-case.ts';
import { askNight, endOf, type AskedNight, type ExpectedNight } from './night.ts';
import type { OperationPlay } from './operation-tape.ts';
import { hearsOfCancel } from './scenario.ts';
import type { WorkflowMatrix } from './workflow-faults.ts';

/** What happens while a night's backup is being taken. */
const DURING: Readonly<Record<string, (guest: GuestAtRest, night: AskedNight) => Promise<ExpectedNight[]>>> = {
  async 'its workflow is cancelled'(_guest, night) {
    await night.handle.cancel();
    return [{ night, expected: 'Cancelled' }];
  },
  async 'its workflow is terminated'(_guest, night) {
    await night.handle.terminate('for the test');
    return [{ night, expected: 'terminated' }];
  },
  async 'the guest is cancelled'({ server, name }, night) {
    await server.cancel(name);
    await hearsOfCancel();
    return [{ night, expected: 'failed' }];
  },
  async 'the guest is cancelled in the UI'({ server, name }, night) {
    await server.handle(name).cancel();
    await hearsOfCancel();
    return [{ night, expected: 'failed' }];
  },
  async 'the next night comes'(guest, night) {
    return [
      { night, expected: 'done' },
      { night: await nightComes(guest, 'next'), expected: 'overlapped' },
    ];
  },
  async 'its answer is lost'(_guest, night) {
    return Promise.resolve([{ night, expected: 'done' as const }]);
  },
  async 'it fails for good'(_guest, night) {
    return Promise.resolve([{ night, expected: 'failed' as const }]);
  },
};

function duringCase(matrix: WorkflowMatrix, play: OperationPlay, what: string): Case {
  return nightCase(matrix, play, `while its backup is taken/${what}`, async (guest) => {
    let happening: Promise<ExpectedNight[]> | undefined;
    guest.lead(async (call, work) => {
      if (!isBackup(call) || happening !== undefined) return work();
      happening = DURING[what]?.(guest, await asked);
      await happening;
      if (what === 'it fails for good') failForGood();
      const result = await work();
      if (what === 'its answer is lost') throw ApplicationFailure.create({ type: 'ToolFailed', message: 'lost, for the test' });
      return result;
    });
    const asked = askNight(guest);
    await endOf(await asked);
    if (happening === undefined) throw new Error('its backup was never taken');
    return { nights: await happening };
  });
}

/** What happens while a night waits for the operation of the row. */
const WAITING: Readonly<Record<string, (guest: GuestAtRest, night: AskedNight) => Promise<ExpectedNight[]>>> = {
  ...Object.fromEntries(
    ['its workflow is cancelled', 'its workflow is terminated', 'the next night comes'].map((what) => [what, DURING[what] ?? failForGood]),
  ),
  async 'the guest is cancelled'({ server, name }, night) {
    await server.cancel(name);
    await hearsOfCancel();
    return [{ night, expected: 'done' }];
  },
};

function waitingCase(matrix: WorkflowMatrix, play: OperationPlay, what: string): Case {
  return nightCase(matrix, play, `while it waits for ${play.row.name}/${what}`, async (guest) => {
    const isAt = nth(0);
    let happening: Promise<ExpectedNight[]> | undefined;
    guest.lead(async (call, work) => {
      if (isAt(call)) await (happening ??= nightComes(guest).then(async (night) => WAITING[what]?.(guest, night) ?? []));
      return work();
    });
    const operation = await guest.operate({ kind: play.row.kind, id: 'first', ...play.row.details });
    return { nights: (await happening) ?? [], operation };
  });
}

/** A guest has as many operations waiting as it takes. */
function crowdedCase(matrix: WorkflowMatrix, play: OperationPlay): Case {
  return nightCase(matrix, play, 'more waits than the guest takes', async (guest) => {
    const isAt = nth(0);
    let coming: Promise<AskedNight> | undefined;
    const waiting = ['1', '2', '3', '4'];
    const isFull = async (): Promise<void> => {
      while ((await guest.status()).queued.length < waiting.length) await sleep(50);
    };
    guest.lead(async (call, work) => {
      if (isAt(call)) await (coming ??= isFull().then(() => nightComes(guest)));
      return work();
    });
    const first = guest.operate({ kind: 'backup', id: '0' });
    const others = waiting.map(async (id) => guest.operate({ kind: 'backup', id }));
    const operation = await first;
    await Promise.all(others);
    const night = await coming;
    if (night === undefined) throw new Error('the night never came');
    return { nights: [{ night, expected: 'skipped' }], operation };
  });
}

/** Beside its own backup, and beside the operation that it waits for. */
export function overlapCases(matrix: WorkflowMatrix, backup: OperationPlay, stop: OperationPlay): Case[] {
  return [
    ...Object.keys(DURING).map((what) => duringCase(matrix, backup, what)),
    ...Object.keys(WAITING).map((what) => waitingCase(matrix, stop, what)),
    crowdedCase(matrix, backup),
  ];
}
