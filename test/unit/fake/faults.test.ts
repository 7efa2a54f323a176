import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRunner, ToolError, type Runner } from '../../../system/run.ts';
import { createVolume } from '../../../activities/dom0/storage/lvm/lvm.ts';
import { zeroVolume } from '../../../activities/dom0/storage/lvm/wipe.ts';
import { listVolumes } from '../../../activities/dom0/storage/lvm/reports.ts';
import { hostInfo, listDomains } from '../../../activities/dom0/toolstack/xl/xl.ts';
import { WorkerKilled, type FakeDom0, type FakeHost, type FaultKind } from '../../../fake/index.ts';
import { fakeDom0 } from '../activities/dom0/steps/support.ts';

let dom0: FakeDom0;
let host: FakeHost;
beforeEach(async () => {
  dom0 = await fakeDom0();
  host = dom0.host();
});
afterEach(() => {
  dom0.close();
});

const make = (worker: FakeHost = host): Promise<void> =>
  createVolume(worker, { vg: 'vg01', name: 'v', bytes: 2 ** 30, tags: ['guestflow'] });
const names = (): string[] => dom0.snapshot().volumes.map((volume) => volume.name);
const onLvcreate = (kind: FaultKind): void => {
  dom0.faults.add({ match: (call) => call.name === 'lvcreate', kind });
};

async function errorOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as Error,
  );
}

async function toolErrorOf(work: Promise<unknown>): Promise<ToolError> {
  const error = await errorOf(work);
  if (error instanceof ToolError) return error;
  throw error;
}

describe('processes that fail', () => {
  test('a rule lets a process fail once without an effect, and the next one succeed', async () => {
    onLvcreate('fail');
    await expect(make()).rejects.toMatchObject({ tool: 'lvcreate', code: 1, stderr: 'injected failure\n' });
    expect(names()).toEqual([]);
    await make();
    expect(names()).toEqual(['v']);
  });

  test('a rule for always lets each one fail until the plan is restarted', async () => {
    onLvcreate('fail-always');
    for (let round = 0; round < 3; round += 1) await expect(make()).rejects.toBeInstanceOf(ToolError);
    dom0.faults.restart();
    await make();
  });

  test('a process can fail although its work is done', async () => {
    onLvcreate('fail-after');
    await expect(make()).rejects.toBeInstanceOf(ToolError);
    expect(names()).toEqual(['v']);
  });

  test('an injected code is never one that the caller takes for success', async () => {
    dom0.faults.add({ match: 0, kind: 'fail' });
    await expect(host.run('e2fsck', ['-f', '-p', '/dev/vg01/v'], { okCodes: [0, 1] })).rejects.toMatchObject({ code: 2 });
  });

  test('a rule chooses a process by its number since the plan was restarted', async () => {
    await listDomains(host);
    dom0.faults.restart();
    dom0.faults.add({ match: 1, kind: 'fail' });
    await hostInfo(host);
    await expect(listDomains(host)).rejects.toBeInstanceOf(ToolError);
    expect(dom0.faults.fired.map((call) => [call.name, call.index])).toEqual([['xl', 1]]);
  });

  test('a process that hangs ends as one that ran into its time limit', async () => {
    onLvcreate('hang');
    await expect(make()).rejects.toMatchObject({
      timedOut: true,
      cancelled: false,
      code: undefined,
      message: 'lvcreate did not end within 60 s',
    });
    expect(names()).toEqual([]);
  });

  test('one that hangs for ever ends when it is cancelled', async () => {
    dom0.faults.add({ match: 0, kind: 'hang', forever: true });
    const controller = new AbortController();
    const running = errorOf(host.run('xl', ['list'], { signal: controller.signal }));
    setTimeout(() => {
      controller.abort();
    }, 5);
    expect(await running).toMatchObject({ cancelled: true, timedOut: false });
  });

  test('a long tool that is cancelled on its way leaves half of its work', async () => {
    await make();
    dom0.state.volumes[0]?.content.residue.push('former');
    const controller = new AbortController();
    const wiping = zeroVolume(host, '/dev/vg01/v', {
      bytes: 2 ** 30,
      signal: controller.signal,
      onProgress: () => {
        controller.abort();
      },
    });
    await expect(wiping).rejects.toMatchObject({ cancelled: true });
    expect(dom0.snapshot().volumes[0]?.residue).toEqual(['former']);
  });

  test('a tool that is not installed is said to be so', async () => {
    dom0.faults.missingTools.add('lvcreate');
    await expect(make()).rejects.toMatchObject({ notFound: true, message: 'lvcreate is not installed' });
  });
});

