/** The client library and the command line against a real Temporal, with scripted steps on the dom0. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Guestflow } from '../../client/index.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import { defaultOrderId } from '../../order/order.ts';
import type { Dom0Facts } from '../../contract/dom0.ts';
import type { GuestOrder, GuestStatus } from '../../contract/guest.ts';
import { errorOf, run, type Run } from '../unit/cli/run.ts';
import { DOM0, startServer, withWorkers, type AnyActivities } from './temporal.ts';
import { until } from './scripted.ts';

const NETWORK = { ip: '192.0.2.10', netmask: '255.255.255.0', gateway: '192.0.2.1', bridge: 'xenbr0' };
const FACTS: Dom0Facts = {
  host: DOM0,
  seenAt: '2026-01-01T00:00:00.000Z',
  xenVersion: '4.17.7',
  memoryBytes: 2 ** 34,
  memoryFreeBytes: 2 ** 33,
  cpus: 8,
  pools: [{ name: 'vg01', sizeBytes: 2 ** 40, freeBytes: 2 ** 39 }],
  imageDirFreeBytes: 2 ** 36,
  network: { cidr: '192.0.2.0/24', gateway: '192.0.2.1', bridge: 'xenbr0' },
  addresses: [],
  workerVersion: '0.1.0',
  domains: [{ name: 'Domain-0', id: 0, memoryMiB: 1024, vcpus: 2, state: 'running', cpuSeconds: 12.5 }],
};
const BACKUP = {
  id: 'b1',
  guest: 'g',
  takenAt: '2026-01-01T00:00:00.000Z',
  repository: '/var/backups/guestflow',
  key: 'g/b1.img.zst',
  bytes: 2 ** 20,
  dumpedBytes: 2 ** 21,
  sha256: '',
  engine: 'blocks',
  seconds: 1.5,
  state: 'verified',
  consistency: 'crash',
};
/** Two backups of one day, of which one is kept. */
const OF_ONE_DAY = ['02', '03'].map((hour) => ({
  ...BACKUP,
  id: `20260101T${hour}0000Z`,
  takenAt: `2026-01-01T${hour}:00:00.000Z`,
  bytes: 2 ** 21,
}));

/** Resolves when the step `boot` of the guest called `stuck` runs. */
let stuckBoots = (): void => undefined;
const stuckHasBegun = new Promise<void>((resolve) => {
  stuckBoots = resolve;
});

const ANSWERS: Record<string, unknown> = {
  reserve: NETWORK,
  ensureGolden: { dist: 'bookworm', createdAt: '2026-01-01', reused: true },
  createImage: { bytes: 1 },
  fixCfg: { path: '/etc/xen/x.cfg', changed: [], sha256: '' },
  stopGuest: { how: 'shut down' },
  makeVolumes: { root: 'r', swap: 's', copiedBytes: 1 },
  restoreVolumes: { root: 'r', swap: 's', copiedBytes: 1 },
  domains: FACTS.domains,
  dom0Facts: FACTS,
  setWallclock: {
    independentWallclock: 'not needed',
    kernel: '6.1.0',
    clocksource: 'xen',
    timeDaemon: 'chrony',
    skewSeconds: 0,
    wentBackwards: [],
  },
  enableAutostart: { link: 'l' },
  takeBackup: BACKUP,
  pruneBackups: { removed: [OF_ONE_DAY[0]?.id], freedBytes: 3 * 2 ** 20 },
  scheduleNightly: 'nightly/x',
  sealGuest: { sealed: true },
  leftoversOf: [],
  schedulesLeft: [],
  preflight: {
    host: DOM0,
    checkedAt: '2026-01-01T00:00:00.000Z',
    ok: false,
    rows: [{ row: 'bridge', state: 'missing', found: 'no bridge xenbr0', mend: 'ifup xenbr0' }],
  },
  lookAtUsage: {
    since: '2025-12-24T12:00:00.000Z',
    months: [
      { month: '2026-01', inBytes: 3 * 2 ** 30, outBytes: 2 ** 19 },
      { month: '2025-12', inBytes: 0, outBytes: 5 * 2 ** 20 },
    ],
    diskBytes: 9 * 2 ** 30,
    memoryBytes: 2 ** 29,
    vcpus: 2,
  },
  inspectGuest: { autostart: true, volumes: [], backups: OF_ONE_DAY, console: 'Debian GNU/Linux 12\nlogin: ' },
};
/** The one that is protected. */
let protectedId: string | undefined;

