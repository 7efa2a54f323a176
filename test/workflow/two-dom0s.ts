/** Two fake dom0s with their real workers, a control worker with its real activities, and one Temporal. */
import { Worker } from '@temporalio/worker';
import pino from 'pino';
import { createControlActivities } from '../../activities/control/activities.ts';
import { connect, type Guestflow } from '../../client/index.ts';
import { CONTROL_QUEUE } from '../../contract/names.ts';
import { createFakeDom0, type FakeDom0 } from '../../fake/index.ts';
import { until } from '../../system/until.ts';
import { runDom0Worker } from '../../worker/dom0.ts';
import { parseDom0Settings } from '../../worker/dom0-settings.ts';
import { installRuntime } from '../../worker/logger.ts';
import { startServer, workflowBundle } from './temporal.ts';

const NETWORK = { cidr: '192.168.77.0/24', gateway: '192.168.77.1' };
/** Where the second dom0 has the backups of others. */
const COPY = '/mnt/copy';

/** A dom0's worker that runs. */
interface Running {
  /** Rejects with what it ended with. */
  readonly ended: Promise<void>;
  /** Ends its worker; nothing of the dom0 changes. */
  stop(): Promise<void>;
}

export interface TwoDom0s {
  readonly flow: Guestflow;
  readonly first: FakeDom0;
  readonly second: FakeDom0;
  readonly address: string;
  /** Starts the worker of the first dom0; resolves when it polls, or ended. */
  startFirst(): Promise<Running>;
  stopFirst(): Promise<void>;
  /** Copies a guest's directory of backups from the first dom0 to the second, as an operator would. */
  copyBackups(guest: string): Promise<void>;
  end(): Promise<void>;
}

const logger = pino({ level: 'silent' });

async function run(
  flow: Guestflow,
  { host, dom0, address, more }: { readonly host: string; readonly dom0: FakeDom0; readonly address: string; readonly more: object },
): Promise<Running> {
  const raw = { host, network: NETWORK, kernel: '/boot/vmlinuz-6.1.0-49-amd64', initrd: '/boot/initrd.img-6.1.0-49-amd64' };
  const settings = parseDom0Settings({ ...raw, ...more, wipeMiBPerSecond: 0 }, 'the test');
  const stop = new AbortController();
  let onReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  const ended = runDom0Worker({
    settings: { ...settings, shutdownGraceSeconds: 1 },
    address,
    signal: stop.signal,
    logger,
    host: dom0.host(),
    machine: `machine-of-${host}`,
    watchesDomains: false,
    lookAgainMs: 200,
    onReady,
  });
  ended.catch(() => undefined);
  await Promise.race([ready, ended.catch(() => undefined)]);
  // It polls before it is registered, if that takes long.
  const isRegistered = async (): Promise<boolean> => (await flow.dom0State(host).catch(() => undefined))?.facts !== undefined;
  await Promise.race([until(isRegistered, { everyMs: 50, limitMs: 30_000 }), ended.catch(() => undefined)]);
  return {
    ended,
    async stop() {
      stop.abort();
      await ended.catch(() => undefined);
    },
  };
}

/**
 * Two dom0s in one network.
 *
 * @param names a test file's own: a machine runs one worker for a dom0, and test files run beside each other
 * @param more settings of the first dom0. Default: none
 */
export async function twoDom0s([one, other]: readonly [first: string, second: string], more: object = {}): Promise<TwoDom0s> {
  // A process has one runtime: the worker's comes first.
  installRuntime(logger);
  const environment = await startServer();
  const { nativeConnection: connection, client, address } = environment;
  const control = await Worker.create({
    connection,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: await workflowBundle(),
    activities: createControlActivities(client),
  });
  const controlRuns = control.run();
  const options = { network: { ...NETWORK, bridge: 'xenbr0' } };
  const [first, second] = await Promise.all([createFakeDom0(options), createFakeDom0(options)]);
  const flow = await connect({ address });
  const others = await run(flow, { host: other, dom0: second, address, more: { foreignRepositories: [COPY] } });
  let running: Running | undefined;
  const stopFirst = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };
  return {
    flow,
    first,
    second,
    address,
    stopFirst,
    async startFirst() {
      running = await run(flow, { host: one, dom0: first, address, more });
      return running;
    },
    async copyBackups(guest) {
      const [from, to] = [first.host().files, second.host().files];
      const place = `/var/backups/guestflow/${guest}`;
      await to.makeDirectory(`${COPY}/${guest}`);
      for (const name of await from.list(place))
        await to.writeAtomic(`${COPY}/${guest}/${name}`, (await from.read(`${place}/${name}`)) ?? '');
    },
    async end() {
      await flow.close();
      await stopFirst();
      await others.stop();
      control.shutdown();
      await controlRuns;
      await environment.teardown();
      first.close();
      second.close();
    },
  };
}
