/** One Temporal server for many cases: each guest's activities are led to its own world by the guest's name. */
import { Context } from '@temporalio/activity';
import {
  WithStartWorkflowOperation,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type NativeConnection } from '@temporalio/worker';
import { isSettled } from '../../client/index.ts';
import { createControlActivities, type ControlActivities } from '../../activities/control/activities.ts';
import { untilTaken } from '../../client/lost-updates.ts';
import {
  CONTROL_QUEUE,
  dom0BulkQueue,
  dom0Queue,
  dom0WorkflowId,
  GUEST_UPDATES,
  guestWorkflowId,
  networkWorkflowId,
  nightlyScheduleId,
  operationWorkflowId,
  QUERIES,
  WORKFLOWS,
} from '../../contract/names.ts';
import type { Lease, NetworkState } from '../../contract/capacity.ts';
import { Gate, UPDATES_AT_ONCE } from '../../system/gate.ts';
import type { Dom0Facts, Dom0State } from '../../contract/dom0.ts';
import type { GuestOrder, GuestRef, GuestSpec, GuestStatus, OrderAnswer } from '../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../contract/guest-requests.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import type { GuestRun } from '../../workflows/guest/guest.ts';
import { rootFailure } from '../../workflows/saga/operation.ts';
import { endsCallsWithItsWorker } from '../../worker/control-options.ts';
import { shortBundle } from './bundle.ts';
import { activityNames, NETWORK } from './world.ts';

/** One activity of a guest, about to be attempted. */
export interface Call {
  readonly guest: string;
  readonly activity: string;
  readonly input: unknown;
  /** Of the workflow that called it: `guest/<name>/provision/<order>`. */
  readonly workflowId: string;
  readonly activityId: string;
  readonly attempt: number;
  readonly isControl: boolean;
}

/** What answers the calls of one guest. `work` does what the activity does. */
export type Actor = (call: Call, work: () => Promise<unknown>) => Promise<unknown>;

type Activities = Record<string, (input: unknown) => Promise<unknown>>;

const GiB = 2 ** 30;
const SLOTS = 200;
/** Many dom0s share one connection here, which holds a few hundred polls at most. */
const POLLS = 2;

function hugeFacts(host: string): Dom0Facts {
  return {
    host,
    seenAt: '2026-01-01T00:00:00Z',
    xenVersion: '4.17.7',
    memoryBytes: 2 ** 50,
    memoryFreeBytes: 2 ** 50,
    cpus: 4096,
    pools: [{ name: 'vg01', sizeBytes: 2 ** 50, freeBytes: 2 ** 50 }],
    imageDirFreeBytes: 64 * GiB,
    network: { ...NETWORK },
    addresses: [],
    workerVersion: 'test',
    domains: [],
  };
}

/** Asks again when nobody was there to answer: the worker or the server is being restarted. */
async function stubborn<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (attempt === 10) throw error;
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
    }
  }
}

/** A worker that polls, and how to stop it. */
interface Running {
  stop(): Promise<void>;
}

function start(worker: Worker): Running {
  const over = worker.run();
  // A worker that ends by itself shows as cases that never end; its reason is worth more than a hanging test.
  over.catch((error: unknown) => {
    process.stderr.write(`a worker of the fault tests ended: ${String(error)}\n`);
  });
  return {
    async stop() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await over;
    },
  };
}

export class Server {
  readonly client: Client;
  private readonly connection: NativeConnection;
  private readonly bundlePath: string;
  private readonly calls: ControlActivities;
  private readonly actors = new Map<string, Actor>();
  private readonly hosts = new Map<string, Running[]>();
  private readonly gate = new Gate(UPDATES_AT_ONCE);
  private control: Promise<Running>;
  private restarting: Promise<void> | undefined;
  /** How often the control worker was restarted. */
  restarts = 0;

  private constructor(client: Client, connection: NativeConnection, bundlePath: string) {
    this.client = client;
    this.connection = connection;
    this.bundlePath = bundlePath;
    this.calls = createControlActivities(client);
    this.control = this.startControl();
  }

  static async start({ client, nativeConnection }: Pick<TestWorkflowEnvironment, 'client' | 'nativeConnection'>): Promise<Server> {
    const server = new Server(client, nativeConnection, await shortBundle());
    await server.control;
    return server;
  }