function listBackups(): Promise<unknown> {
  const backups = OF_ONE_DAY.map((backup) => ({ ...backup, ...(backup.id === protectedId ? { isProtected: true } : {}) }));
  return Promise.resolve({ backups, damaged: [] });
}

function setProtected({ id, isProtected }: { id: string; isProtected: boolean }): Promise<unknown> {
  protectedId = isProtected ? id : undefined;
  return Promise.resolve({ ...OF_ONE_DAY.find((backup) => backup.id === id), ...(isProtected ? { isProtected } : {}) });
}

const UNDOS = [
  'release',
  'removeGuestState',
  'removeImage',
  'removeCfg',
  'destroyGuest',
  'removeVolumes',
  'disableAutostart',
  'unscheduleNightly',
  'undoBackup',
  'removeBackups',
  'dropImage',
  'discardHalfGolden',
];

async function bootGuest(spec: GuestOrder): Promise<unknown> {
  if (spec.name === 'broken') {
    throw ApplicationFailure.create({
      type: 'GuestDidNotAnswer',
      nonRetryable: true,
      message: 'broken did not answer within 300 s',
      details: [{ console: 'Kernel panic' }],
    });
  }
  if (spec.name === 'stuck') {
    const context = Context.current();
    const timer = setInterval(() => {
      context.heartbeat({ message: 'waiting for sshd', fraction: 0.5 });
    }, 100);
    stuckBoots();
    await context.cancelled.finally(() => {
      clearInterval(timer);
    });
  }
  return { domainId: 1, seconds: 1, rootDevice: '/dev/xvda2', kernel: '6.1.0' };
}

function activities(): AnyActivities {
  const plain = Object.fromEntries(
    [...Object.keys(ANSWERS), ...UNDOS].map((name) => [name, (): Promise<unknown> => Promise.resolve(ANSWERS[name])]),
  );
  return {
    ...plain,
    bootGuest,
    listBackups,
    setProtected,
    planGuest: (input: { order: GuestOrder }) => Promise.resolve({ ...input.order, network: { ...NETWORK, mac: '00:16:3E:00:00:01' } }),
  };
}

let environment: TestWorkflowEnvironment;
let flow: Guestflow;
let finish = (): void => undefined;
let workers: Promise<void>;

beforeAll(async () => {
  environment = await startServer();
  const end = new Promise<void>((resolve) => {
    finish = resolve;
  });
  workers = withWorkers(environment, activities(), () => end);
  flow = await connect({ address: environment.address });
  await registerDom0(environment.client, FACTS);
});
afterAll(async () => {
  await flow.close();
  finish();
  await workers;
  await environment.teardown();
});

function guestflow(...argv: string[]): Promise<Run> {
  return run([...argv, '--address', environment.address]);
}

