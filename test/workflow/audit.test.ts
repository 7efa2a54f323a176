/**
 * *Terminate* in the Temporal UI runs no undo: an audit finds what it left, and cleaning removes exactly that. The command line, the server,
 * the workflows and the activities are real; two dom0s are fake.
 */
import { defineSearchAttributeKey } from '@temporalio/common';
import { mkdirSync, readdirSync } from 'node:fs';
import { Context } from '@temporalio/activity';
import { WithStartWorkflowOperation } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createControlActivities } from '../../activities/control/activities.ts';
import { stagingOf } from '../../activities/dom0/staging.ts';
import { guestPaths } from '../guest-places.ts';
import { volumeTags } from '../../activities/dom0/storage/lvm/tags.ts';
import { cfgHeader, markerText } from '../../activities/dom0/marks.ts';
import { connect, type Guestflow } from '../../client/index.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import type { LedgerAudit, NetworkState } from '../../contract/capacity.ts';
import {
  CONTROL_QUEUE,
  dom0BulkQueue,
  dom0Queue,
  GUEST_UPDATES,
  guestWorkflowId,
  networkWorkflowId,
  nightlyScheduleId,
  QUERIES,
  SEARCH_ATTRIBUTES,
  WORKFLOWS,
} from '../../contract/names.ts';
import { defaultOrderId } from '../../order/order.ts';
import { UNKNOWN_ORDER, type AuditRow, type Dom0Facts } from '../../contract/dom0.ts';
import type { DomainState, FakeCall } from '../../fake/index.ts';
import type { GuestRun } from '../../workflows/guest/guest.ts';
import { asBefore } from '../faults/invariants.ts';
import { activityNames, NETWORK, orderOf, World } from '../faults/world.ts';
import { errorOf, run, type Run, type RunOptions } from '../unit/cli/run.ts';
import { startServer, workflowBundle } from './temporal.ts';

const [HERE, ELSEWHERE] = ['xen1', 'xen2'];
const PATIENCE_MS = 180_000;
const POLL = { timeout: 60_000 };

/** Where a guest's workflow, or the one of its operation, is terminated: before an activity, or in the middle of a call that it makes. */
interface Stop {
  readonly activity: string;
  readonly amid?: (call: FakeCall) => boolean;
  readonly of?: 'guest' | 'operation';
}

let environment: TestWorkflowEnvironment;
let flow: Guestflow;
let workers: Worker[];
let running: Promise<unknown>;
const worlds = new Map<string, World>();
const stops = new Map<string, Stop & { readonly done: () => void }>();

function world(host = HERE): World {
  const found = worlds.get(host);
  if (found === undefined) throw new Error(`there is no dom0 ${host}`);
  return found;
}

/** An activity on a dom0; or the end of the workflow that asks for it. */
function led(host: string, name: string): (input: unknown) => Promise<unknown> {
  return async (input) => {
    const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
    const guest = workflowId.split('/')[1] ?? '';
    const stop = stops.get(guest);
    if (stop?.activity !== name) return world(host).attempt(name, input);
    stops.delete(guest);
    if (stop.amid !== undefined) {
      world(host).dom0.faults.add({ kind: 'kill-middle', match: stop.amid });
      await world(host)
        .attempt(name, input)
        .catch(() => undefined);
      if (!world(host).isWorkerDead) throw new Error(`nothing was cut short in ${name}`);
      world(host).startWorker();
    }
    await environment.client.workflow.getHandle(stop.of === 'operation' ? workflowId : guestWorkflowId(guest)).terminate('by hand');
    stop.done();
    throw new Error('nobody waits for this');
  };
}

function facts(host: string): Dom0Facts {
  return {
    host,
    seenAt: '2026-01-01T00:00:00.000Z',
    xenVersion: '4.17.7',
    memoryBytes: 2 ** 34,
    memoryFreeBytes: 2 ** 34,
    cpus: 8,
    pools: [{ name: 'vg01', sizeBytes: 2 ** 36, freeBytes: 2 ** 36 }],
    imageDirFreeBytes: 2 ** 36,
    network: { ...NETWORK },
    addresses: [],
    workerVersion: 'test',
    domains: [],
  };
}

