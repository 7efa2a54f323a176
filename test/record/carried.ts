/**
 * Long lives: the run that ends by continuing as new, and the one that goes on from the state that it carried. Temporal suggests that after
 * thousands of events; a server of their own does so early.
 */
import { ApplicationFailure } from '@temporalio/common';
import { type TestWorkflowEnvironment } from '@temporalio/testing';
import { createBillingActivities } from '../../activities/control/billing/activities.ts';
import { createControlActivities } from '../../activities/control/activities.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import { BILLING, type BillingEvent, type GuestView, type LifeStatement, type OrderStatus } from '../../contract/billing.ts';
import {
  billingWorkflowId,
  CONTROL_QUEUE,
  DOM0_UPDATES,
  dom0WorkflowId,
  guestWorkflowId,
  NETWORK_UPDATES,
  networkWorkflowId,
  WORKFLOWS,
} from '../../contract/names.ts';
import type { OperationRequest } from '../../contract/guest-requests.ts';
import { WATCH_ID, type ProblemGroup } from '../../contract/watch.ts';
import { startWatch } from '../../client/watch.ts';
import { shortBundle } from '../faults/bundle.ts';
import { FACTS, until } from '../workflow/billing-bench.ts';
import { order, scripted } from '../workflow/scripted.ts';
import { DOM0, startServer, withKeptWorkers, withWorkers, type AnyActivities } from '../workflow/temporal.ts';
import { operate, place, record, settled } from './recording.ts';

/** Events after which the server suggests to continue as new: more than an order has, which does not look at it meanwhile. */
const SUGGESTED_AFTER = 60;

