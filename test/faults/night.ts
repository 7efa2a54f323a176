/** A night of a guest, as its Schedule starts it: whether it is done or says why not, and what it leaves on the dom0. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { nightsOf } from '../../client/guests/nights.ts';
import { CONTROL_QUEUE, operationWorkflowId, WORKFLOWS } from '../../contract/names.ts';
import type { NightRecord, NightState } from '../../contract/nights.ts';
import type { GuestPhase, GuestStatus } from '../../contract/guest.ts';
import type { OperationKind } from '../../contract/operations.ts';
import type { Answer, GuestAtRest } from './at-rest.ts';
import type { Verdict } from './case.ts';
import type { Complaints } from './invariants.ts';
import { asWanted, withItsDirectory, type Wanted } from './operation-invariants.ts';
import { bookComplaints } from './operation-verdict.ts';
import { failureOf } from './server.ts';
import { GUEST, inTheNameOf } from './tape.ts';

export interface AskedNight {
  readonly handle: WorkflowHandle;
  readonly due: string;
}

/** Starts what the Schedule of the guest starts. */
export async function askNight({ server, name, ref }: GuestAtRest, run = 'run'): Promise<AskedNight> {
  const handle = await server.client.workflow.start(WORKFLOWS.nightlyBackup, {
    workflowId: operationWorkflowId(name, 'nightly', run),
    taskQueue: CONTROL_QUEUE,
    args: [ref],
  });
  return { handle, due: (await handle.describe()).startTime.toISOString() };
}

/** Waits until the guest knows of the night. */
export async function heard(guest: GuestAtRest, { due }: AskedNight): Promise<void> {
  for (let look = 0; look < 200; look += 1) {
    if ((await guest.status()).nights?.some((night) => night.due === due) === true) return;
    await sleep(100);
  }
  throw new Error(`${guest.name} has not heard of the night of ${due}`);
}

/** A night, and how it should end. `NotFound`: there is no guest. `Cancelled`, `terminated`: its workflow was; the guest has the backup. */
export interface ExpectedNight {
  readonly night: AskedNight;
  readonly expected: NightState | 'NotFound' | 'Cancelled' | 'terminated';
}

/** How its workflow ended: with the record of the night, or with a failure. */
type NightEnd = { readonly record: NightRecord } | { readonly type: string; readonly message: string };

/** Waits for it. */
export async function endOf({ handle }: AskedNight): Promise<NightEnd> {
  for (;;) {
    try {
      return { record: (await handle.result()) as NightRecord };
    } catch (error) {
      if (error instanceof WorkflowFailedError) return failureOf(error);
      // The server is being restarted.
      await sleep(500);
    }
  }
}

/** Whoever looks at the guest's nights sees how this one ended, and sees the same as who looks at its workflow. */
function traceComplaints({ nights = [] }: GuestStatus, { due }: AskedNight, end: NightEnd, state: NightState): Complaints {
  const shown = nightsOf(nights, undefined, Date.now()).find((night) => night.due === due);
  if (shown === undefined) return [`its guest knows nothing of the night of ${due}: ${JSON.stringify(end)}`];
  const said = 'record' in end ? end.record : end;
  const isSame =
    'record' in end
      ? end.record.state === shown.state && end.record.reason === shown.reason
      : end.type === shown.error && end.message.startsWith(shown.reason ?? '');
  return [
    ...(shown.state === state ? [] : [`the night is ${shown.state} (${shown.reason ?? ''}), not ${state}`]),
    ...(shown.endedAt === undefined ? ['the night has not ended'] : []),
    ...(shown.state === 'done' ? (shown.backup === undefined ? ['nothing says which backup it is'] : []) : whyComplaints(shown.reason)),
    ...(isSame ? [] : [`its workflow says ${JSON.stringify(said)}, and the guest ${JSON.stringify(shown)}`]),
  ];
}

function whyComplaints(reason: string | undefined): Complaints {
  return reason === undefined || reason === '' ? ['the night does not say why not'] : [];
}

