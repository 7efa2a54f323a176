/** The world of one case: a fake dom0 of its own, worker processes that come and go on it, and what is called there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { anOrder, changed, type Changes } from '../an-order.ts';
import { createDom0Activities, type Dom0Activities } from '../../activities/dom0/activities.ts';
import { dom0SettingsSchema, type Dom0Settings } from '../../order/dom0-settings.ts';
import type { GuestOrder, GuestRef } from '../../contract/guest.ts';
import { createFakeDom0, type DomainState, type FakeDom0, type FakeDom0Options, type FakeHost } from '../../fake/index.ts';
import { KEY_FILE, newKey, withBoxes } from './boxes.ts';
import { withClock, type Clock } from './clock.ts';
import { collect } from './commands.ts';
import { scratch } from './scratch.ts';

/** Every guest's network: a pool that no run empties. */
export const NETWORK = { cidr: '10.20.0.0/16', gateway: '10.20.0.1', bridge: 'xenbr0' } as const;
const MiB = 2 ** 20;

/** Whose bytes lie on the free extents of every dom0 before a case begins. */
export const FORMER_TENANT = 'former-tenant';

export type AnyActivity = (input: unknown) => Promise<unknown>;
export type ActivityName = keyof Dom0Activities['short'] | keyof Dom0Activities['bulk'];

function parseSettings(host: string): Dom0Settings {
  return dom0SettingsSchema.parse({
    host,
    network: { cidr: NETWORK.cidr, gateway: NETWORK.gateway },
    kernel: '/boot/vmlinuz-6.1.0-49-amd64',
    initrd: '/boot/initrd.img-6.1.0-49-amd64',
    // Nothing is gained by resting between the parts of a wipe that is none.
    wipeMiBPerSecond: 0,
  });
}

const parsed = new Map<string, Dom0Settings>();

export function settingsOf(host: string): Dom0Settings {
  const settings = parsed.get(host) ?? parseSettings(host);
  parsed.set(host, settings);
  return settings;
}

/** Where a dom0 of these cases says what it has otherwise than the others. */
export const SETTINGS_FILE = '/etc/guestflow/dom0.yaml';

function settingsOn({ machine }: FakeDom0, host: string): Dom0Settings {
  const own: unknown = parse(machine.readText(SETTINGS_FILE) ?? '');
  return { ...settingsOf(host), ...(own as Partial<Dom0Settings> | null) };
}

export function orderOf(name: string, dom0: string, changes: Changes<GuestOrder> = {}): GuestOrder {
  // Here all backups are of one day.
  const base = anOrder(name, dom0, { size: { memoryBytes: 512 * MiB, diskBytes: 1024 * MiB }, backup: { retention: { last: 30 } } });
  return changed(base, changes);
}

export function refOf({ name, order, dom0 }: GuestRef): GuestRef {
  return { name, order, dom0 };
}

const QUIET = { info: () => undefined, warn: () => undefined };

/** All activities of one worker process. */
function activitiesOf(host: FakeHost, settings: Dom0Settings): Record<string, AnyActivity> {
  const { short, bulk } = createDom0Activities({ host, settings, log: QUIET, version: 'test' });
  return { ...short, ...bulk } as unknown as Record<string, AnyActivity>;
}

/** Names of all activities, as `createDom0Activities` has them. */
export function activityNames(): string[] {
  const never = { files: {} } as FakeHost;
  return Object.keys(activitiesOf(never, settingsOf('names')));
}

export class World {
  readonly dom0: FakeDom0;
  readonly settings: Dom0Settings;
  readonly clock: Clock = { aheadMs: 0 };
  private readonly ownDirectory: string | undefined;
  private handle: FakeHost;
  private activities: Record<string, AnyActivity>;

  private constructor(dom0: FakeDom0, settings: Dom0Settings, ownDirectory: string | undefined) {
    this.dom0 = dom0;
    this.ownDirectory = ownDirectory;
    this.settings = settings;
    this.handle = dom0.host();
    this.activities = activitiesOf(this.handle, settings);
  }

  /** A dom0 as `guestflow dom0 prepare` leaves it, on which somebody else's guest has been before. */
  static async create(host: string, options: Partial<FakeDom0Options> = {}): Promise<World> {
    const directory = options.directory ?? mkdtempSync(join(scratch(), 'dom0-'));
    const dom0 = await createFakeDom0({ network: NETWORK, host, bootPolls: 1, shutdownPolls: 2, ...options, directory });
    if (dom0.machine.readText(KEY_FILE) === undefined) dom0.machine.writeText(KEY_FILE, newKey(), 0o600);
    if (options.directory === undefined || dom0.state.freeResidue.length === 0) dom0.state.freeResidue = [FORMER_TENANT];
    return new World(dom0, settingsOn(dom0, host), options.directory === undefined ? directory : undefined);
  }

  /** Whether the worker process was killed by the last call. */
  get isWorkerDead(): boolean {
    return this.handle.isDead;
  }

  /** Ends the worker process, as SIGKILL does. */
  killWorker(): void {
    this.handle.kill();
  }

  /** Another worker process, when the one before is gone. */
  startWorker(): void {
    if (!this.handle.isDead) return;
    this.handle = this.dom0.host();
    this.activities = activitiesOf(this.handle, this.settings);
  }

  /** One attempt of an activity, in the worker process that there is. */
  async attempt(activity: string, input: unknown): Promise<unknown> {
    const work = this.activities[activity];
    if (work === undefined) throw new Error(`there is no activity ${activity}`);
    const given = await withBoxes(input, this.dom0.machine.readText(KEY_FILE) ?? '');
    return withClock(this.clock, () => work(given));
  }

  /** Everything on the dom0 as data, with what its domains take of it. */
  snapshot(): DomainState {
    const snapshot = this.dom0.snapshot();
    const sizes = new Map(this.dom0.state.domains.map(({ id, memoryMiB, vcpus }) => [id, { memoryMiB, vcpus }]));
    return { ...snapshot, domains: snapshot.domains.map((domain) => ({ ...domain, ...sizes.get(domain.id) })) };
  }

  close(): void {
    collect(this.dom0);
    this.dom0.close();
    if (this.ownDirectory !== undefined) rmSync(this.ownDirectory, { recursive: true, force: true });
  }
}
