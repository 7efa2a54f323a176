/** Guests on fake dom0s of a cluster, from the order to the end, and what the dom0s saw of it. */
import { NativeConnection } from '@temporalio/worker';
import { GuestflowError } from '../../contract/errors.ts';
import type { Guestflow } from '../../client/guestflow.ts';
import type { Session } from '../../client/session.ts';
import { createFakeDom0, type FakeDom0 } from '../../fake/index.ts';
import { until } from '../../system/until.ts';
import { anOrder } from '../an-order.ts';
import { startWorkers } from '../storm/world.ts';
import type { Cluster } from './cluster.ts';

/** What the story is told with. */
export interface Stage {
  readonly cluster: Cluster;
  readonly flow: Guestflow;
  readonly session: Session;
}

/** A dom0 of the story. */
interface Host {
  readonly name: string;
  readonly fake: FakeDom0;
}

/** What is broken in the middle of orders. Returns what mends it. */
export interface Break {
  readonly what: string;
  begin(cluster: Cluster): Promise<() => Promise<void>>;
}

export const BREAKS: readonly Break[] = [
  { what: 'a history process is killed', begin: (cluster) => cluster.kill('history') },
  { what: 'a matching process is killed', begin: (cluster) => cluster.kill('matching') },
  {
    what: 'PostgreSQL is killed and restarted',
    begin: async (cluster) => {
      await cluster.database.killAndRestart();
      return () => Promise.resolve();
    },
  },
];

const GUESTS_OF_A_ROUND = 8;
/** Longest time until all of a round's orders are carried out. */
const ROUND_LIMIT_MS = 240_000;
/** For so long a process is away. */
const AWAY_MS = 3_000;

async function openHost(stage: Stage, index: number): Promise<Host & { close(): Promise<void> }> {
  const name = `story${String(index)}`;
  const network = { cidr: `10.${String(200 + index)}.0.0/20`, gateway: `10.${String(200 + index)}.0.1` };
  const fake = await createFakeDom0({
    network: { ...network, bridge: 'xenbr0' },
    memoryMiB: 65_536,
    volumeGroupBytes: 2 ** 40,
    cpus: 64,
  });
  // A process has one worker of a queue on a connection, and each dom0 comes with a control worker.
  const connection = await NativeConnection.connect({ address: stage.cluster.address });
  const stop = await startWorkers({ client: stage.session.client, nativeConnection: connection }, stage.session, fake, {
    host: name,
    network,
  });
  return {
    name,
    fake,
    close: async () => {
      await stop();
      await connection.close();
      fake.close();
    },
  };
}

/** How often a dom0 was told to do these for the guest, and it was done. */
function doneFor({ fake }: Host, guest: string): Record<string, number> {
  const count = (isIt: (tool: string, args: readonly string[]) => boolean): number =>
    fake.calls.filter(({ name, args, outcome }) => outcome === 'ok' && isIt(name, args)).length;
  return {
    images: count((tool, args) => tool === 'xen-create-image' && args.some((arg) => arg === `--hostname=${guest}` || arg === guest)),
    // By systemd, in a scope of its own; `xl -N create` is the dry run.
    starts: count((_, args) => args.includes('create') && !args.includes('-N') && args.some((arg) => arg.endsWith(`/${guest}.cfg`))),
    volumes: count((tool, args) => tool === 'lvcreate' && args.some((arg) => arg === `${guest}-root`)),
  };
}

/** What is still on a dom0 of guests; nothing, when all were terminated. */
function leftOn({ fake }: Host): string[] {
  const { domains, volumes } = fake.snapshot();
  return [...domains, ...volumes].map(({ name }) => name).filter((name) => name !== 'Domain-0' && /guest|round|quiet/.test(name));
}

function assertSame(what: string, found: unknown, wanted: unknown): void {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (is !== should) throw new Error(`${what}: ${is}, and it should be ${should}`);
}