beforeAll(async () => {
  environment = await startServer();
  const { client, nativeConnection: connection } = environment;
  const queues = [HERE, ELSEWHERE].flatMap((host) =>
    [dom0Queue(host), dom0BulkQueue(host)].map((taskQueue) => ({
      taskQueue,
      activities: Object.fromEntries(activityNames().map((name) => [name, led(host, name)])),
    })),
  );
  workers = await Promise.all([
    Worker.create({
      connection,
      taskQueue: CONTROL_QUEUE,
      workflowBundle: await workflowBundle(),
      activities: createControlActivities(client),
    }),
    ...queues.map((options) => Worker.create({ ...options, connection, maxHeartbeatThrottleInterval: '100ms' })),
  ]);
  running = Promise.all(workers.map((worker) => worker.run()));
  running.catch(() => undefined);
  flow = await connect({ address: environment.address });
  for (const host of [HERE, ELSEWHERE]) await registerDom0(client, facts(host));
}, PATIENCE_MS);
afterAll(async () => {
  await flow.close();
  for (const worker of workers) worker.shutdown();
  await running;
  await environment.teardown();
}, PATIENCE_MS);

beforeEach(async () => {
  for (const host of [HERE, ELSEWHERE]) worlds.set(host, await World.create(host));
});
afterEach(() => {
  for (const each of worlds.values()) each.close();
  worlds.clear();
  stops.clear();
});

function guestflow(argv: readonly string[], options?: RunOptions): Promise<Run> {
  return run([...argv, '--address', environment.address], options);
}

function audit(...flags: string[]): Promise<Run> {
  return guestflow(['dom0', 'audit', HERE, ...flags]);
}

interface Document {
  readonly rows: readonly AuditRow[];
  readonly ledger: LedgerAudit;
  readonly cleaned?: readonly { guest: string; order: string; outcome: string }[];
}

async function rowsOf(guest: string): Promise<AuditRow[]> {
  const { rows } = JSON.parse((await audit('--json')).stdout) as Document;
  return rows.filter((row) => row.guest === guest);
}

/** Has the workflow terminated there, and waits until it is. */
function terminatedAt(guest: string, stop: Stop): Promise<void> {
  return new Promise((resolve) => {
    stops.set(guest, { ...stop, done: resolve });
  });
}

/** Orders a guest whose workflow somebody terminates at this activity. */
async function orderedInVain(guest: string, stop: Stop): Promise<void> {
  const terminated = terminatedAt(guest, stop);
  await guestflow(['provision', guest, '--dom0', HERE, '--no-wait']);
  await terminated;
}