/** One whose workflow is of no use any more: the guest has gone, or somebody has ended the workflow. */
function lostComplaints({ nights = [] }: GuestStatus, { due }: AskedNight, end: NightEnd, expected: string): Complaints {
  const known = nights.find((night) => night.due === due);
  const isKnown = expected === 'NotFound' ? known === undefined : known?.state === 'done';
  const isEnded = 'type' in end && (expected === 'terminated' || end.type === expected);
  return [
    ...(isEnded ? [] : [`its workflow should end with ${expected}, and says ${JSON.stringify(end)}`]),
    ...(isKnown ? [] : [`the guest remembers ${JSON.stringify(known)}`]),
  ];
}

/** What the guest takes when all is over. */
const AFTERWARDS: Readonly<Partial<Record<GuestPhase, OperationKind>>> = {
  running: 'backup',
  stopped: 'backup',
  suspended: 'backup',
  terminating: 'undelete',
  'needs-cleanup': 'cleanup',
};

async function afterwards(guest: GuestAtRest, phase: GuestPhase): Promise<Complaints> {
  const kind = AFTERWARDS[phase];
  if (kind === undefined) return [];
  guest.world.dom0.faults.restart();
  guest.lead((_call, work) => work());
  const answer = await guest.operate({ kind, id: 'afterwards' });
  return answer.isOk ? [] : [`${kind} afterwards failed: ${failureOf(answer.error).message}`];
}

/** The guest, once nothing of it runs: a night whose workflow was ended early may go on. */
async function atRest(guest: GuestAtRest): Promise<GuestStatus> {
  for (;;) {
    const status = await guest.status();
    const isWaiting = status.nights?.some(({ state }) => state === 'waiting') === true;
    if (status.operation === undefined && status.queued.length === 0 && !isWaiting) return status;
    await sleep(100);
  }
}

/** What has happened to a guest in a case. */
export interface NightStory {
  readonly nights: readonly ExpectedNight[];
  /** Of the operation of the row that ran beside them; undefined: none did. */
  readonly operation?: Answer | undefined;
}

/** Checks the nights, the dom0, the books and the guest, and that it goes on. `wanted`: by the row of the operation beside them. */
export async function nightVerdict(guest: GuestAtRest, { nights, operation }: NightStory, wanted: Wanted): Promise<Verdict> {
  const ends: NightEnd[] = [];
  for (const { night } of nights) ends.push(await endOf(night));
  const status = await atRest(guest);
  const { phase } = status;
  const isDone = operation?.isOk === true;
  const isMore =
    nights.some(({ expected }) => ['done', 'Cancelled', 'terminated'].includes(expected)) || (isDone && wanted.row.kind === 'backup');
  const now = guest.world.snapshot();
  const whenDone = inTheNameOf(wanted.after, guest.name, GUEST);
  const after = isDone ? whenDone : withItsDirectory({ ...wanted, guest: guest.name, after: whenDone }, guest.before, now);
  const row = { ...wanted.row, kind: isMore ? 'backup' : 'stop', end: phase } as const;
  const shouldBe = isDone ? wanted.row.end : guest.state.phase;
  const complaints = [
    ...nights.flatMap(({ night, expected }, index) => {
      const end = ends[index] ?? { type: 'none', message: '' };
      return ['NotFound', 'Cancelled', 'terminated'].includes(expected)
        ? lostComplaints(status, night, end, expected)
        : traceComplaints(status, night, end, expected as NightState);
    }),
    ...(phase === shouldBe ? [] : [`its phase is ${phase}, not ${shouldBe}`]),
    ...asWanted({ ...wanted, row, guest: guest.name, before: guest.before, after }, now),
    ...(await bookComplaints(guest, status)),
    ...(await afterwards(guest, phase)),
  ];
  return { end: nights.some(({ expected }) => expected === 'done') ? 'as ordered' : 'refused', complaints };
}