  private async startControl(): Promise<Running> {
    const real = createControlActivities(this.client) as unknown as Activities;
    const activities = Object.fromEntries(
      Object.keys(real).map((name) => [name, this.led(name, true, async (input) => real[name]?.(input))]),
    );
    return start(
      await Worker.create({
        connection: this.connection,
        taskQueue: CONTROL_QUEUE,
        workflowBundle: { codePath: this.bundlePath },
        activities,
        maxConcurrentActivityTaskExecutions: SLOTS,
        stickyQueueScheduleToStartTimeout: '5s',
        shutdownGraceTime: '100ms',
        shutdownForceTime: '20s',
        interceptors: { activity: [endsCallsWithItsWorker(this.client)] },
      }),
    );
  }

  /** An activity that asks its guest's actor. */
  private led(activity: string, isControl: boolean, work: (input: unknown) => Promise<unknown>): (input: unknown) => Promise<unknown> {
    return async (input) => {
      const { info } = Context.current();
      const workflowId = info.workflowExecution?.workflowId ?? '';
      const guest = workflowId.split('/')[1] ?? '';
      const call: Call = {
        guest,
        activity,
        input,
        workflowId,
        activityId: `${workflowId}#${info.workflowExecution?.runId ?? ''}#${info.activityId}`,
        attempt: info.attempt,
        isControl,
      };
      const actor = this.actors.get(guest);
      if (actor === undefined && !isControl) throw new Error(`no case has a guest ${guest}`);
      return actor === undefined ? work(input) : actor(call, () => work(input));
    };
  }

  /** Serves a dom0's queues. */
  async serve(host: string): Promise<void> {
    // All of them join one network, whose workflow takes ten updates at a time.
    await this.gate.pass(NETWORK.cidr, () => registerDom0(this.client, hugeFacts(host)));
    await this.startWorkers(host);
  }

  /** The workers of a dom0 come (back). */
  async startWorkers(host: string): Promise<void> {
    if (this.hosts.has(host)) return;
    this.hosts.set(host, []);
    const activities = Object.fromEntries(
      activityNames().map((name) => [name, this.led(name, false, () => Promise.reject(new Error(`${name} has no world`)))]),
    );
    const workers = await Promise.all(
      [dom0Queue(host), dom0BulkQueue(host)].map((taskQueue) =>
        Worker.create({
          connection: this.connection,
          taskQueue,
          activities,
          maxHeartbeatThrottleInterval: '100ms',
          maxConcurrentActivityTaskExecutions: SLOTS,
          maxConcurrentActivityTaskPolls: POLLS,
        }),
      ),
    );
    this.hosts.set(host, workers.map(start));
  }

  /** Whether a dom0 has workers that take anything. */
  isServed(host: string): boolean {
    return this.hosts.has(host);
  }

  /** The workers of a dom0 go, once the activities that they run have ended. */
  async stopWorkers(host: string): Promise<void> {
    const running = this.hosts.get(host) ?? [];
    this.hosts.delete(host);
    await Promise.all(running.map((worker) => worker.stop()));
  }

  /** The control worker ends, and another one takes over. Cases that ask at the same time share a restart. */
  async restartControl(): Promise<void> {
    this.restarting ??= (async () => {
      const old = await this.control;
      const successor = old.stop().then(() => this.startControl());
      this.control = successor;
      await successor;
      this.restarts += 1;
      this.restarting = undefined;
    })();
    await this.restarting;
  }

  /** Whom the activities of this guest ask. */
  lead(guest: string, actor: Actor): void {
    this.actors.set(guest, actor);
  }

  forget(guest: string): void {
    this.actors.delete(guest);
  }

  async place(order: GuestOrder): Promise<OrderAnswer> {
    return untilTaken(() =>
      this.client.workflow.executeUpdateWithStart<(input: GuestRun) => Promise<void>, OrderAnswer, [GuestOrder]>(GUEST_UPDATES.order, {
        args: [order],
        startWorkflowOperation: new WithStartWorkflowOperation<(input: GuestRun) => Promise<void>>(WORKFLOWS.guest, {
          workflowId: guestWorkflowId(order.name),
          taskQueue: CONTROL_QUEUE,
          args: [{ order }],
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        }),
      }),
    );
  }

  /** Starts the workflow of a guest that is there already. */
  async continueGuest(input: GuestRun): Promise<void> {
    await this.client.workflow.start<(input: GuestRun) => Promise<void>>(WORKFLOWS.guest, {
      workflowId: guestWorkflowId(input.order.name),
      taskQueue: CONTROL_QUEUE,
      args: [input],
    });
  }