async function inTime<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} was not done within ${String(limitMs / 1000)} s`)), limitMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Does it again for as long as Temporal cannot be reached, a minute at most. */
async function whileUnreachable<T>(work: () => Promise<T>): Promise<T> {
  for (const limit = performance.now() + 60_000; ; await new Promise((resolve) => setTimeout(resolve, 500))) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof GuestflowError) || error.type !== 'Unreachable' || performance.now() > limit) throw error;
    }
  }
}

class Story {
  private readonly stage: Stage;
  private readonly hosts: readonly Host[];

  constructor(stage: Stage, hosts: readonly Host[]) {
    this.stage = stage;
    this.hosts = hosts;
  }

  private hostOf(index: number): Host {
    return this.hosts[index % this.hosts.length]!;
  }

  private async order(guest: string, host: Host): Promise<void> {
    const { flow } = this.stage;
    // Whoever orders is told that Temporal cannot be reached, and asks again: the same order is the same guest.
    await whileUnreachable(() => flow.order(anOrder(guest, host.name)));
    const status = await whileUnreachable(() => flow.waitForOrder(guest));
    if (status.phase !== 'running') throw new Error(`${guest} is ${status.phase}: ${(await flow.failureOf(status))?.message ?? ''}`);
    await whileUnreachable(() => flow.waitFor(guest));
  }

  /** Stop, start, backup: each is one operation, and the dom0 has what it says. */
  private async live(guest: string, { fake }: Host): Promise<void> {
    const { flow } = this.stage;
    const isOn = (): boolean => fake.state.domains.some(({ name }) => name === guest);
    await flow.operate(guest, 'stop');
    assertSame(`${guest} runs after a stop`, isOn(), false);
    await flow.operate(guest, 'start');
    assertSame(`${guest} runs after a start`, isOn(), true);
    const before = (await flow.status(guest)).backups.map(({ id }) => id);
    await flow.operate(guest, 'backup');
    // Of one day, the retention keeps the last.
    const fresh = (await flow.status(guest)).backups.filter(({ id }) => !before.includes(id));
    assertSame(`${guest}'s new backups`, fresh.length, 1);
  }

  /** A guest that nothing disturbs. Returns what its dom0 did for its order: the measure for the others. */
  async quiet(): Promise<Record<string, number>> {
    const [guest, host] = ['quiet1', this.hostOf(0)];
    await this.order(guest, host);
    const done = doneFor(host, guest);
    if (Object.values(done).some((times) => times === 0)) throw new Error(`what the dom0 did was not recognised: ${JSON.stringify(done)}`);
    await this.live(guest, host);
    await this.stage.flow.operate(guest, 'terminate', { now: true });
    return done;
  }

  /** Orders at once, something that breaks in their middle, and the guests' lives after it. Seconds until all ran, and how many ran before it broke. */
  async round(name: string, broken: Break, measure: Record<string, number>): Promise<object> {
    const { what } = broken;
    const guests = Array.from({ length: GUESTS_OF_A_ROUND }, (_, index) => ({
      guest: `${name}n${String(index)}`,
      host: this.hostOf(index),
    }));
    const began = performance.now();
    let ready = 0;
    const orders = guests.map(async ({ guest, host }) => {
      await this.order(guest, host);
      ready += 1;
    });
    // All of them have ended before the first failure is told: what still asks would ask a connection that is closed.
    const all = Promise.allSettled(orders).then((ends) => {
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    });
    all.catch(() => undefined);
    // In their middle: some image is made, and not all guests run.
    await until(() => guests.some(({ guest, host }) => doneFor(host, guest)['images'] !== 0), { everyMs: 10, limitMs: ROUND_LIMIT_MS });
    const readyBefore = ready;
    if (readyBefore === guests.length) throw new Error('all orders were done before anything broke');
    const mend = await broken.begin(this.stage.cluster);
    await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    await mend();
    await inTime(all, ROUND_LIMIT_MS, `the orders while ${what}`);
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    for (const { guest, host } of guests) assertSame(`what was done for ${guest} while ${what}`, doneFor(host, guest), measure);
    await this.live(guests[0]!.guest, guests[0]!.host);
    await Promise.all(guests.map(({ guest }) => this.stage.flow.operate(guest, 'terminate', { now: true })));
    return { what, orders: guests.length, readyBefore, seconds };
  }

  assertEmpty(): void {
    for (const host of this.hosts) {
      assertSame(`what is left on ${host.name}`, leftOn(host), []);
      assertSame(`command lines that ${host.name} does not know`, host.fake.unknown, []);
    }
  }
}

/**
 * Plays it: a guest that nothing disturbs, then for each break orders in whose middle it happens.
 *
 * @throws Error when something was lost, or done twice
 */
export async function playStory(stage: Stage, say: (text: string) => void): Promise<void> {
  const hosts: Awaited<ReturnType<typeof openHost>>[] = [];
  try {
    for (const index of [1, 2]) hosts.push(await openHost(stage, index));
    const story = new Story(stage, hosts);
    const measure = await story.quiet();
    say(`story: order, stop, start, backup, terminate; its dom0 did ${JSON.stringify(measure)}`);
    for (const [index, one] of BREAKS.entries()) say(`break: ${JSON.stringify(await story.round(`round${String(index)}`, one, measure))}`);
    story.assertEmpty();
    say('story: nothing was lost, nothing was done twice, nothing is left');
  } finally {
    for (const host of hosts) await host.close();
  }
}
