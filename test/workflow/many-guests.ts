/** Hundreds of guests on a few dom0s, cheaply: they begin as running, and their steps take milliseconds. For tests and for `npm run bench`. */
import { WithStartWorkflowOperation, type Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { createControlActivities } from '../../activities/control/activities.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import {
  CONTROL_QUEUE,
  dom0BulkQueue,
  dom0Queue,
  GUEST_UPDATES,
  guestWorkflowId,
  SEARCH_ATTRIBUTES,
  WORKFLOWS,
} from '../../contract/names.ts';
import type { Dom0Facts } from '../../contract/dom0.ts';
import type { GuestOrder, GuestRef } from '../../contract/guest.ts';
import type { GuestRun } from '../../workflows/guest/guest.ts';
import { order, scripted } from './scripted.ts';
import { workflowBundle, type AnyActivities } from './temporal.ts';

/** Of a dom0 that has room for all of them. Its network is its own. */
export function roomyFacts(host: string, network = 0): Dom0Facts {
  return {
    host,
    machine: `machine-${host}`,
    seenAt: '2026-01-01T00:00:00.000Z',
    xenVersion: '4.17.7',
    memoryBytes: 2 ** 44,
    memoryFreeBytes: 2 ** 44,
    cpus: 4096,
    pools: [{ name: 'vg01', sizeBytes: 2 ** 50, freeBytes: 2 ** 50 }],
    imageDirFreeBytes: 2 ** 40,
    network: { cidr: `10.${String(network)}.0.0/16`, gateway: `10.${String(network)}.0.1`, bridge: 'xenbr0' },
    addresses: [],
    workerVersion: 'test',
    domains: [],
  };
}

/** Does something for each of them, so many at a time. */
export async function each<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = [...items];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
    }),
  );
}

/** Orders of so many guests, one dom0 after the other. */
export function ordersFor(count: number, hosts: readonly string[]): GuestOrder[] {
  return Array.from({ length: count }, (_, index) => order({ dom0: hosts[index % hosts.length] ?? '' }));
}

/** Their workflows, as those of guests that run. */
export async function startRunning(client: Client, orders: readonly GuestOrder[]): Promise<void> {
  await each(orders, 10, async (document) => {
    const { name, plan, dom0 } = document;
    const network = { ip: '192.0.2.10', netmask: '255.255.255.0', gateway: '192.0.2.1', bridge: 'xenbr0', mac: '00:16:3E:00:00:01' };
    const input: GuestRun = {
      order: document,
      carried: {
        ...{ name, plan, dom0, order: document.order, phase: 'running', orderedAt: '2026-01-01T00:00:00.000Z' },
        ...{ warnings: [], backups: [], leftovers: [] },
        spec: { ...document, network },
      },
    };
    const pair = (attribute: string, value: string): { key: ReturnType<typeof defineSearchAttributeKey<'KEYWORD'>>; value: string } => ({
      key: defineSearchAttributeKey(attribute, 'KEYWORD'),
      value,
    });
    await client.workflow.start<(input: GuestRun) => Promise<void>>(WORKFLOWS.guest, {
      workflowId: guestWorkflowId(name),
      taskQueue: CONTROL_QUEUE,
      args: [input],
      typedSearchAttributes: [
        pair(SEARCH_ATTRIBUTES.guest, name),
        pair(SEARCH_ATTRIBUTES.dom0, dom0),
        pair(SEARCH_ATTRIBUTES.plan, plan),
        pair(SEARCH_ATTRIBUTES.order, document.order),
        // It says by itself that it runs, when it has come to that.
        pair(SEARCH_ATTRIBUTES.phase, 'ordered'),
      ],
    });
  });
}

/** What serves them. */
export interface Crew {
  stop(): Promise<void>;
}

/**
 * Real activities on the control queue, scripted ones on the dom0s.
 *
 * @param slots of the control worker, for activities
 * @param beforeBackup waited for by each backup; a dom0 takes one at a time. Default: nothing
 */
export async function serve(
  { client, nativeConnection: connection }: Pick<TestWorkflowEnvironment, 'client' | 'nativeConnection'>,
  {
    hosts,
    slots,
    beforeBackup,
    changes = {},
  }: { hosts: readonly string[]; slots: number; beforeBackup?: () => Promise<void>; changes?: AnyActivities },
): Promise<Crew> {
  let backups = 0;
  const takeBackup = async (ref: GuestRef): Promise<unknown> => {
    await beforeBackup?.();
    backups += 1;
    return { id: `b${String(backups)}`, guest: ref.name, takenAt: new Date().toISOString(), path: '/b', bytes: 10 };
  };
  const activities = scripted([], { takeBackup, ...changes });
  const workers = [
    await Worker.create({
      connection,
      taskQueue: CONTROL_QUEUE,
      workflowBundle: await workflowBundle(),
      activities: createControlActivities(client),
      maxConcurrentActivityTaskExecutions: slots,
      // Production caches 500, and replays the others: here it would take most of the time, and show nothing.
      maxCachedWorkflows: 3_000,
      maxConcurrentWorkflowTaskExecutions: 40,
    }),
  ];
  for (const host of hosts) {
    workers.push(await Worker.create({ connection, taskQueue: dom0Queue(host), activities, maxConcurrentActivityTaskExecutions: 4 }));
    workers.push(await Worker.create({ connection, taskQueue: dom0BulkQueue(host), activities, maxConcurrentActivityTaskExecutions: 1 }));
  }
  const running = Promise.all(workers.map((worker) => worker.run()));
  running.catch(() => undefined);
  for (const [index, host] of hosts.entries()) await registerDom0(client, roomyFacts(host, index));
  return {
    async stop() {
      for (const worker of workers) worker.shutdown();
      await running;
    },
  };
}

/** Orders a guest. Returns the milliseconds until its order was taken. */
export async function giveOrder(client: Client, document: GuestOrder): Promise<number> {
  const began = Date.now();
  await client.workflow.executeUpdateWithStart<(input: GuestRun) => Promise<void>, unknown, [GuestOrder]>(GUEST_UPDATES.order, {
    args: [document],
    startWorkflowOperation: new WithStartWorkflowOperation<(input: GuestRun) => Promise<void>>(WORKFLOWS.guest, {
      workflowId: guestWorkflowId(document.name),
      taskQueue: CONTROL_QUEUE,
      args: [{ order: document }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  });
  return Date.now() - began;
}

/** Time of an event, in milliseconds. */
export function timeOf(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1e6;
}

/** Milliseconds from the start of a guest's workflow until the first step of its order began, by the server's own times. */
export async function firstStepAfterMs(client: Client, { name, order: id }: GuestOrder): Promise<number> {
  const started = await client.workflow.getHandle(guestWorkflowId(name)).fetchHistory();
  const steps = await client.workflow.getHandle(`${guestWorkflowId(name)}/provision/${id}`).fetchHistory();
  const first = steps.events?.find(({ activityTaskStartedEventAttributes }) => activityTaskStartedEventAttributes);
  if (first === undefined) throw new Error(`no step of ${name} has begun`);
  return timeOf(first.eventTime) - timeOf(started.events?.[0]?.eventTime);
}