  /** Puts a guest that is there into the books, with an address that is its own. */
  async admit(spec: GuestSpec, isScheduled: boolean): Promise<void> {
    const { name, order, dom0 } = spec;
    await untilTaken(() => this.calls.reserve({ ...spec, network: {} }));
    if (isScheduled) await this.calls.scheduleNightly({ ref: { name, order, dom0 } });
  }

  /** Takes it out of them. */
  async dismiss(ref: GuestRef): Promise<void> {
    await stubborn(() => this.calls.unscheduleNightly(ref));
    await stubborn(() => untilTaken(() => this.calls.release(ref)));
  }

  handle(guest: string): WorkflowHandle {
    return this.client.workflow.getHandle(guestWorkflowId(guest));
  }

  async operate(guest: string, request: OperationRequest): Promise<OperationResult> {
    return untilTaken(() =>
      this.handle(guest).executeUpdate<OperationResult, [OperationRequest]>(GUEST_UPDATES.operate, {
        args: [request],
        updateId: request.id,
      }),
    );
  }

  async status(guest: string): Promise<GuestStatus> {
    return stubborn(() => this.handle(guest).query<GuestStatus>(QUERIES.status));
  }

  /** Cancels what runs of a guest, if anything does. */
  async cancel(guest: string): Promise<void> {
    await this.handle(guest)
      .executeUpdate(GUEST_UPDATES.cancel)
      .catch(() => undefined);
  }

  /** Waits for the end of a workflow, whichever it is; for its beginning, too. */
  private async ended(workflowId: string): Promise<void> {
    for (let look = 0; look < 100; look += 1) {
      const isKnown = await this.client.workflow
        .getHandle(workflowId)
        .result()
        .then(
          () => true,
          (error: unknown) => !(error instanceof WorkflowNotFoundError),
        );
      if (isKnown) return;
      await new Promise((resolve) => {
        setTimeout(resolve, 100);
      });
    }
  }

  /** Waits until an order has come to its end: the guest runs, needs cleanup, or its workflow has failed. */
  async settled(guest: string, order = `order-${guest}`): Promise<GuestStatus> {
    // Each look at a status costs the worker a task: none are wasted while the order, or the first backup, is under way.
    await this.ended(operationWorkflowId(guest, 'provision', order));
    for (;;) {
      const status = await this.status(guest);
      if (isSettled(status)) return status;
      if (status.operation !== undefined) await this.ended(status.operation.workflowId);
      else
        await new Promise((resolve) => {
          setTimeout(resolve, 100);
        });
    }
  }

  /** What the ledger has promised to the guest. */
  async reservedFor(host: string, guest: string): Promise<Dom0State['promised'][number] | undefined> {
    const ledger = await stubborn(() => this.client.workflow.getHandle(dom0WorkflowId(host)).query<Dom0State>(QUERIES.ledger));
    return ledger.promised.find((reservation) => reservation.guest === guest);
  }

  /** The address that the network has leased to the guest. */
  async leaseOf(guest: string): Promise<Lease | undefined> {
    const id = networkWorkflowId(NETWORK.cidr);
    const { leases } = await stubborn(() => this.client.workflow.getHandle(id).query<NetworkState>(QUERIES.leases));
    const [lease, ...more] = leases.filter((each) => each.guest === guest);
    if (more.length > 0) throw new Error(`${guest} has ${String(more.length + 1)} addresses`);
    return lease;
  }

  async hasSchedule(guest: string): Promise<boolean> {
    return this.client.schedule
      .getHandle(nightlyScheduleId(guest))
      .describe()
      .then(
        () => true,
        () => false,
      );
  }

  async isOpen(guest: string): Promise<boolean> {
    return this.handle(guest)
      .describe()
      .then(
        ({ status }) => status.name === 'RUNNING',
        () => false,
      );
  }

  /** Ends the guests of cases that have not ended: whoever still waits for one of them hears it. */
  async abandon(): Promise<void> {
    await Promise.all(
      [...this.actors.keys()].map((guest) =>
        this.handle(guest)
          .terminate('the fault tests are over')
          .catch(() => undefined),
      ),
    );
  }

  async stop(): Promise<void> {
    for (const host of [...this.hosts.keys()]) await this.stopWorkers(host);
    await (await this.control).stop();
  }
}

/** The failure of an update or a workflow, as guestflow words it. */
export function failureOf(error: unknown): ReturnType<typeof rootFailure> {
  return rootFailure(error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError ? error.cause : error);
}