describe('a worker that is killed', () => {
  test.each<[FaultKind, string[]]>([
    ['kill-before', []],
    ['kill-middle', ['v']],
    ['kill-after', ['v']],
  ])('%s leaves %j, and nothing that its code does afterwards has an effect', async (kind, left) => {
    onLvcreate(kind);
    expect(await errorOf(make())).toBeInstanceOf(WorkerKilled);
    expect(host.isDead).toBe(true);
    await expect(make()).rejects.toBeInstanceOf(WorkerKilled);
    await expect(host.files.writeAtomic('/tmp/x', 'x')).rejects.toBeInstanceOf(WorkerKilled);
    await expect(host.files.read('/etc/apt/sources.list')).rejects.toBeInstanceOf(WorkerKilled);
    expect(names()).toEqual(left);
  });

  test('the next worker finds what was done', async () => {
    onLvcreate('kill-after');
    await errorOf(make());
    const next = dom0.host();
    expect((await listVolumes(next, 'vg01')).map((volume) => volume.name)).toEqual(['v']);
  });

  test('of a killed process that never settles, nobody hears again', async () => {
    const silent = dom0.host('never');
    onLvcreate('kill-before');
    const outcome = await Promise.race([
      make(silent).then(
        () => 'settled',
        () => 'settled',
      ),
      new Promise((resolve) => {
        setTimeout(resolve, 20, 'silent');
      }),
    ]);
    expect(outcome).toBe('silent');
  });

  test('a file is there whole or not at all, and a kill in the middle leaves half of it under a temporary name', async () => {
    dom0.faults.add({ match: (call) => call.tool === 'file.write', kind: 'kill-middle' });
    await errorOf(host.files.writeAtomic('/etc/xen/g.cfg', 'name = 1'));
    const files = dom0.snapshot().files;
    expect(files['/etc/xen/g.cfg']).toBeUndefined();
    expect(Object.entries(files)).toEqual([[expect.stringMatching(/^\/etc\/xen\/g\.cfg\.\w{8}\.guestflow-part$/), 'name']]);
  });

  test('a kill from outside ends the call that runs', async () => {
    dom0.faults.add({ match: 0, kind: 'hang', forever: true });
    const running = errorOf(host.run('xl', ['list']));
    setTimeout(() => {
      host.kill();
    }, 5);
    expect(await running).toBeInstanceOf(WorkerKilled);
  });
});

describe('conditions', () => {
  test('a full disk takes no files, and lets them be removed', async () => {
    await host.files.writeAtomic('/etc/xen/old', 'x');
    dom0.faults.diskFull = true;
    await expect(host.files.writeAtomic('/etc/xen/new', 'x')).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(host.files.sink('/etc/xen/new')).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await host.files.freeBytes('/home/xen')).toBe(0);
    await host.files.remove('/etc/xen/old');
    expect(await host.files.list('/etc/xen')).toEqual(['auto']);
  });

  test('a read-only file system takes no change at all', async () => {
    await host.files.writeAtomic('/etc/xen/old', 'x');
    dom0.faults.readOnlyFs = true;
    await expect(host.files.remove('/etc/xen/old')).rejects.toMatchObject({ code: 'EROFS' });
    await expect(host.files.rename('/etc/xen/old', '/etc/xen/new')).rejects.toMatchObject({ code: 'EROFS' });
    expect(String(await host.files.read('/etc/xen/old'))).toBe('x');
  });

  test('a full volume group refuses volumes in the words of LVM', async () => {
    dom0.faults.vgFull = true;
    await expect(make()).rejects.toMatchObject({
      code: 5,
      stderr: '  Volume group "vg01" has insufficient free space (0 extents): 256 required.\n',
    });
  });

  test('without a free loop device losetup finds none', async () => {
    dom0.faults.noLoop = true;
    await expect(host.run('losetup', ['--find'])).rejects.toMatchObject({ code: 1 });
  });
});

describe('what the fake is strict about', () => {
  test('a command line that it does not know is an error that nobody can take for a failed tool', async () => {
    const error = await errorOf(host.run('lvcreate', ['-L', '1G', '-n', 'v', 'vg01']));
    expect(error).not.toBeInstanceOf(ToolError);
    expect(error.message).toBe('fake dom0: unknown command line: lvcreate -L 1G -n v vg01');
    expect((await errorOf(host.run('dd', ['if=/dev/zero']))).message).toMatch(/unknown command line: dd/);
    expect((await errorOf(host.pipeline([{ tool: 'cat', args: ['x'] }], { sink: () => undefined }))).message).toMatch(
      /unknown command line: cat x/,
    );
    expect(dom0.unknown).toHaveLength(3);
  });

  test('an error has the same shape as one of the real runner', async () => {
    const fields = async (runner: Runner, tool: string, args: string[], label: string): Promise<object> => {
      const error = await toolErrorOf(runner.run(tool, args, { label, okCodes: [0, 1] }));
      const { message, name, code, stdout, stderr, timedOut, cancelled, notFound } = error;
      return { message, name, code, stdout, stderr, timedOut, cancelled, notFound };
    };
    dom0.faults.add({ match: 0, kind: 'fail', exitCode: 3, stderr: 'one\ntwo\n' });
    const fake = await fields(host, 'xl', ['list'], 'the list');
    const real = await fields(
      createRunner(),
      process.execPath,
      ['-e', 'process.stderr.write("one\\ntwo\\n"); process.exit(3)'],
      'the list',
    );
    expect(fake).toEqual(real);
    dom0.faults.missingTools.add('no-such-tool');
    const notThere = await toolErrorOf(createRunner().run('no-such-tool', []));
    dom0.faults.missingTools.add('xl');
    expect(await errorOf(host.run('xl', ['list']))).toMatchObject({
      notFound: true,
      code: notThere.code,
      message: notThere.message.replace('no-such-tool', 'xl'),
    });
  });
});
