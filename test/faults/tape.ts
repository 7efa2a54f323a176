/**
 * What an order calls on its dom0, recorded from the real workflow: every activity with its input, and what is undone when that one
 * fails for good. A step that is added to the workflow is on the tape the day it is written.
 */
import { ApplicationFailure } from '@temporalio/common';
import type { GuestOrder } from '../../contract/guest.ts';
import { guestWorkflowId, operationWorkflowId } from '../../contract/names.ts';
import { FIRST_BACKUP } from '../../workflows/guest/first-backup.ts';
import { booksOf, emptyComplaints } from './books.ts';
import { asBefore, type Complaints } from './invariants.ts';
import { stepsOfUndos } from './lists.ts';
import { failureOf, type Call, type Server } from './server.ts';
import { orderOf, refOf, World } from './world.ts';

export interface Entry {
  readonly activity: string;
  readonly input: unknown;
  readonly isControl: boolean;
}

export interface Tape {
  /** Of provisioning, in order. */
  readonly forward: readonly Entry[];
  /** The first backup, which the guest takes when its order is done. */
  readonly firstBackup: Entry;
  /** `undo[i]`: what is undone when `forward[i]` fails for good. */
  readonly undo: readonly (readonly Entry[])[];
  /** `undoSteps[i]`: the steps that those belong to. */
  readonly undoSteps: readonly (readonly string[])[];
  /** `complaints[i]`: what was wrong when the order had been undone after that. */
  readonly complaints: readonly Complaints[];
  /** What cleans up after an undo that could not finish. */
  readonly cleanup: readonly Entry[];
}

/** What undoes a backup that did not come to its end. */
export function undoOfBackup({ cleanup }: Tape): Entry {
  const removal = cleanup.find(({ activity }) => activity === 'removeBackups');
  if (removal === undefined) throw new Error('the cleanup of the tape removes no backups');
  return { ...removal, activity: 'undoBackup' };
}

/** The guest that is on the tape. */
export const GUEST = 'guest1';

/** A call by its place among those of its activity: `fixCfg#2`. */
export interface PlaceOnTape {
  readonly key: string;
  readonly entry: Entry;
}

export function placesIn(entries: readonly Entry[]): PlaceOnTape[] {
  const counts = new Map<string, number>();
  return entries.map((entry) => {
    const count = (counts.get(entry.activity) ?? 0) + 1;
    counts.set(entry.activity, count);
    return { key: `${entry.activity}#${String(count)}`, entry };
  });
}

function entryOf({ activity, input, isControl }: Call): Entry {
  return { activity, input, isControl };
}

/** Names and addresses of one guest in the place of another's: recordings are made of several guests at once. */
function renamed<T>(value: T, from: { name: string; ip: string }, ip: string): T {
  // JSON knows no undefined: an activity may return none.
  const written = JSON.stringify(value) as string | undefined;
  const text = written
    ?.replaceAll(`"${from.name}"`, `"${GUEST}"`)
    .replaceAll(`"order-${from.name}"`, `"order-${GUEST}"`)
    .replaceAll(`"${from.ip}"`, `"${ip}"`);
  return text === undefined ? value : (JSON.parse(text) as T);
}

/** Activities, a state or a dom0 of one guest as another's. */
export function inTheNameOf<T>(value: T, name: string, from = GUEST): T {
  return JSON.parse(JSON.stringify(value).replaceAll(from, name)) as T;
}

export const TAPE_IP = '10.20.0.77';

/** What is recorded: the order itself; its undo when one activity fails for good; cleaning up when all undos fail. */
type Take = { readonly failing: number } | 'the order' | { readonly cleanupAfter: number };

function never(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'ToolFailed', nonRetryable: true, message });
}

interface Recording {
  readonly forward: Entry[];
  readonly after: Entry[];
  /** What the guest did by itself when its order was done. */
  readonly then: Entry[];
  /** What is left that was not there before. */
  readonly complaints: Complaints;
  /** The step that failed, by what the order's failure says. */
  readonly step: string;
}

