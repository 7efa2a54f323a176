/**
 * What an order calls on its dom0, recorded from the real workflow: every activity with its input, and what is undone when that one
 * fails for good. A step that is added to the workflow is on the tape the day it is written.
 */
import { ApplicationFailure } from '@temporalio/common';
import { guestWorkflowId } from '../../contract/names.ts';
import type { Call, Server } from './server.ts';
import { orderOf, World } from './world.ts';

export interface Entry {
  readonly activity: string;
  readonly input: unknown;
  readonly isControl: boolean;
}

export interface Tape {
  /** Of provisioning, in order. */
  readonly forward: readonly Entry[];
  /** `undo[i]`: what is undone when `forward[i]` fails for good. */
  readonly undo: readonly (readonly Entry[])[];
  /** What cleans up after an undo that could not finish. */
  readonly cleanup: readonly Entry[];
}

/** The guest that is on the tape. */
export const GUEST = 'guest1';

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

export const TAPE_IP = '10.20.0.77';

/** Calls of an order whose activity number `failing` fails for good; undefined: of one that succeeds and is then removed. */
async function record(server: Server, host: string, failing: number | undefined): Promise<{ forward: Entry[]; undo: Entry[] }> {
  const name = `tape${failing === undefined ? '' : String(failing)}`;
  const ip = `10.20.1.${String((failing ?? 99) + 10)}`;
  const world = await World.create(host);
  const forward: Entry[] = [];
  const undo: Entry[] = [];
  let hasFailed = false;
  server.lead(name, async (call, work) => {
    (hasFailed ? undo : forward).push(entryOf(call));
    if (!hasFailed && forward.length - 1 === failing) {
      hasFailed = true;
      throw ApplicationFailure.create({ type: 'ToolFailed', nonRetryable: true, message: 'the tape ends here' });
    }
    return call.isControl ? work() : world.attempt(call.activity, call.input);
  });
  await server.place(orderOf(name, host, { ip }));
  if (failing === undefined) {
    await server.settled(name);
    hasFailed = true;
    await server.operate(name, { kind: 'terminate', id: 'end', now: true });
  }
  await server.client.workflow
    .getHandle(guestWorkflowId(name))
    .result()
    .catch(() => undefined);
  server.forget(name);
  world.close();
  return renamed({ forward, undo }, { name, ip }, TAPE_IP);
}

/** Records an order and each of its failures. */
export async function recordTape(server: Server, host: string): Promise<Tape> {
  const { forward, undo: cleanup } = await record(server, host, undefined);
  const failures = await Promise.all(forward.map((_, index) => record(server, host, index)));
  failures.forEach((failure, index) => {
    const [calls, expected] = [failure.forward, forward.slice(0, index + 1)].map((entries) =>
      entries.map(({ activity }) => activity).join(' '),
    );
    if (calls !== expected) throw new Error(`the tape is not the same twice: ${calls ?? ''}, not ${expected ?? ''}`);
  });
  return { forward, undo: failures.map(({ undo }) => undo), cleanup };
}