describe('provision', () => {
  it('waits until the guest is there, and prints one document with its steps', async () => {
    const { code, stdout, stderr } = await guestflow('provision', 'web1', '--dom0', DOM0, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const status = JSON.parse(stdout) as GuestStatus;
    expect(status).toMatchObject({ name: 'web1', phase: 'running', order: 'manual-web1', dom0: DOM0 });
    expect(status.steps?.every(({ state }) => state === 'done')).toBe(true);
  });

  it('given again, is the same order with the same answer', async () => {
    const first = JSON.parse((await guestflow('provision', 'web2', '--dom0', DOM0, '--no-wait', '--json')).stdout) as object;
    const again = JSON.parse((await guestflow('provision', 'web2', '--dom0', DOM0, '--no-wait', '--json')).stdout) as object;
    expect(again).toEqual(first);
  });

  it('given again with another content, is refused, and the guest is as it was ordered', async () => {
    await guestflow('provision', 'web6', '--dom0', DOM0, '--no-wait');
    const refused = await guestflow('provision', 'web6', '--dom0', DOM0, '--swap', '256Mb', '--no-wait', '--json');
    expect(refused.code).toBe(2);
    expect(errorOf(refused)).toMatchObject({ type: 'InvalidInput', field: 'order' });
  });

  it('makes another guest from the last backup of one, on its dom0 and of its plan', async () => {
    await guestflow('provision', 'first', '--dom0', DOM0);
    const { code, stdout } = await guestflow('restore', 'first', '--as', 'second', '--json');
    expect(code).toBe(0);
    const { spec, steps = [], ...status } = JSON.parse(stdout) as GuestStatus;
    // They are listed in the order in which they ran.
    const begun = steps.map(({ startedAt = '' }) => startedAt);
    expect(begun.length).toBeGreaterThan(5);
    expect(begun).toEqual([...begun].sort());
    expect(status).toMatchObject({ name: 'second', phase: 'running', order: 'manual-second', dom0: DOM0, plan: 'small' });
    expect(spec).toMatchObject({ name: 'second', origin: { guest: 'first', order: 'manual-first', backup: BACKUP.id } });
  });

  it.each([
    ['no backup of that time', ['--as', 'third', '--at', '2020-01-01'], 'NotFound', 'at'],
    ['a name that is none', ['--as', 'del-third'], 'InvalidInput', 'name'],
    ['an address that is none', ['--as', 'third', '--ip', '300.1.1.1'], 'InvalidInput', 'ip'],
    ['a directory beside it', ['--as', 'third', '--repository', '/var/backups'], 'InvalidInput', 'as'],
    ['an order without another guest', ['--order', 'X1'], 'InvalidInput', 'order'],
  ])('makes no other guest where there is %s', async (_, argv, type, field) => {
    const refused = await guestflow('restore', 'first', ...argv, '--json');
    expect(errorOf(refused)).toMatchObject({ type, field });
    expect(await flow.exists('third')).toBe(false);
  });

  it('refuses a name that another order has', async () => {
    await guestflow('provision', 'web3', '--dom0', DOM0, '--no-wait');
    const refused = await guestflow('provision', 'web3', '--dom0', DOM0, '--order', 'another', '--json');
    expect(refused.code).toBe(3);
    expect(errorOf(refused)).toMatchObject({ type: 'NotOurs', field: 'name' });
  });

  it('takes the only dom0 when the order names none', async () => {
    await until(
      () => flow.dom0s(),
      (hosts) => hosts.length === 1,
    );
    const { stdout } = await guestflow('provision', 'web4', '--no-wait', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ dom0: DOM0 });
  });

  it('refuses a dom0 that nobody serves', async () => {
    const refused = await guestflow('provision', 'web5', '--dom0', 'nowhere', '--json');
    expect(refused.code).toBe(5);
    expect(errorOf(refused)).toMatchObject({ type: 'Unreachable', field: 'dom0', value: 'nowhere' });
    expect(await flow.exists('web5')).toBe(false);
  });

  it('of a guest that does not answer ends with the console and what was undone', async () => {
    const failed = await guestflow('provision', 'broken', '--dom0', DOM0, '--json');
    expect(failed.code).toBe(1);
    expect(errorOf(failed)).toMatchObject({
      type: 'GuestDidNotAnswer',
      console: 'Kernel panic',
      undone: expect.arrayContaining(['boot', 'create-image']) as unknown,
    });
  });

  it('interrupted with --on-interrupt cancel, undoes the guest and ends with 130', async () => {
    const interrupt = new AbortController();
    const running = run(['provision', 'stuck', '--dom0', DOM0, '--on-interrupt', 'cancel', '--address', environment.address], {
      interrupt: interrupt.signal,
    });
    await stuckHasBegun;
    const seen = await until(
      () => flow.progress('stuck'),
      ({ activities: [activity] }) => activity?.message !== undefined,
    );
    expect(seen.activities[0]).toMatchObject({
      activity: 'bootGuest',
      message: 'waiting for sshd',
      fraction: 0.5,
      waitingForWorker: false,
    });
    interrupt.abort();
    const { code, stderr } = await running;
    expect(code).toBe(130);
    expect(stderr).toContain('guest stuck was cancelled');
    expect((await flow.status('stuck')).phase).toBe('failed');
  });
});