async function order(guest: string): Promise<void> {
  const { code, stderr } = await guestflow(['provision', guest, '--dom0', HERE, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

/** The same order for another dom0, when the history of the first one is forgotten. */
async function orderAnew(guest: string, host: string): Promise<void> {
  const again = orderOf(guest, host, { order: defaultOrderId(guest) });
  await environment.client.workflow.executeUpdateWithStart(GUEST_UPDATES.order, {
    args: [again],
    startWorkflowOperation: new WithStartWorkflowOperation<(input: GuestRun) => Promise<void>>(WORKFLOWS.guest, {
      workflowId: guestWorkflowId(guest),
      taskQueue: CONTROL_QUEUE,
      args: [{ order: again }],
      workflowIdConflictPolicy: 'FAIL',
    }),
  });
  expect(await flow.waitFor(guest)).toMatchObject({ phase: 'running', dom0: host });
}

async function isScheduled(guest: string): Promise<boolean> {
  return environment.client.schedule
    .getHandle(nightlyScheduleId(guest))
    .describe()
    .then(
      () => true,
      () => false,
    );
}

/** Who has addresses in the network of the dom0s. */
async function lessees(): Promise<string[]> {
  const handle = environment.client.workflow.getHandle(networkWorkflowId(NETWORK.cidr));
  return (await handle.query<NetworkState>(QUERIES.leases)).leases.map(({ guest }) => guest);
}

async function reservedOn(host: string): Promise<string[]> {
  return (await flow.dom0State(host)).promised.map(({ guest }) => guest);
}

/** Things that look like ours, and are not. */
function makeByHand({ dom0: { machine, state }, settings }: World): void {
  const paths = guestPaths(settings, 'hand');
  for (const directory of [paths.images, paths.backups, paths.state, `${settings.imageDir}/.guestflow/lost+found`])
    mkdirSync(machine.at(directory), { recursive: true });
  mkdirSync(machine.at(settings.goldenDir), { recursive: true });
  for (const path of [paths.cfg, `${paths.backups}/notes.txt`, `${settings.goldenDir}/mine.tar.gz`, `/etc/xen/hand.cfg.guestflow-part`])
    machine.writeText(path, 'name = "hand"\n');
  for (const name of ['hand-root', 'del-hand-root', 'cut-old'])
    state.volumes.push({
      name,
      extents: 2,
      tags: ['backup'],
      content: { residue: [] },
      hidden: [],
      dataPercent: 0,
      invalid: false,
      minor: 99,
    });
}

function changed(before: DomainState, host = HERE): readonly string[] {
  return asBefore(before, world(host).snapshot(), world(host).settings);
}

const amidTool =
  (tool: string) =>
  ({ name }: FakeCall): boolean =>
    name === tool;

const CUT_SHORT: readonly (readonly [where: string, stop: Stop, left: readonly string[]])[] = [
  [
    'the golden tarball is made',
    { activity: 'ensureGolden', amid: amidTool('mmdebstrap') },
    ['/var/lib/guestflow/golden/bookworm.guestflow-part.tar'],
  ],
  [
    'the image is made',
    { activity: 'createImage', amid: amidTool('xen-create-image') },
    ['/home/xen/.guestflow/NAME', '/var/lib/guestflow/guests/NAME'],
  ],
  [
    'the cfg is written',
    { activity: 'fixCfg', amid: ({ tool, args }) => tool === 'file.write' && /^\/etc\/xen\/[^/]+\.cfg$/.test(args[0] ?? '') },
    ['/etc/xen/NAME.cfg.', '/home/xen/domains/NAME', '/var/lib/guestflow/guests/NAME'],
  ],
  [
    'its volumes are filled',
    { activity: 'makeVolumes', amid: amidTool('qemu-img') },
    ['volume vg01/NAME-root', '/etc/xen/NAME.cfg', '/home/xen/domains/NAME'],
  ],
  [
    'its first backup is taken',
    { activity: 'takeBackup', amid: amidTool('perl') },
    ['volume vg01/NAME-root', 'volume vg01/NAME-backup', 'domain NAME', '/etc/xen/auto/NAME.cfg', '/var/backups/guestflow/NAME'],
  ],
  ['it is sealed', { activity: 'sealGuest' }, ['volume vg01/NAME-root', 'volume vg01/NAME-swap', 'domain NAME', '/etc/xen/auto/NAME.cfg']],
];

describe('a guest whose workflow was terminated', () => {
  it.each(CUT_SHORT.map(([where, stop, left], index) => ({ where, stop, left, name: `cut${String(index)}` })))(
    'while $where is an orphan with all that is left of it, and is removed, and nothing else',
    async ({ stop, left, name }) => {
      makeByHand(world());
      const before = world().snapshot();
      await orderedInVain(name, stop);
      // Which workflows run is known a moment later.
      let shown = '';
      await expect
        .poll(async () => {
          const first = await audit();
          shown = first.stdout;
          return first.code;
        }, POLL)
        .toBe(4);
      const { code, stdout } = await audit('--json');
      expect(code).toBe(4);
      const { rows, cleaned } = JSON.parse(stdout) as Document;
      expect(cleaned).toBeUndefined();
      const things = rows.flatMap((row) => row.things);
      for (const thing of left) expect(things).toContainEqual(expect.stringContaining(thing.replace('NAME', name)));
      expect(rows.map(({ claimed }) => claimed)).toEqual([false]);
      for (const thing of things) expect(shown).toContain(thing);

      const found = world().snapshot();
      expect(errorOf(await audit('--clean', '--json'))).toMatchObject({ type: 'InvalidInput', field: 'yes' });
      expect(changed(found)).toEqual([]);

      const done = await audit('--clean', '--yes', '--json');
      expect(done.code).toBe(0);
      // What is removed was shown before; the one document comes when all is over.
      expect(JSON.parse(done.stderr)).toEqual({ host: HERE, orphans: rows });
      expect((JSON.parse(done.stdout) as Document).cleaned).toMatchObject([{ outcome: 'removed' }]);
      expect(changed(before)).toEqual([]);
      expect((await audit()).code).toBe(0);
      expect(await isScheduled(name)).toBe(false);
      if (rows[0]?.guest === name) expect([...(await lessees()), ...(await reservedOn(HERE))]).not.toContain(name);
    },
    PATIENCE_MS,
  );

  it(
    'while all of it was being removed is removed to its end',
    async () => {
      const before = world().snapshot();
      await order('going');
      const terminated = terminatedAt('going', { activity: 'removeVolumes', amid: amidTool('cmp') });
      const removal = guestflow(['terminate', 'going', '--now', '--yes', '--json']);
      await terminated;
      expect((await removal).code).not.toBe(0);
      expect(await rowsOf('going')).toMatchObject([
        { claimed: false, things: expect.arrayContaining(['volume vg01/del-going-root']) as unknown },
      ]);
      expect(await audit('--clean', '--yes')).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/going \(order manual-going\): removed\n$/) as unknown,
      });
      expect(changed(before)).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    'is removed when a person has seen what there is and said yes, and stays when they did not',
    async () => {
      await orderedInVain('asked', { activity: 'fixCfg' });
      const found = world().snapshot();
      const no = await guestflow(['dom0', 'audit', HERE, '--clean'], { isTTY: true, input: 'n\n' });
      expect(no.code).not.toBe(0);
      expect(no.stdout).toContain('ORPHAN   asked (order manual-asked)');
      expect(changed(found)).toEqual([]);
      const yes = await guestflow(['dom0', 'audit', HERE, '--clean'], { isTTY: true, input: 'y\n' });
      expect(yes.code).toBe(0);
      expect(await rowsOf('asked')).toEqual([]);
    },
    PATIENCE_MS,
  );
});

describe('what only its place tells', () => {
  it(
    'is an orphan of an unknown order, and removed without touching what is marked',
    async () => {
      const { dom0, settings } = world();
      const paths = guestPaths(settings, 'placed');
      const before = world().snapshot();
      for (const path of [stagingOf(paths.state), stagingOf(paths.backups), `${paths.unfinishedImages}/tmp`])
        mkdirSync(dom0.machine.at(path), { recursive: true });
      dom0.machine.writeText(`${paths.cfg}.0123abcd.guestflow-part`, cfgHeader({ guest: 'placed', order: 'half' }).slice(0, 35));
      expect(await rowsOf('placed')).toMatchObject([{ order: UNKNOWN_ORDER, claimed: false, reason: 'there is no workflow of that name' }]);
      expect((await audit()).stdout).toContain('ORPHAN   placed (order unknown): there is no workflow of that name');
      expect((await audit('--clean', '--yes')).code).toBe(0);
      expect(changed(before)).toEqual([]);
    },
    PATIENCE_MS,
  );
});

describe('what cannot be removed', () => {
  it(
    'is said to be left: a copy of a cfg with our mark is where no step of ours looks',
    async () => {
      world().dom0.machine.writeText('/etc/xen/copy.cfg', `${cfgHeader({ guest: 'copied', order: 'o1' })}\nname = "copied"\n`);
      const { code, stdout } = await audit('--clean', '--yes');
      expect(code).toBe(4);
      expect(stdout).toContain('not all could be removed. Left: /etc/xen/copy.cfg');
    },
    PATIENCE_MS,
  );
});

describe('a guest that lives', () => {
  it(
    'claims what it has, what is left of its operations included, and is never cleaned',
    async () => {
      await order('lives');
      const terminated = terminatedAt('lives', { activity: 'takeBackup', amid: amidTool('perl'), of: 'operation' });
      const backup = guestflow(['backup', 'lives', '--json']);
      await terminated;
      expect((await backup).code).not.toBe(0);
      const found = world().snapshot();
      expect(await rowsOf('lives')).toMatchObject([
        { claimed: true, reason: 'running', things: expect.arrayContaining(['volume vg01/lives-backup', 'domain lives']) as unknown },
      ]);
      expect((await audit('--clean', '--yes')).code).toBe(0);
      // Whoever asks for it.
      for (const of of [defaultOrderId('lives'), UNKNOWN_ORDER])
        expect(await flow.dom0Task(HERE, 'clean', { orphans: [{ guest: 'lives', order: of }] })).toEqual([
          { guest: 'lives', order: of, outcome: 'left alone: it is claimed by a guest that is running' },
        ]);
      expect(changed(found)).toEqual([]);
      expect(await isScheduled('lives')).toBe(true);
      expect(await lessees()).toContain('lives');
    },
    PATIENCE_MS,
  );

  it(
    'on another dom0, of the same order, claims nothing here; what it left here goes, and its Schedule and its address stay',
    async () => {
      const before = world().snapshot();
      await orderedInVain('moved', { activity: 'sealGuest' });
      await orderAnew('moved', ELSEWHERE);
      const there = world(ELSEWHERE).snapshot();
      const [row] = await rowsOf('moved');
      expect(row).toMatchObject({ order: defaultOrderId('moved'), claimed: false, reason: `its guest is on dom0 ${ELSEWHERE}` });
      expect(row?.things).not.toContain('schedule nightly/moved');
      // The ledger's audit says the same.
      const { orphans } = await flow.auditLedger(HERE);
      expect(orphans).toEqual([{ guest: row?.guest, order: row?.order, reason: row?.reason }]);
      expect((await audit('--clean', '--yes')).code).toBe(0);
      expect(changed(before)).toEqual([]);
      expect(changed(there, ELSEWHERE)).toEqual([]);
      expect(await isScheduled('moved')).toBe(true);
      expect(await lessees()).toContain('moved');
      expect(await reservedOn(ELSEWHERE)).toContain('moved');
    },
    PATIENCE_MS,
  );

  it(
    'is not disturbed for the sake of another order of its name',
    async () => {
      await order('twice');
      const { state } = world().dom0;
      state.volumes.push({
        name: 'del-twice-root',
        extents: 2,
        tags: volumeTags({ guest: 'twice', order: 'former' }),
        content: { residue: [] },
        hidden: [],
        dataPercent: 0,
        invalid: false,
        minor: 98,
      });
      const { dom0, settings } = world();
      const { images } = guestPaths(settings, 'twice');
      mkdirSync(dom0.machine.at(stagingOf(images)), { recursive: true });
      dom0.machine.writeText(`${stagingOf(images)}/guestflow.json`, markerText({ guest: 'twice', order: 'former' }));
      const found = world().snapshot();
      const { code, stdout } = await audit('--clean', '--yes');
      expect(code).toBe(4);
      expect(stdout).toContain(
        'twice (order former): left alone as long as that guest is on this dom0: the guest of that name is of another order, manual-twice',
      );
      expect(changed(found)).toEqual([]);
      expect(await isScheduled('twice')).toBe(true);
    },
    PATIENCE_MS,
  );

  it(
    'and is being provisioned claims half a golden tarball',
    async () => {
      const { client } = environment;
      const golden = world().settings.goldenDir;
      mkdirSync(world().dom0.machine.at(golden), { recursive: true });
      world().dom0.machine.writeText(`${golden}/trixie.guestflow-part.tar`, '');
      const handle = await client.workflow.start('provisionGuest', {
        workflowId: 'somebodys-provision',
        taskQueue: 'nobody-serves-this',
        args: [],
        typedSearchAttributes: [{ key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.dom0, 'KEYWORD'), value: HERE }],
      });
      await expect.poll(() => rowsOf('golden/trixie'), POLL).toMatchObject([{ claimed: true, reason: 'a guest is being provisioned' }]);
      await handle.terminate();
      await expect.poll(() => rowsOf('golden/trixie'), POLL).toMatchObject([{ claimed: false, reason: 'no guest is being provisioned' }]);
    },
    PATIENCE_MS,
  );
});

