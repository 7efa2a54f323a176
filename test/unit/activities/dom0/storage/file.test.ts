/** A dom0 whose guests' disks are files: a guest's life on it, its backups, and workers that are killed at any instruction. */
import { afterEach, describe, expect, it } from 'vitest';
import { ensureGoldenRoot } from '../../../../../activities/dom0/images/golden-root.ts';
import { discardImage, hasImage } from '../../../../../activities/dom0/images/image-files.ts';
import { takeBackup, undoBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { bootGuest, pauseGuest, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { makeGoldenVolumes } from '../../../../../activities/dom0/steps/golden-volumes.ts';
import { growDiskInUse } from '../../../../../activities/dom0/steps/grow-in-use.ts';
import { dom0Facts, leftoversOf } from '../../../../../activities/dom0/steps/look.ts';
import { dropImage, removeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { preflight, prepare } from '../../../../../activities/dom0/steps/preflight.ts';
import { growDisk, reduceDisk, shrinkDisk, tryReducing } from '../../../../../activities/dom0/steps/resize-disk.ts';
import { exchangeDisks, fillRestored } from '../../../../../activities/dom0/steps/restore.ts';
import { bringBackVolumes, setAsideVolumes } from '../../../../../activities/dom0/steps/set-aside.ts';
import { makeSwap } from '../../../../../activities/dom0/tools/ext4.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { GiB, MiB } from '../../../../../contract/sizes.ts';
import { WorkerKilled, type FakeDom0, type FakeDom0Options } from '../../../../../fake/index.ts';
import { closeKnowing, fakeDom0, onVolumes, settings, spec, stepEnv } from '../steps/support.ts';

const DIRECTORY = '/home/xen/disks';
const ITS = { ...settings(), diskDir: DIRECTORY };
const guest = spec('guest1', '10.0.0.5');
const ref = { name: guest.name, order: guest.order, dom0: 'dom0' };
const ROOT = `${DIRECTORY}/guest1-root/disk.img`;
const SWAP = `${DIRECTORY}/guest1-swap/disk.img`;

let dom0: FakeDom0;
const envNow = (): StepEnv => stepEnv(dom0.host(), undefined, ITS);

async function start(options: Partial<FakeDom0Options> = {}): Promise<StepEnv> {
  dom0 = await fakeDom0(options);
  const env = envNow();
  await prepare(env);
  return env;
}
async function withGuest(options: Partial<FakeDom0Options> = {}): Promise<StepEnv> {
  const env = await start(options);
  await onVolumes(env.host, guest, ITS);
  return env;
}
async function running(options: Partial<FakeDom0Options> = {}): Promise<StepEnv> {
  const env = await withGuest(options);
  await bootGuest(env, guest);
  return env;
}
const domain = (): FakeDom0['state']['domains'][number] | undefined => dom0.state.domains[0];
const namesIn = async (): Promise<string[]> => (await envNow().host.files.list(DIRECTORY)).filter((name) => name !== '.guestflow');

afterEach(() => {
  closeKnowing(dom0);
});

describe('a guest whose disks are files', () => {
  it('by the recipe how-to starts from copies of its image, which stays until it uses them', async () => {
    const env = await start();
    await onVolumes(env.host, guest, ITS);
    await expect(dropImage(env, guest)).rejects.toThrow('does not use its volume');
    await bootGuest(env, guest);
    await dropImage(env, guest);
    expect(await hasImage(env, guest)).toBe(false);
    expect(
      domain()
        ?.disks.map(({ source }) => source)
        .sort(),
    ).toEqual([ROOT, SWAP]);
    expect(String((await env.toolstack.readCfg('guest1'))?.bytes)).toContain(`file:${ROOT},xvda2,w`);
  });

  it('by the recipe direct has the golden root file system, made its own', async () => {
    const env = await start();
    const direct = spec('guest1', '10.0.0.5', { os: { recipe: 'direct' } });
    await ensureGoldenRoot(env, direct);
    expect(await makeGoldenVolumes(env, direct)).toMatchObject({ root: ROOT, swap: SWAP });
    await fixCfg(env, { spec: direct, disks: 'volume', onCrash: 'restart' });
    await bootGuest(env, direct);
    expect(dom0.machine.disk(ROOT)?.content.fs).toMatchObject({ label: 'guest1', bytes: guest.size.diskBytes, damaged: false });
  });

  it('is counted with all of its room, and the directory is what is sold', async () => {
    const env = await withGuest();
    await discardImage(env, guest);
    const taken = guest.size.diskBytes + guest.size.swapBytes;
    const { pools, holdings } = await dom0Facts(env, 'test');
    expect(pools).toEqual([{ name: DIRECTORY, sizeBytes: 64 * GiB, freeBytes: 64 * GiB - taken }]);
    expect(holdings).toMatchObject([{ guest: 'guest1', pool: DIRECTORY, diskBytes: taken }]);
    expect((await preflight(env)).rows.find(({ row }) => row === 'disk directory')).toMatchObject({ state: 'ok' });
  });

  it('is not made where it would take the reserve', async () => {
    const env = await start();
    const bytes = 64 * GiB - ITS.policy.reserve.diskBytes;
    const disk = { role: 'root', field: 'disk', fill: () => Promise.resolve() } as const;
    const refused = env.storage.ensure(ref, { ...disk, bytes: bytes + MiB });
    await expect(refused).rejects.toMatchObject({ type: 'NoCapacity', message: expect.stringMatching(/keeps 1 GiB of that/) as string });
    expect(await namesIn()).toEqual([]);
    await env.storage.ensure(ref, { ...disk, bytes });
  });

  it('gets a larger disk and a smaller one, off and on, and sees the larger one without a restart', async () => {
    const env = await running();
    const { id } = domain() ?? {};
    await growDiskInUse(env, { spec: guest, bytes: 3 * GiB });
    expect(domain()?.id).toBe(id);
    const told = dom0.calls.filter(({ tool, args }) => tool === 'losetup' && args[0] === '--set-capacity').map(({ args }) => args[1]);
    const loop = dom0.state.loops.find(({ file }) => file === ROOT)?.name;
    expect(told).toEqual([loop]);
    await tryReducing(env, { ref, bytes: 2 * GiB });
    expect(domain()?.state).toBe('running');
    await growDisk(env, { ref, bytes: 4 * GiB });
    expect(dom0.machine.disk(ROOT)).toMatchObject({ bytes: 4 * GiB, content: { fs: { bytes: 4 * GiB } } });
    await shrinkDisk(env, { ref, bytes: 3 * GiB });
    await reduceDisk(env, { ref, bytes: 2 * GiB });
    expect(dom0.machine.disk(ROOT)).toMatchObject({ bytes: 2 * GiB, content: { fs: { bytes: 2 * GiB, damaged: false } } });
    expect((await env.storage.find(ref, 'root')).grownFrom).toBeUndefined();
  });

  it('is restored from its backup, set aside, brought back and removed, and leaves nothing', async () => {
    const env = await running();
    const { id } = await takeBackup(env, guest);
    await fillRestored(env, { ref, id });
    await exchangeDisks(env, { ref, spare: 'restored' });
    await bootGuest(env, guest);
    expect(dom0.machine.disk(`${DIRECTORY}/guest1-former/disk.img`)?.content.fs?.label).toBe('guest1');
    await stopGuest(env, ref);
    await setAsideVolumes(env, ref);
    expect(await namesIn()).toEqual(['del-guest1-root', 'del-guest1-swap', 'guest1-former']);
    await bringBackVolumes(env, ref);
    await bootGuest(env, guest);
    await stopGuest(env, ref);
    await removeVolumes(env, ref);
    expect(await namesIn()).toEqual([]);
    expect((await leftoversOf(env, ref)).filter((what) => what.includes(DIRECTORY))).toEqual([]);
    expect(await env.storage.facts()).toMatchObject({ freeBytes: 64 * GiB });
  });
});

describe('its backup', () => {
  it('is taken of a copy, while the guest is paused, and says so', async () => {
    const env = await running();
    const backup = await takeBackup(env, guest);
    expect(backup).toMatchObject({ consistency: 'paused', state: 'verified' });
    expect(backup.warnings).toEqual([expect.stringMatching(/^it was paused for \d+ s while its disk was copied$/)]);
    expect(domain()?.state).toBe('running');
    expect(await namesIn()).toEqual(['guest1-root', 'guest1-swap']);
    const tools = dom0.calls.map(({ tool, args }) => [tool, ...args].join(' '));
    const at = (words: string): number => tools.findIndex((line) => line.startsWith(words));
    expect(at('xl pause')).toBeLessThan(at('cp --reflink=never'));
    expect(at('cp --reflink=never')).toBeLessThan(at('xl unpause'));
  });

  it('pauses nobody where the file system shares blocks', async () => {
    const env = await running({ reflink: true });
    expect(await takeBackup(env, guest)).toMatchObject({ consistency: 'crash' });
    expect(dom0.calls.some(({ tool, args }) => tool === 'xl' && args[0] === 'pause')).toBe(false);
  });

  it('of a managed guest is flushed, and says that it was paused, too', async () => {
    const managed = spec('guest1', '10.0.0.5', { access: { managed: true } });
    const { consistency, warnings } = await takeBackup(await running(), managed);
    expect([consistency, warnings]).toEqual(['flushed', [expect.stringMatching(/^it was paused for/)]]);
  });

  it('leaves a guest paused that somebody else has paused, and off one that is off', async () => {
    const env = await running();
    await pauseGuest(env, ref);
    expect(await takeBackup(env, guest)).toMatchObject({ consistency: 'crash' });
    expect(domain()?.state).toBe('paused');
    await stopGuest(env, ref);
    expect(await takeBackup(env, guest)).toMatchObject({ consistency: 'stopped' });
  });

  it('is refused where there is no room for the copy, and may be had later', async () => {
    const env = await running();
    const rest = ((await env.storage.facts())?.freeBytes ?? 0) - GiB;
    dom0.machine.makeImage(`${DIRECTORY}/theirs.img`, rest, { residue: [], allocated: true });
    await expect(takeBackup(env, guest)).rejects.toMatchObject({ type: 'NoCapacity', retryable: true });
    expect(domain()?.state).toBe('running');
    expect(await namesIn()).toEqual(['guest1-root', 'guest1-swap', 'theirs.img']);
  });

  it('has its guest go on when the copy fails', async () => {
    const env = await running();
    dom0.faults.add({ kind: 'fail-middle', match: ({ tool, args }) => tool === 'cp' && args[0] === '--reflink=never' });
    await expect(takeBackup(env, guest)).rejects.toThrow(/cp/);
    expect(domain()?.state).toBe('running');
    expect(await namesIn()).toEqual(['guest1-root', 'guest1-swap']);
  });

  it('is not taken of a disk that somebody uses beside the guest, who cannot be stopped', async () => {
    const env = await withGuest();
    dom0.state.loops.push({ name: '/dev/loop7', file: ROOT, autoclear: false });
    await expect(takeBackup(env, guest)).rejects.toMatchObject({ type: 'ToolFailed', message: expect.stringMatching(/is open/) as string });
    dom0.state.loops = [];
  });
});

describe('a worker that is killed at any instruction', () => {
  /** Work, and what is there when it was done. */
  interface Job {
    readonly before: () => Promise<StepEnv>;
    readonly work: (env: StepEnv) => Promise<unknown>;
    readonly after: (env: StepEnv) => Promise<void>;
  }
  const make = (env: StepEnv, role: 'root' | 'restored' = 'root', bytes = 8 * MiB): Promise<void> =>
    env.storage.ensure(ref, { role, bytes, field: 'disk', fill: (device) => makeSwap(env.host, device) });
  const disk = async (names = 'guest1-root'): Promise<StepEnv> => {
    const env = await start();
    for (const name of names.split(' ')) await make(env, name === 'guest1-root' ? 'root' : 'restored');
    return env;
  };
  const has = async (...names: string[]): Promise<void> => expect(await namesIn()).toEqual(names);
  const hasRoot = async (env: StepEnv, bytes: number): Promise<void> => {
    expect(await env.storage.find(ref, 'root')).toMatchObject({ bytes, state: 'whole' });
    expect(dom0.machine.disk(ROOT)?.content).toMatchObject({ residue: [], allocated: true });
  };

  const JOBS: Readonly<Record<string, Job>> = {
    'makes a disk': { before: () => start(), work: (env) => make(env), after: (env) => hasRoot(env, 8 * MiB) },
    'grows a disk': {
      before: () => disk(),
      work: async (env) => {
        const there = await env.storage.find(ref, 'root');
        if (there.bytes < 16 * MiB) await env.storage.grow(there, 16 * MiB);
        await env.storage.finishGrowing(there, 8 * MiB, 16 * MiB);
      },
      after: (env) => hasRoot(env, 16 * MiB),
    },
    'grows a disk in use': {
      before: () => disk(),
      work: (env) => env.storage.growInUse(ref, 16 * MiB),
      after: (env) => hasRoot(env, 16 * MiB),
    },
    'cuts a disk': {
      before: () => disk(),
      work: async (env) => env.storage.shrink(await env.storage.find(ref, 'root'), 4 * MiB),
      after: (env) => hasRoot(env, 4 * MiB),
    },
    'exchanges disks': {
      before: () => disk('guest1-root guest1-restored'),
      work: (env) => env.storage.exchange(ref, 'restored'),
      after: () => has('guest1-former', 'guest1-root'),
    },
    'sets a disk aside': {
      before: () => disk(),
      work: (env) => env.storage.setAside(ref, ['root']),
      after: () => has('del-guest1-root'),
    },
    'brings a disk back': {
      before: async () => {
        const env = await disk();
        await env.storage.setAside(ref, ['root']);
        return env;
      },
      work: (env) => env.storage.bringBack(ref, ['root']),
      after: (env) => hasRoot(env, 8 * MiB),
    },
    'releases disks': {
      before: () => disk('guest1-root guest1-restored'),
      work: (env) => env.storage.release(ref),
      after: () => has(),
    },
    'takes a snapshot': {
      before: () => running(),
      work: (env) => env.storage.snapshot(ref),
      after: async (env) => {
        expect(domain()?.state).toBe('running');
        expect(dom0.machine.disk(`${DIRECTORY}/guest1-backup/disk.img`)?.content.fs?.damaged).toBe(false);
        await env.storage.dropSnapshot(ref);
        await has('guest1-root', 'guest1-swap');
      },
    },
    'drops a snapshot': {
      before: async () => {
        const env = await disk();
        await env.storage.snapshot(ref);
        return env;
      },
      work: (env) => env.storage.dropSnapshot(ref),
      after: () => has('guest1-root'),
    },
  };

  it.each(Object.entries(JOBS))('while it %s: the next attempt ends as if nothing had been', async (_what, { before, work, after }) => {
    const first = await before();
    const begun = dom0.calls.length;
    await work(first);
    const calls = dom0.calls.length - begun;
    await after(first);
    expect(calls).toBeGreaterThan(0);
    for (let index = 0; index < calls; index += 1)
      for (const kind of ['kill-before', 'kill-middle', 'kill-after'] as const) {
        closeKnowing(dom0);
        const env = await before();
        const from = dom0.calls.length;
        dom0.faults.add({ kind, match: (call) => dom0.calls.indexOf(call) === from + index });
        await expect(work(env)).rejects.toBeInstanceOf(WorkerKilled);
        await work(envNow());
        await after(envNow());
        expect(await envNow().host.files.list(`${DIRECTORY}/.guestflow`)).toEqual(['prepared']);
      }
  });

  it('while it copies the disk of a guest that it has paused: the undo has the guest go on, and leaves no copy', async () => {
    await running();
    dom0.faults.add({ kind: 'kill-middle', match: ({ tool, args }) => tool === 'cp' && args[0] === '--reflink=never' });
    await expect(takeBackup(envNow(), guest)).rejects.toBeInstanceOf(WorkerKilled);
    expect(domain()?.state).toBe('paused');
    await undoBackup(envNow(), ref);
    expect(domain()?.state).toBe('running');
    expect(await namesIn()).toEqual(['guest1-root', 'guest1-swap']);
  });

  it('while it copies the disk of a guest that it has paused: the next attempt is of a guest that runs', async () => {
    await running();
    dom0.faults.add({ kind: 'kill-middle', match: ({ tool, args }) => tool === 'cp' && args[0] === '--reflink=never' });
    await expect(takeBackup(envNow(), guest)).rejects.toBeInstanceOf(WorkerKilled);
    expect(await takeBackup(envNow(), guest)).toMatchObject({ consistency: 'paused' });
    expect(domain()?.state).toBe('running');
  });

  it('while it copies the disk of a guest that it has paused: the guest goes on when the worker starts again', async () => {
    await running();
    dom0.faults.add({ kind: 'kill-middle', match: ({ tool, args }) => tool === 'cp' && args[0] === '--reflink=never' });
    await expect(takeBackup(envNow(), guest)).rejects.toBeInstanceOf(WorkerKilled);
    await envNow().storage.wake();
    expect(domain()?.state).toBe('running');
    expect(await namesIn()).toEqual(['guest1-root', 'guest1-swap']);
  });

  it('leaves a guest alone when it starts that somebody else has paused', async () => {
    const env = await running();
    await pauseGuest(env, ref);
    await env.storage.wake();
    expect(domain()?.state).toBe('paused');
  });
});

describe('the directory of the disks', () => {
  it('is no empty pool when its file system is not mounted: nothing is listed, sold, made or prepared there', async () => {
    const env = await withGuest();
    const { files } = env.host;
    await files.rename(DIRECTORY, `${DIRECTORY}-elsewhere`);
    await prepare(env);
    expect(await files.info(DIRECTORY)).toBeUndefined();
    await files.makeDirectory(DIRECTORY, 0o700);
    await prepare(env);
    expect(await files.list(DIRECTORY)).toEqual([]);
    expect(await env.storage.facts()).toBeUndefined();
    await expect(env.storage.list()).rejects.toMatchObject({
      type: 'HostNotReady',
      message: expect.stringContaining('not mounted') as string,
    });
    const row = (await preflight(env)).rows.find(({ row }) => row === 'disk directory');
    expect(row).toMatchObject({ state: 'missing', mend: expect.stringContaining('mount its file system') as string });
    await expect(makeGoldenVolumes(env, spec('guest2', '10.0.0.6', { os: { recipe: 'direct' } }))).rejects.toMatchObject({
      type: 'HostNotReady',
    });
    expect(await files.list(DIRECTORY)).toEqual([]);
  });

  it('is prepared anew when the operator says that its disks have gone for good, and found again when it is mounted', async () => {
    const env = await withGuest();
    const { files } = env.host;
    await files.rename(DIRECTORY, `${DIRECTORY}-elsewhere`);
    await files.remove(`${env.settings.stateDir}/disk-directories`);
    await prepare(env);
    expect(await env.storage.list()).toEqual([]);
    await files.removeTree(DIRECTORY);
    await files.rename(`${DIRECTORY}-elsewhere`, DIRECTORY);
    expect(await namesIn()).toEqual(['guest1-root', 'guest1-swap']);
    expect(await env.storage.list()).toHaveLength(2);
  });
});
