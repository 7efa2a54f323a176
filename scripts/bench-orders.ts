/** What an order costs beside its steps: workflows, updates, Temporal. The steps do nothing. One after the other on an idle machine, then many at once. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import type { GuestOrder } from '../contract/guest.ts';
import { guestWorkflowId, operationWorkflowId } from '../contract/names.ts';
import { giveOrder, ordersFor, serve } from '../test/workflow/many-guests.ts';
import { until } from '../system/until.ts';
import { startEmbeddedTemporal } from '../worker/embedded-temporal.ts';

/** Figures of orders whose steps do nothing. */
export interface OrderFigures {
  /** Milliseconds from the order to a guest that runs; of those given one after the other. */
  readonly p50Ms: number;
  readonly p90Ms: number;
  /** Orders a second, when so many are given at once. */
  readonly perSecond: number;
  readonly atOnce: number;
  /** CPU seconds of an order: of this process (client, control worker and dom0 workers), and of the server. */
  readonly workerCpuSeconds: number;
  readonly serverCpuSeconds: number;
  /** Events in the histories of the guest and of its order. */
  readonly events: number;
}

const HOST = 'bench1';
const SINGLE = 20;
const AT_ONCE = 40;
/** Of the kernel's clock in `/proc/PID/stat`. */
const TICKS_PER_SECOND = 100;

/** CPU seconds of a process so far (proc(5): fields 14 and 15, counted after the name in parentheses). */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${String(pid)}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function placed(client: Client, order: GuestOrder): Promise<number> {
  const began = performance.now();
  await giveOrder(client, order);
  const provisioning = client.workflow.getHandle(operationWorkflowId(order.name, 'provision', order.order));
  // The order is taken a moment before its workflow begins.
  await until(() => provisioning.describe().catch(() => undefined), { everyMs: 5 });
  await provisioning.result();
  return performance.now() - began;
}

async function eventsOf(client: Client, { name, order }: GuestOrder): Promise<number> {
  const ids = [guestWorkflowId(name), operationWorkflowId(name, 'provision', order)];
  const histories = await Promise.all(ids.map((id) => client.workflow.getHandle(id).fetchHistory()));
  return histories.reduce((sum, { events }) => sum + (events?.length ?? 0), 0);
}

/** Seconds of CPU so far: of this process, and of the server. */
function cpuNow(serverPid: number): [worker: number, server: number] {
  const { user, system } = process.cpuUsage();
  return [(user + system) / 1e6, cpuSecondsOf(serverPid)];
}

async function measure(client: Client, serverPid: number): Promise<OrderFigures> {
  const [warmUp, ...orders] = ordersFor(1 + SINGLE + AT_ONCE, [HOST]);
  if (warmUp !== undefined) await placed(client, warmUp);
  const before = cpuNow(serverPid);
  const times: number[] = [];
  for (const order of orders.slice(0, SINGLE)) times.push(await placed(client, order));
  const after = cpuNow(serverPid);
  times.sort((one, other) => one - other);
  const began = performance.now();
  await Promise.all(orders.slice(SINGLE).map((order) => placed(client, order)));
  const seconds = (performance.now() - began) / 1000;
  const [first] = orders;
  return {
    p50Ms: Math.round(times[Math.floor(SINGLE * 0.5)] ?? 0),
    p90Ms: Math.round(times[Math.floor(SINGLE * 0.9)] ?? 0),
    perSecond: Number((AT_ONCE / seconds).toFixed(1)),
    atOnce: AT_ONCE,
    workerCpuSeconds: Number(((after[0] - before[0]) / SINGLE).toFixed(3)),
    serverCpuSeconds: Number(((after[1] - before[1]) / SINGLE).toFixed(3)),
    events: first === undefined ? 0 : await eventsOf(client, first),
  };
}

/** Gives orders to an embedded Temporal as a provider has it, with a control worker and the workers of one dom0 in this process. */
export async function benchOrders(): Promise<OrderFigures> {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });
  const stateDir = mkdtempSync(join(tmpdir(), 'guestflow-bench-'));
  const temporal = await startEmbeddedTemporal({ stateDir, endsWithUs: true });
  try {
    const { address, pid } = temporal;
    const [connection, nativeConnection] = await Promise.all([Connection.connect({ address }), NativeConnection.connect({ address })]);
    const client = new Client({ connection });
    const crew = await serve({ client, nativeConnection }, { hosts: [HOST], slots: 100 });
    try {
      return await measure(client, pid);
    } finally {
      await crew.stop();
      await nativeConnection.close();
      await connection.close();
    }
  } finally {
    await temporal.stop();
    rmSync(stateDir, { recursive: true, force: true });
  }
}