describe('the other commands', () => {
  const name = 'shop1';
  beforeAll(async () => {
    await guestflow('provision', name, '--dom0', DOM0);
  });

  it('list shows the guest with its phase', async () => {
    const rows = await until(
      () => flow.list({ phase: 'running' }),
      (found) => found.some((row) => row.name === name),
    );
    expect(rows.find((row) => row.name === name)).toMatchObject({ dom0: DOM0, plan: 'small', order: defaultOrderId(name) });
    expect((await guestflow('list', '--dom0', DOM0)).stdout).toMatch(/shop1 +running +xen1 +small/);
  });

  it('show says address, disks and steps in words', async () => {
    const { stdout } = await guestflow('show', name);
    expect(stdout).toContain('shop1 is running');
    expect(stdout).toContain('192.0.2.10');
    expect(stdout).toMatch(/ {2}boot +done in/);
  });

  it('console prints the end of the console', async () => {
    expect((await guestflow('console', name, '--lines', '5')).stdout).toBe('Debian GNU/Linux 12\nlogin: \n');
  });

  it('usage prints the traffic by month, the newest first, and what it has now', async () => {
    const { stdout } = await guestflow('usage', name);
    expect(stdout).toContain(`${name}: disks 9 GiB, memory 512 MiB, vcpus 2\n`);
    expect(stdout).toMatch(/MONTH +IN +OUT\n2026-01 +3 GiB +512 KiB\n2025-12 +0 KiB +5 MiB\n/);
    expect(JSON.parse((await guestflow('usage', name, '--json')).stdout)).toMatchObject({
      guest: name,
      months: [{ month: '2026-01' }, {}],
    });
  });

  it('stop, start and backup run as operations and say what came of them', async () => {
    expect((await guestflow('stop', name)).stdout).toContain('it is stopped');
    expect((await guestflow('start', name)).stdout).toContain('it is running');
    expect((await guestflow('backup', name)).stdout).toContain('/var/backups/guestflow/g/b1.img.zst');
    expect((await guestflow('backups', name, '--json')).stdout).toContain('"key": "g/b1.img.zst"');
  });

  it('shows which backups retention keeps and by which rule, and removes the others when it is told to', async () => {
    const dry = await guestflow('backups', name, '--prune', '--dry-run');
    expect(dry.stdout).toMatch(/20260101T030000Z .* last verified, daily 1 of 7/);
    expect(dry.stdout).toMatch(/20260101T020000Z .* – \(goes\)/);
    expect(dry.stdout).toContain(`1 of 2 backups of ${name} would go, 2 MiB; nothing was changed`);
    expect(JSON.parse((await guestflow('backups', name, '--prune', '--dry-run', '--json')).stdout)).toMatchObject({
      guest: name,
      going: ['20260101T020000Z'],
      bytes: 2 ** 21,
    });
    expect((await guestflow('backups', name, '--prune')).stdout).toContain(`1 backups of ${name} are removed, 3 MiB given back; 1 stay`);
    expect((await guestflow('backups', name, '--dry-run')).code).toBe(2);
  });

  it('protects a backup from retention, shows that, and leaves it to retention again', async () => {
    const [, { id } = { id: '' }] = OF_ONE_DAY;
    expect((await guestflow('backups', name, '--protect', id)).stdout).toContain(`backup ${id} of ${name} is protected`);
    expect((await guestflow('backups', name)).stdout).toMatch(new RegExp(`${id} .* verified, protected `));
    expect((await guestflow('backups', name, '--unprotect', id)).stdout).toContain('is left to retention again');
    const gone = await guestflow('backups', name, '--protect', 'b7', '--json');
    expect(gone.code).toBe(3);
    expect(errorOf(gone)).toMatchObject({ type: 'NotFound', message: expect.stringContaining('the guest has no backup b7') as string });
  });

  it('a guest that there is not is refused by name', async () => {
    for (const command of ['show', 'start', 'backup', 'backups', 'cancel', 'terminate', 'console', 'usage']) {
      const refused = await guestflow(command, 'nobody', '--json');
      expect(refused.code, command).toBe(3);
      expect(errorOf(refused)).toMatchObject({ type: 'NotFound', message: 'there is no guest nobody' });
    }
  });

  it('cancel of a guest at rest says that nothing runs', async () => {
    expect(await guestflow('cancel', name)).toMatchObject({ code: 0, stdout: 'nothing runs on shop1\n' });
  });

  it('dom0 check ends with 3 when something is missing, and names what mends it', async () => {
    const { code, stdout } = await guestflow('dom0', 'check', DOM0);
    expect(code).toBe(3);
    expect(stdout).toContain('ifup xenbr0');
  });

  it('dom0 show, facts and drain know the dom0; top shows its domains', async () => {
    expect((await guestflow('dom0', 'show', DOM0)).stdout).toContain('4.17.7');
    expect(JSON.parse((await guestflow('dom0', 'facts', DOM0, '--json')).stdout)).toEqual(FACTS);
    expect((await guestflow('dom0', 'drain', DOM0)).code).toBe(0);
    expect((await flow.dom0State(DOM0)).drained).toBe(true);
    expect((await guestflow('dom0', 'drain', DOM0, '--off')).code).toBe(0);
    expect((await guestflow('top', '--dom0', DOM0)).stdout).toMatch(/Domain-0 +0 +running +1024 +2 +12\.5/);
    expect((await guestflow('dom0', 'show', 'nowhere')).code).toBe(3);
  });

  it('top shows the fleet at a glance, once or until Ctrl-C', async () => {
    const { code, stdout } = await guestflow('top', '--once');
    expect(code).toBe(0);
    expect(stdout).toMatch(/guests: .*\d+ running/);
    expect(stdout).toMatch(new RegExp(`^${DOM0} +(served|silent) +\\d+ `, 'm'));
    const view = JSON.parse((await guestflow('top', '--json')).stdout) as {
      dom0s: unknown[];
      guests: Record<string, number>;
      wrong: unknown[];
    };
    expect(view).toMatchObject({ dom0s: [{ dom0: DOM0 }], running: [], wrong: expect.any(Array) as unknown });
    expect(view.guests['running']).toBeGreaterThan(0);
    // Ctrl-C as soon as it is heeded: after the first look.
    const interrupt = { addEventListener: (_: string, heed: () => void) => setImmediate(heed), removeEventListener: () => undefined };
    const watching = run(['top', '--watch', '--address', environment.address], { interrupt: interrupt as unknown as AbortSignal });
    expect(await watching).toMatchObject({ code: 130, stdout: expect.stringContaining('what is wrong') as string });
  });

  it('an order that comes again after its guest has gone gets the answer that it had', async () => {
    const before = JSON.parse((await guestflow('provision', 'gone1', '--dom0', DOM0, '--json')).stdout) as GuestStatus;
    expect((await guestflow('terminate', 'gone1', '--now', '--yes')).code).toBe(0);
    await until(
      () => flow.status('gone1'),
      ({ phase }) => phase === 'gone',
    );
    await environment.client.workflow.result('guest/gone1');
    const again = await guestflow('provision', 'gone1', '--dom0', DOM0, '--no-wait', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ order: before.order, workflowId: 'guest/gone1' });
    expect((await guestflow('provision', 'gone1', '--dom0', DOM0, '--order', 'new', '--json')).code).toBe(3);
  });
});
