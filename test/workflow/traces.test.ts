/** An order as a trace: from the request at the gateway to the tools on the dom0, each process on its own. */
import { Worker } from '@temporalio/worker';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { findEndpoint } from '../../client/config.ts';
import { readStatus } from '../../client/guests/look.ts';
import { operate } from '../../client/guests/operate.ts';
import { orderGuest } from '../../client/guests/order.ts';
import { openSession } from '../../client/session.ts';
import { CONTROL_QUEUE, dom0BulkQueue, dom0Queue, operationWorkflowId } from '../../contract/names.ts';
import { tracesAnswers } from '../../gateway/traces.ts';
import { traceOf } from '../../system/tracing/trace-ids.ts';
import { createTracing, type Tracing } from '../../system/tracing/tracing.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { controlOptions } from '../../worker/control-options.ts';
import { tracedActivities, tracesTools } from '../../worker/traces.ts';
import { openCollector, type Collector, type Span } from '../collector.ts';
import { order, scripted, until } from './scripted.ts';
import { DOM0, startServer } from './temporal.ts';

let environment: TestWorkflowEnvironment;
let collector: Collector;
const processes: Record<'control' | 'dom0' | 'gateway', Tracing> = {} as never;
beforeAll(async () => {
  [environment, collector] = await Promise.all([startServer(), openCollector(), bundleWorkflows(undefined, { isTraced: true })]);
  for (const [name, value] of Object.entries(collector.env)) vi.stubEnv(name, value);
  for (const name of ['control', 'dom0', 'gateway'] as const) processes[name] = (await createTracing(`guestflow-${name}`))!;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  collector.close();
  await environment.teardown();
});

it('has what was done for an operation in one trace, though nothing of it is in a history', async () => {
  const endpoint = await findEndpoint({ address: environment.address });
  const tool = tracesTools(processes.dom0);
  const takeBackup = (): Promise<object> => {
    tool({ tool: 'lvcreate', args: ['--name', 'a-planted-argument'], seconds: 0.5, code: 0, outcome: 'ok' });
    return Promise.resolve({ id: 'b1', path: '/b', bytes: 10 });
  };
  let isBroken = false;
  const stopGuest = (): Promise<object> =>
    isBroken
      ? Promise.reject(ApplicationFailure.create({ type: 'ToolFailed', nonRetryable: true, message: 'a planted message' }))
      : Promise.resolve({ how: 'shut down' });
  const calls: string[] = [];
  const activities = scripted(calls, { takeBackup, stopGuest });
  const connection = environment.nativeConnection;
  const { activities: _own, ...control } = controlOptions(endpoint, { tracing: processes.control });
  const workers = await Promise.all([
    Worker.create({ ...control, connection, activities }),
    ...[dom0Queue(DOM0), dom0BulkQueue(DOM0)].map((taskQueue) =>
      Worker.create({ connection, taskQueue, activities, maxHeartbeatThrottleInterval: '100ms', ...tracedActivities(processes.dom0) }),
    ),
  ]);
  expect(control.taskQueue).toBe(CONTROL_QUEUE);
  const over = workers.map((worker) => worker.run());
  const session = await openSession(endpoint);
  const { name, order: id } = order();
  const settled = (): Promise<unknown> =>
    until(
      () => readStatus(session, name),
      ({ phase, operation, queued }) => phase === 'running' && operation === undefined && queued.length === 0,
    );
  await orderGuest(session, { ...order(), name, order: id });
  await settled();
  const provision = operationWorkflowId(name, 'provision', id);
  const answered = tracesAnswers(processes.gateway);
  answered({ method: 'POST', status: 202, ms: 12, notes: { route: '/v1/guests', guest: name, order: id, workflow: provision } });
  answered({ method: 'POST', status: 200, ms: 5, notes: { route: '/webhooks/signup', guest: name, order: id, workflow: `order/${id}` } });
  answered({ method: 'GET', status: 200, ms: 1, notes: { route: '/healthz' } });
  await until(
    () => Promise.resolve(calls),
    (names) => names.includes('pruneBackups'),
  );
  await settled();
  isBroken = true;
  await expect(operate(session, name, 'stop')).rejects.toMatchObject({ type: 'ToolFailed' });
  await session.close();
  for (const worker of workers) worker.shutdown();
  await Promise.all(over);
  await Promise.all(Object.values(processes).map((each) => each.close()));

  const { traceId, rootId } = traceOf(provision);
  const own = collector.spans.filter((span) => span.traceId === traceId);
  const [root, ...others] = own.filter(({ spanId }) => spanId === rootId);
  expect(others).toEqual([]);
  expect(root).toMatchObject({ name: 'provisionGuest', service: 'guestflow-control', attributes: { workflow: provision } });
  // What the workflow waited for, and what a worker did for it.
  const named = (spans: readonly Span[], wanted: string, service: string): Span[] =>
    spans.filter((span) => span.name === wanted && span.service === service);
  for (const service of ['guestflow-control', 'guestflow-dom0']) {
    const [boot] = named(own, 'bootGuest', service);
    expect(boot).toMatchObject({ parentSpanId: rootId });
    expect(boot!.startMs).toBeGreaterThanOrEqual(root!.startMs - 1);
  }
  expect(collector.spans.filter(({ links }) => links.some((link) => link.traceId === traceId)).map((span) => span.name)).toEqual([
    'POST /v1/guests',
    'POST /webhooks/signup',
  ]);
  expect(collector.spans.map((span) => span.name)).not.toContain('GET /healthz');
  // A tool is below the activity that ran it.
  const [lvcreate] = named(collector.spans, 'lvcreate', 'guestflow-dom0');
  expect(lvcreate?.parentSpanId).toBe(named(collector.spans, 'takeBackup', 'guestflow-dom0')[0]?.spanId);
  expect(named(collector.spans, 'stopGuest', 'guestflow-dom0').map(({ status }) => status.code ?? 0)).toEqual([0, 2]);
  expect(collector.bodies.join('')).not.toContain('planted');
});
