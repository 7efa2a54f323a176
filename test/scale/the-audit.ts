/** An audit of a dom0 with very many guests, and an order meanwhile: what `many-audited.test.ts` judges and `npm run bench` shows. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { LedgerAudit } from '../../contract/capacity.ts';
import { DOM0_UPDATES, dom0WorkflowId, QUERIES, SEARCH_ATTRIBUTES, WORKFLOWS } from '../../contract/names.ts';
import type { Dom0State } from '../../contract/dom0.ts';
import { firstStepAfterMs, giveOrder, ordersFor, roomyFacts, serve, startRunning } from '../workflow/many-guests.ts';
import { order, until } from '../workflow/scripted.ts';

/** What came of it. */
export interface AuditFigures {
  /** Seconds of the audit that finds a ledger which knows nobody, and of the next one, which finds it in order. */
  readonly seconds: readonly [first: number, second: number];
  /** By which the memory of this process, control worker and all, grew meanwhile. */
  readonly moreMiB: number;
  /** From an order during the first audit until it was taken, and until its first step began. */
  readonly orderTakenMs: number;
  readonly firstStepMs: number;
  /** Of the first audit. */
  readonly problem: string | undefined;
  readonly adopted: number;
  readonly orphans: number;
  /** Whom the ledger knows in the end. */
  readonly promised: number;
}

const [AUDITED, IDLE] = ['audited1', 'day2'];
const MIB = 2 ** 20;

/** The most that this process's memory grew during the work. */
async function growthOf<T>(work: () => Promise<T>): Promise<[result: T, moreMiB: number]> {
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 50);
  try {
    return [await work(), Math.round((most - before) / MIB)];
  } finally {
    clearInterval(timer);
  }
}

export async function theAudit(environment: TestWorkflowEnvironment, { guests }: { guests: number }): Promise<AuditFigures> {
  const { client } = environment;
  const orders = ordersFor(guests, [AUDITED]);
  const things = orders.flatMap(({ name, order: id }) =>
    [`volume vg01/${name}-root`, `volume vg01/${name}-swap`, `/etc/xen/${name}.cfg`].map((what) => ({ what, guest: name, order: id })),
  );
  const crew = await serve(environment, {
    hosts: [AUDITED, IDLE],
    slots: 20,
    changes: { audit: () => Promise.resolve(things), dom0Facts: () => Promise.resolve(roomyFacts(AUDITED)) },
  });
  try {
    await startRunning(client, orders);
    const query = `WorkflowType = '${WORKFLOWS.guest}' AND ${SEARCH_ATTRIBUTES.phase} = 'running' AND ${SEARCH_ATTRIBUTES.dom0} = '${AUDITED}'`;
    await until(
      async () => (await client.workflow.count(query)).count,
      (count) => count === guests,
      1_000,
    );
    // What starting them has left to do is not the audit's.
    await sleep(2_000);
    const ledger = client.workflow.getHandle(dom0WorkflowId(AUDITED));
    const audit = async (): Promise<[result: LedgerAudit, seconds: number]> => {
      const began = Date.now();
      return [await ledger.executeUpdate<LedgerAudit, []>(DOM0_UPDATES.audit), (Date.now() - began) / 1000];
    };
    const document = order({ dom0: IDLE });
    const [[[first, seconds], orderTakenMs], moreMiB] = await growthOf(() => Promise.all([audit(), giveOrder(client, document)]));
    const [, secondSeconds] = await audit();
    const firstStepMs = await until(
      () => firstStepAfterMs(client, document).catch(() => -1),
      (ms) => ms >= 0,
      1_000,
    );
    return {
      seconds: [seconds, secondSeconds],
      moreMiB,
      orderTakenMs,
      firstStepMs,
      problem: first.problem,
      adopted: first.adopted.length,
      orphans: first.orphans.length,
      promised: (await ledger.query<Dom0State>(QUERIES.ledger)).promised.length,
    };
  } finally {
    await crew.stop();
  }
}