/** Whose tape it is: on which dom0, and by which recipe. */
interface Taped {
  readonly server: Server;
  readonly host: string;
  readonly recipe: GuestOrder['os']['recipe'];
}

async function record({ server, host, recipe }: Taped, number: number, take: Take): Promise<Recording> {
  const name = `${recipe === 'direct' ? 'direct' : 'tape'}${String(number)}`;
  const ip = `10.20.${recipe === 'direct' ? '2' : '1'}.${String(number + 10)}`;
  const failing = take === 'the order' ? undefined : 'failing' in take ? take.failing : take.cleanupAfter;
  const world = await World.create(host);
  const before = world.snapshot();
  const forward: Entry[] = [];
  const after: Entry[] = [];
  const then: Entry[] = [];
  let part: 'forward' | 'lost' | 'after' = 'forward';
  const seen = new Set<string>();
  server.lead(name, async (call, work) => {
    const isRetry = seen.has(call.activityId);
    seen.add(call.activityId);
    const act = (): Promise<unknown> => (call.isControl ? work() : world.attempt(call.activity, call.input));
    // On a machine that is busy a call may be lost, and is made again.
    if (isRetry) return act();
    if (call.workflowId === operationWorkflowId(name, 'backup', FIRST_BACKUP.id)) {
      then.push(entryOf(call));
      return act();
    }
    if (part === 'lost') throw never('no undo works here');
    (part === 'forward' ? forward : after).push(entryOf(call));
    if (part === 'forward' && forward.length - 1 === failing) {
      part = take !== 'the order' && 'cleanupAfter' in take ? 'lost' : 'after';
      throw never('the tape ends here');
    }
    return act();
  });
  await server.place(orderOf(name, host, { network: { ip }, os: { recipe } }));
  if (take === 'the order') await server.settled(name);
  else if ('cleanupAfter' in take) {
    await server.settled(name);
    part = 'after';
    await server.operate(name, { kind: 'cleanup', id: 'clean' });
  }
  const handle = server.client.workflow.getHandle(guestWorkflowId(name));
  if (take === 'the order') await handle.terminate('the tape is full');
  const step = await handle.result().then(
    () => '',
    (error: unknown) => (failureOf(error).details as { step?: string }).step ?? '',
  );
  const complaints =
    take === 'the order'
      ? []
      : [...asBefore(before, world.snapshot(), world.settings), ...emptyComplaints(await booksOf(server, host, name))];
  if (take === 'the order') await server.dismiss(refOf(orderOf(name, host)));
  server.forget(name);
  world.close();
  return { ...renamed({ forward, after, then }, { name, ip }, TAPE_IP), complaints, step };
}

/** Records an order and each of its failures. */
export async function recordTape(server: Server, host: string, recipe: Taped['recipe'] = 'how-to'): Promise<Tape> {
  const taped = { server, host, recipe };
  const { forward, then } = await record(taped, 0, 'the order');
  const firstBackup = then.find(({ activity }) => activity === 'takeBackup');
  if (firstBackup === undefined) throw new Error('no first backup follows the order');
  const last = forward.length - 1;
  const [cleaned, ...failures] = await Promise.all([
    record(taped, forward.length + 1, { cleanupAfter: last }),
    ...forward.map((_, index) => record(taped, index + 1, { failing: index })),
  ]);
  failures.forEach((failure, index) => {
    const [calls, expected] = [failure.forward, forward.slice(0, index + 1)].map((entries) =>
      entries.map(({ activity }) => activity).join(' '),
    );
    if (calls !== expected) throw new Error(`the tape is not the same twice: ${calls ?? ''}, not ${expected ?? ''}`);
  });
  return {
    forward,
    firstBackup,
    undo: failures.map(({ after }) => after),
    undoSteps: stepsOfUndos(
      failures.map(({ after }) => after),
      failures.map(({ step }) => step),
    ),
    complaints: failures.map(({ complaints }) => complaints),
    cleanup: cleaned.after,
  };
}