const IMPATIENT = ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${SUGGESTED_AFTER}`];

async function runOf({ client }: TestWorkflowEnvironment, workflowId: string): Promise<string> {
  return (await client.workflow.getHandle(workflowId).describe()).runId;
}

/** Keeps the run that is named and the next one. */
async function keepRuns(environment: TestWorkflowEnvironment, workflowId: string, runId: string, name: string): Promise<void> {
  const { events } = await environment.client.workflow.getHandle(workflowId, runId).fetchHistory();
  const next = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  if (next === undefined || next === null) throw new Error(`${workflowId} did not continue as new`);
  await record(environment, workflowId, `${name}-continues-as-new`, runId);
  await record(environment, workflowId, `${name}-carried`, next);
}

/** It continues as new while its grace period runs; the next run takes that over, brings the guest back, and lives to its end. */
async function longGuest(environment: TestWorkflowEnvironment): Promise<void> {
  const document = order();
  const workflowId = guestWorkflowId(document.name);
  await withWorkers(environment, scripted([]), async () => {
    const run = async (requests: readonly Omit<OperationRequest, 'id'>[]): Promise<void> => {
      for (const request of requests) await operate(environment, document.name, request).done;
    };
    await settled(await place(environment, document));
    const first = await runOf(environment, workflowId);
    await run([{ kind: 'backup' }, { kind: 'stop' }, { kind: 'start' }, { kind: 'terminate' }]);
    await until(
      () => runOf(environment, workflowId),
      (runId) => runId !== first,
    );
    await run([{ kind: 'undelete' }, { kind: 'backup' }, { kind: 'terminate', now: true }]);
    await environment.client.workflow.getHandle(workflowId).result();
    await keepRuns(environment, workflowId, first, 'guest');
  });
}

/** Guests come and go until both ledgers have continued as new; then each thing is asked once that a ledger can be asked. */
async function longLedgers(environment: TestWorkflowEnvironment): Promise<void> {
  const { client } = environment;
  const control = createControlActivities(client);
  const facts = { ...FACTS, machine: 'machine-1' };
  const found = [{ what: 'volume vg01/lost-root', guest: 'lost', order: 'order-lost' }];
  const activities: AnyActivities = {
    ...(control as unknown as AnyActivities),
    dom0Facts: () => Promise.resolve(facts),
    audit: () => Promise.resolve(found),
  };
  await withWorkers(environment, activities, async () => {
    await registerDom0(client, facts);
    const ids = [dom0WorkflowId(DOM0), networkWorkflowId(FACTS.network.cidr)] as const;
    const first = await Promise.all(ids.map((id) => runOf(environment, id)));
    const ledger = client.workflow.getHandle(ids[0]);
    const stays = order();
    await control.reserve(stays);
    await control.reserve(order({ size: { memoryBytes: 2 ** 50 } })).catch(() => undefined);
    await ledger.executeUpdate(DOM0_UPDATES.drain, { args: [true] });
    await ledger.executeUpdate(DOM0_UPDATES.audit);
    await ledger.executeUpdate(DOM0_UPDATES.drain, { args: [false] });
    for (;;) {
      const runs = await Promise.all(ids.map((id) => runOf(environment, id)));
      if (runs.every((runId, index) => runId !== first[index])) break;
      const comes = order();
      await control.reserve(comes);
      await control.release(comes);
    }
    // What was promised before is known.
    const { ip, mac } = await control.reserve(stays);
    await control.nextAddress({ order: stays, ip });
    await client.workflow
      .getHandle(ids[1])
      .executeUpdate(NETWORK_UPDATES.changeMac, { args: [{ guest: stays.name, order: stays.order, mac }] });
    await registerDom0(client, facts);
    await ledger.executeUpdate(DOM0_UPDATES.attach, { args: [{ cidr: '198.51.100.0/24', gateway: '198.51.100.1', bridge: 'xenbr1' }] });
    await ledger.executeUpdate(DOM0_UPDATES.audit);
    await control.release(stays);
    for (const [index, name] of ['dom0', 'network'].entries()) await keepRuns(environment, ids[index] ?? '', first[index] ?? '', name);
  });
}

/** Suspended and resumed until it has continued as new; the next run still knows an event that comes again. */
async function longOrder(environment: TestWorkflowEnvironment): Promise<void> {
  const { order: id, name: guest, dom0: _chosen, ...rest } = order();
  const { plan, ...sizes } = rest;
  const workflowId = billingWorkflowId(id);
  let view: GuestView | undefined;
  const becomes = (phase: GuestView['phase']): void => {
    view = { order: id, phase, plan, isBusy: false };
  };
  const phases = { suspend: 'suspended', resume: 'running', terminate: 'gone', undelete: 'running', changePlan: 'running' } as const;
  const guests = {
    look: () => Promise.resolve(view),
    place: () => {
      becomes('running');
      return Promise.resolve();
    },
    operate: (_guest: string, { kind }: OperationRequest) => {
      const phase = phases[kind as keyof typeof phases];
      becomes(phase);
      return Promise.resolve({ state: 'done', result: { kind, phase } } as const);
    },
    holderOfHostname: () => Promise.resolve(id),
  };
  let sent = 0;
  const eventOf = (life: LifeStatement, number: number): BillingEvent => ({
    id: `signup/msg_${number}`,
    digest: `digest-${number}`,
    meaning: `meaning-${number}`,
    type: `order.${life}`,
    order: id,
    at: new Date(Date.parse('2026-01-01T00:00:00.000Z') + number * 1_000).toISOString(),
    says: {
      life,
      ...(number === 1 ? { plan: { ...sizes, plan, mayRestart: true }, wishes: { hostname: 'long.example.org', sshKeys: [] } } : {}),
    },
  });
  await withWorkers(environment, createBillingActivities({ guests }) as unknown as AnyActivities, async () => {
    const handle = environment.client.workflow.getHandle(workflowId);
    const says = async (life: LifeStatement): Promise<void> => {
      sent += 1;
      await handle.executeUpdate(BILLING.event, { args: [eventOf(life, sent)] });
      await until(
        () => handle.query<OrderStatus>(BILLING.status),
        ({ phase }) => ['settled', 'over'].includes(phase),
      );
    };
    const first = (
      await environment.client.workflow.start(WORKFLOWS.billingOrder, {
        workflowId,
        taskQueue: CONTROL_QUEUE,
        args: [{ order: id, guest }],
      })
    ).firstExecutionRunId;
    await says('active');
    while ((await runOf(environment, workflowId)) === first) {
      await says('suspended');
      await says('active');
    }
    await handle.executeUpdate(BILLING.event, { args: [eventOf('active', sent)] });
    await says('suspended');
    await says('terminated');
    await keepRuns(environment, workflowId, first, 'billing');
  });
}

/** A watch over a fleet in which something goes wrong and is over, until it has continued as new; then nobody wants to be told any more. */
async function longWatch(environment: TestWorkflowEnvironment): Promise<void> {
  const { client } = environment;
  let looks = 0;
  let isWanted = true;
  const failed: ProblemGroup = { kind: 'night-failed', dom0: DOM0, subjects: ['guest1'] };
  const activities: AnyActivities = {
    lookForProblems: () => {
      looks += 1;
      if (looks === 3) return Promise.reject(ApplicationFailure.create({ type: 'Unreachable', nonRetryable: true }));
      return Promise.resolve({ channels: isWanted ? ['mail', 'webhook'] : [], silentMs: 0, groups: looks % 8 < 4 ? [failed] : [] });
    },
    deliverNotification: () => Promise.resolve('taken'),
  };
  await withKeptWorkers(
    environment,
    activities,
    async () => {
      await startWatch(client);
      const first = await runOf(environment, WATCH_ID);
      await until(
        () => runOf(environment, WATCH_ID),
        (runId) => runId !== first,
      );
      const before = looks;
      await until(
        () => Promise.resolve(looks),
        (seen) => seen > before + 3,
      );
      isWanted = false;
      await client.workflow.getHandle(WATCH_ID).result();
      await keepRuns(environment, WATCH_ID, first, 'watch');
    },
    await shortBundle(),
  );
}

/** Records them, on a server of their own. */
export async function recordCarried(): Promise<void> {
  const environment = await startServer(IMPATIENT);
  try {
    await longGuest(environment);
    await longLedgers(environment);
    await longOrder(environment);
    await longWatch(environment);
  } finally {
    await environment.teardown();
  }
}
