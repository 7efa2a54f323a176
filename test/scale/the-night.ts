/** A night of many guests, and an order in the middle of it: what `night.test.ts` judges and `npm run bench` shows. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { CONTROL_QUEUE, guestWorkflowId, operationWorkflowId, QUERIES, WORKFLOWS } from '../../contract/names.ts';
import { BACKUP_PRIORITY } from '../../contract/nights.ts';
import type { GuestOrder, GuestStatus } from '../../contract/guest.ts';
import { each, firstStepAfterMs, giveOrder, ordersFor, serve, startRunning } from '../workflow/many-guests.ts';
import { order, until } from '../workflow/scripted.ts';

/** What came of it. */
export interface NightFigures {
  /** Nights that were not over when the order came. */
  readonly waitingWhenOrdered: number;
  /** From the order to the start of its first step, by the server's times. */
  readonly firstStepMs: number;
  /** How the nights ended, as the guests remember them, and how many of each. */
  readonly states: Readonly<Record<string, number>>;
  /** How many nights the guests remember. */
  readonly nightsOfEach: Readonly<Record<string, number>>;
  /** Until all had been asked, and until all were over. */
  readonly askedSeconds: number;
  readonly seconds: number;
}

/** Looks are work for the server, which is what is measured. */
const LOOK_MS = 1_000;
/** An order that has not begun after this waits for backups to end. */
const GIVES_WAY_MS = 10_000;
/** A night that has not been asked for after this is held up by the others. */
const ALL_ASKED_MS = 120_000;

const [FIRST, SECOND, IDLE] = ['night1', 'night2', 'day1'];

function count(values: readonly (string | number)[]): Record<string, number> {
  const found = new Map<string, number>();
  for (const value of values) found.set(String(value), (found.get(String(value)) ?? 0) + 1);
  return Object.fromEntries(found);
}

export async function theNight(
  environment: TestWorkflowEnvironment,
  { guests, slots }: { guests: number; slots: number },
): Promise<NightFigures> {
  const { client } = environment;
  let orderHasBegun = (): void => undefined;
  // The first backup of each dom0 takes long, as real ones do; the others take milliseconds.
  const longBackup = new Promise<void>((resolve) => {
    orderHasBegun = resolve;
  });
  const crew = await serve(environment, { hosts: [FIRST, SECOND, IDLE], slots, beforeBackup: () => longBackup });
  try {
    const orders = ordersFor(guests, [FIRST, SECOND]);
    await startRunning(client, orders);
    const began = Date.now();
    // As their Schedules do.
    await each(orders, 10, ({ name, order: id, dom0 }) =>
      client.workflow.start(WORKFLOWS.nightlyBackup, {
        workflowId: operationWorkflowId(name, 'nightly', 'run'),
        taskQueue: CONTROL_QUEUE,
        args: [{ name, order: id, dom0 }],
        priority: BACKUP_PRIORITY,
      }),
    );
    const runningOf = async (type: string): Promise<number> =>
      (await client.workflow.count(`WorkflowType = '${type}' AND ExecutionStatus = 'Running'`)).count;
    const asked = Date.now();
    await until(
      () => runningOf(WORKFLOWS.backupGuest),
      (backups) => backups === guests || Date.now() - asked > ALL_ASKED_MS,
      LOOK_MS,
    );
    const askedSeconds = (Date.now() - began) / 1000;
    const waitingWhenOrdered = await runningOf(WORKFLOWS.nightlyBackup);
    const firstStepMs = await orderInTheNight(environment, order({ dom0: IDLE }), orderHasBegun);
    await each(orders, 10, ({ name }) =>
      client.workflow
        .getHandle(operationWorkflowId(name, 'nightly', 'run'))
        .result()
        .catch(() => undefined),
    );
    const seconds = (Date.now() - began) / 1000;
    const nights: (GuestStatus['nights'] & object)[] = [];
    await each(orders, 5, async ({ name }) => {
      nights.push((await client.workflow.getHandle(guestWorkflowId(name)).query<GuestStatus>(QUERIES.status)).nights ?? []);
    });
    return {
      waitingWhenOrdered,
      firstStepMs,
      states: count(nights.flat().map(({ state }) => state)),
      nightsOfEach: count(nights.map(({ length }) => length)),
      askedSeconds,
      seconds,
    };
  } finally {
    await crew.stop();
  }
}

/** Milliseconds until its first step began; if it does not, the backups go on after a while, and it is their turn that it waits for. */
async function orderInTheNight({ client }: TestWorkflowEnvironment, document: GuestOrder, goOn: () => void): Promise<number> {
  const patience = setTimeout(goOn, GIVES_WAY_MS);
  await giveOrder(client, document);
  const ms = await until(
    () => firstStepAfterMs(client, document).catch(() => -1),
    (found) => found >= 0,
    LOOK_MS,
  );
  clearTimeout(patience);
  goOn();
  return ms;
}