describe('a renewal of golden images', () => {
  it(
    'by hand is shown step by step; one that is terminated leaves an orphan, which is removed, and what is in use stays',
    async () => {
      expect((await guestflow(['provision', 'renewer', '--dom0', HERE, '--recipe', 'direct', '--json'])).code).toBe(0);
      const golden = (): string[] => readdirSync(world().dom0.machine.at(world().settings.goldenDir)).sort();
      const renewed = await guestflow(['dom0', 'renew', HERE, '--dist', 'bookworm']);
      expect([renewed.code, renewed.stderr]).toEqual([0, expect.stringMatching(/bookworm: tarball: done .*\n(.*\n)*bookworm: use: done/)]);
      expect(renewed.stdout).toMatch(/^bookworm: the tarball of \S+ is in use, with 1 root file systems\n$/);
      const before = golden();
      expect(before).toHaveLength(8);
      const back = await guestflow(['dom0', 'renew', HERE, '--dist', 'bookworm', '--back']);
      expect([back.code, back.stderr]).toEqual([0, expect.stringMatching(/bookworm: back: done/)]);
      expect(await guestflow(['dom0', 'renew', HERE, '--back'])).toMatchObject({ code: 2 });
      expect(await flow.dom0State(HERE)).toMatchObject({ notRenewed: [] });
      const terminated = terminatedAt(HERE, { activity: 'makeGoldenTrial', amid: amidTool('mkswap'), of: 'operation' });
      const renewal = guestflow(['dom0', 'renew', HERE, '--json']);
      await terminated;
      expect((await renewal).code).not.toBe(0);
      const rows = (): Promise<AuditRow[]> => rowsOf('golden/bookworm');
      await expect.poll(rows, POLL).toMatchObject([
        {
          claimed: false,
          things: expect.arrayContaining(['volume vg01/golden_bookworm-trial', expect.stringMatching(/next\.tar$/)]) as unknown,
        },
      ]);
      expect(await reservedOn(HERE)).toContain('golden/bookworm');
      expect((await audit('--clean', '--yes')).code).toBe(0);
      expect(await reservedOn(HERE)).not.toContain('golden/bookworm');
      expect(
        world()
          .snapshot()
          .volumes.map(({ name }) => name)
          .filter((name) => name.includes('golden')),
      ).toEqual([]);
      expect(await rows()).toEqual([]);
      expect(golden()).toEqual(before);
    },
    PATIENCE_MS,
  );
});
