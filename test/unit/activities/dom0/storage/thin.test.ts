/** Disks in a thin pool: what LVM says of the pool, when it gives nothing out, and guests that were there before it. */
import { afterEach, describe, expect, it } from 'vitest';
import { createThinSnapshot, createThinVolume } from '../../../../../activities/dom0/storage/lvm/lvm.ts';
import { listVolumes, parseVolumes } from '../../../../../activities/dom0/storage/lvm/reports.ts';
import { parseThinPool } from '../../../../../activities/dom0/storage/lvm/thin-pool.ts';
import { discardHalfMadeGolden, halfMadeGolden } from '../../../../../activities/dom0/images/golden-half.ts';
import { ensureGoldenRoot } from '../../../../../activities/dom0/images/golden-root.ts';
import { makeGoldenVolumes } from '../../../../../activities/dom0/steps/golden-volumes.ts';
import { fillRestored } from '../../../../../activities/dom0/steps/restore.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { growDisk, reduceDisk } from '../../../../../activities/dom0/steps/resize-disk.ts';
import { removeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { preflight } from '../../../../../activities/dom0/steps/preflight.ts';
import { dom0Facts } from '../../../../../activities/dom0/steps/look.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import type { Dom0Settings } from '../../../../../order/dom0-settings.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { thinPoolVolume } from '../../../../../fake/lvm-thin.ts';
import { recorded, scriptedHost } from '../../../scripted-host.ts';
import { closeKnowing, fakeDom0, onVolumes, settings, spec, stepEnv } from './../steps/support.ts';

const GiB = 2 ** 30;
const POOL = { name: 'guests', bytes: 16 * GiB };
const guest = spec('g');

function withPool(changes: Partial<Dom0Settings> = {}): Dom0Settings {
  return { ...settings(), thinPool: POOL.name, ...changes };
}

describe('what LVM says of a thin pool', () => {
  it('is read as it prints it', () => {
    expect(parseThinPool(recorded('lvs-thin-pool'))).toEqual({
      name: 'contract',
      sizeBytes: 268_435_456,
      freeBytes: 268_381_768,
      metadataShare: 0.1104,
      isZeroing: true,
      takesDiscards: true,
      whenFull: 'queue',
      chunkBytes: 65_536,
      health: '',
    });
    expect(parseVolumes(recorded('lvs-thin'))).toMatchObject([
      { name: 'contract', state: 'active', invalid: false },
      { name: 'gfc25569-exchange3-root', bytes: 8_388_608, thinPool: 'contract', state: 'active', open: false, invalid: false },
    ]);
  });

  it('of a volume that is none is nothing', () => {
    expect(parseThinPool(recorded('lvs-thin-pool').replace('twi-aotz--', '-wi-a-----'))).toBeUndefined();
  });
});

describe('preflight', () => {
  const rowFor = async (change: (report: string) => string): Promise<unknown> => {
    const host = scriptedHost((command) => {
      if (command.startsWith('vgs')) return { stdout: recorded('vgs') };
      return command.includes('lv_when_full') ? { stdout: change(recorded('lvs-thin-pool')) } : undefined;
    });
    const { storage } = stepEnv(host, undefined, withPool());
    return await storage.preflight();
  };

  it.each<[string, (report: string) => string, object]>([
    ['a pool that is well', (report) => report.replace('queue', 'error'), { state: 'ok' }],
    ['writes that wait when it is full', (report) => report, { state: 'warning', mend: 'lvchange --errorwhenfull y vg01/guests' }],
    [
      'one that is nearly full',
      (report) => report.replace('"0.02"', '"91.00"'),
      { state: 'warning', mend: 'lvextend -L +SIZE vg01/guests', found: expect.stringMatching(/23\.0 MiB of 256 MiB free/) as string },
    ],
    [
      'one that does not zero',
      (report) => report.replace('twi-aotz--', 'twi-aot---'),
      { state: 'missing', mend: 'lvchange --zero y vg01/guests' },
    ],
    [
      'one that ignores discards',
      (report) => report.replace('passdown', 'ignore'),
      { state: 'missing', found: expect.stringMatching(/discards/) as string },
    ],
    [
      'blocks that do not divide an extent',
      (report) => report.replace('65536', '196608'),
      { state: 'missing', mend: expect.stringMatching(/--chunksize/) as string },
    ],
    [
      'one that is full',
      (report) => report.replace('status":""', 'status":"out_of_data"'),
      { state: 'missing', found: 'vg01/guests is out_of_data' },
    ],
    [
      'a volume that is no pool',
      (report) => report.replace('twi-aotz--', '-wi-a-----'),
      { state: 'missing', found: 'there is no thin pool vg01/guests' },
    ],
  ])('of %s says so, with the command', async (_what, change, row) => {
    expect(await rowFor(change)).toMatchObject({ row: 'thin pool', ...row });
  });
});

it('a dom0 without a thin pool that sells its disk more than once is warned', async () => {
  const host = scriptedHost(() => ({ stdout: recorded('vgs') }));
  const its = settings();
  const warned = { ...its, policy: { ...its.policy, oversell: { ...its.policy.oversell, disk: 2 } } };
  expect(await stepEnv(host, undefined, its).storage.preflight()).toMatchObject({ row: 'volume group', state: 'ok' });
  expect(await stepEnv(host, undefined, warned).storage.preflight()).toMatchObject({
    row: 'volume group',
    state: 'warning',
    found: expect.stringMatching(/sells it more than once/) as string,
  });
});

describe('on a dom0 with a thin pool', () => {
  let dom0: FakeDom0;
  afterEach(() => {
    closeKnowing(dom0);
  });

  const start = async (options: { pool?: typeof POOL; its?: Dom0Settings } = {}): Promise<StepEnv> => {
    dom0 = await fakeDom0({ thinPool: options.pool ?? POOL });
    return stepEnv(dom0.host(), undefined, options.its ?? withPool());
  };

  it('the pool is what is sold, and no disk of somebody', async () => {
    const env = await start();
    await onVolumes(env.host, guest, env.settings);
    const { pools, holdings } = await dom0Facts(env, 'test');
    expect(pools).toMatchObject([{ name: 'vg01/guests', sizeBytes: 16 * GiB, thin: { metadataShare: 0.1 } }]);
    expect(holdings).toMatchObject([{ guest: 'g', pool: 'vg01/guests', diskBytes: guest.size.diskBytes + guest.size.swapBytes }]);
    expect((await preflight(env)).rows.find(({ row }) => row === 'thin pool')).toMatchObject({ state: 'ok' });
  });

  it('a disk that the pool cannot hold beside its reserve is not made', async () => {
    const env = await start({ pool: { name: POOL.name, bytes: guest.size.diskBytes + GiB / 2 } });
    const made = onVolumes(env.host, guest, env.settings);
    await expect(made).rejects.toMatchObject({ type: 'NoCapacity', message: expect.stringMatching(/keeps 1 GiB of that/) as string });
    expect(dom0.machine.state.volumes.map(({ name }) => name)).toEqual([POOL.name]);
  });

  it('nothing is made in a pool that is not there, or is full', async () => {
    const env = await start();
    await onVolumes(env.host, guest, env.settings);
    const other = stepEnv(env.host, undefined, withPool({ thinPool: 'nowhere' }));
    await expect(
      other.storage.ensure(spec('h'), { role: 'swap', bytes: GiB, field: 'swap', fill: () => Promise.resolve() }),
    ).rejects.toMatchObject({
      type: 'HostNotReady',
      details: { mend: expect.stringMatching(/^lvcreate --type thin-pool --zero y/) as string },
    });
    dom0.faults.vgFull = true;
    await expect(env.storage.snapshot(guest)).rejects.toMatchObject({
      type: 'HostNotReady',
      message: expect.stringMatching(/is out_of_data/) as string,
    });
  });

  it('a snapshot of somebody else keeps nobody from removing a guest, and stays', async () => {
    const env = await start();
    await onVolumes(env.host, guest, env.settings);
    await createThinSnapshot(env.host, { vg: 'vg01', origin: 'g-root', name: 'by-hand', tags: [] });
    await removeVolumes(env, { name: 'g', order: guest.order, dom0: 'dom0' });
    expect((await listVolumes(env.host, 'vg01')).map(({ name, origin }) => [name, origin])).toEqual([
      ['by-hand', undefined],
      [POOL.name, undefined],
    ]);
  });

  it('a disk that was made smaller gives its blocks back, and shows nothing of them when it grows', async () => {
    const env = await start();
    await onVolumes(env.host, guest, env.settings);
    const ref = { name: 'g', order: guest.order, dom0: 'dom0' };
    await growDisk(env, { ref, bytes: 2 * guest.size.diskBytes });
    await reduceDisk(env, { ref, bytes: guest.size.diskBytes });
    expect(dom0.machine.volume('g-root')?.unseen).toBeUndefined();
    expect(dom0.calls.filter(({ tool }) => tool === 'blkdiscard').map(({ args }) => args)).toEqual([
      ['--offset', String(guest.size.diskBytes), '/dev/vg01/g-root'],
    ]);
  });

  it('guests of the recipe direct are clones of one template, made machines of their own; it goes with its golden root file system', async () => {
    const env = await start();
    const guests = [spec('a'), spec('b', '10.0.0.6')] as const;
    await ensureGoldenRoot(env, guests[0]);
    for (const each of guests) await makeGoldenVolumes(env, each);
    const [template, ...more] = (await env.storage.templates?.list()) ?? [];
    expect(more).toEqual([]);
    expect(template?.key).toMatch(/^bookworm-[0-9a-f]{16}$/);
    const roots = ['a', 'b'].map((name) => dom0.machine.volume(`${name}-root`));
    expect(roots.map((root) => root?.origin)).toEqual([`golden-${template?.key ?? ''}`, `golden-${template?.key ?? ''}`]);
    expect(new Set(roots.map((root) => root?.content.fs?.uuid)).size).toBe(2);
    expect(roots.map((root) => root?.content.fs?.bytes)).toEqual(guests.map(({ size }) => size.diskBytes));
    expect((await dom0Facts(env, 'test')).holdings?.map(({ what }) => what)).toContain(
      `template vg01/golden-${template?.key ?? ''} of guestflow's`,
    );
    // The fifth kind takes the place of the one that was used least recently.
    for (const timezone of ['Europe/Riga', 'Europe/Oslo', 'Asia/Tokyo', 'America/Lima'])
      await ensureGoldenRoot(env, spec('c', '10.0.0.7', { os: { timezone } }));
    expect((await env.storage.templates?.list())?.map(({ key }) => key)).not.toContain(template?.key);
    expect(dom0.machine.volume('a-root')).toBeDefined();
  });

  it('a template that is half made is told, and removed with what else is half made', async () => {
    const env = await start();
    const { path } = await ensureGoldenRoot(env, spec());
    const key = path.slice(path.lastIndexOf('/') + 1, -'.img.zst'.length);
    await env.storage.templates?.remove(key);
    await expect(env.storage.templates?.ensure(key, { bytes: GiB, fill: () => Promise.reject(new Error('cut short')) })).rejects.toThrow(
      'cut short',
    );
    expect(await halfMadeGolden(env, 'bookworm')).toEqual([`volume vg01/golden-${key}`]);
    await discardHalfMadeGolden(env, { dist: 'bookworm' });
    expect(await env.storage.templates?.list()).toEqual([]);
    await ensureGoldenRoot(env, spec());
    expect(await env.storage.templates?.list()).toEqual([{ key, isWhole: true, where: `volume vg01/golden-${key}` }]);
  });

  it('a guest is made without a template when somebody has removed it; a volume of that name which is none is left alone', async () => {
    const env = await start();
    const { path } = await ensureGoldenRoot(env, spec());
    const key = path.slice(path.lastIndexOf('/') + 1, -'.img.zst'.length);
    await env.storage.templates?.remove(key);
    await makeGoldenVolumes(env, spec());
    expect(dom0.machine.volume('guest1-root')).toMatchObject({ thinPool: POOL.name });
    expect(dom0.machine.volume('guest1-root')?.origin).toBeUndefined();
    await createThinVolume(env.host, { vg: 'vg01', name: `golden-${key}`, bytes: GiB, tags: [] }, POOL.name);
    await expect(ensureGoldenRoot(env, spec())).rejects.toMatchObject({ type: 'NotOurs' });
    await env.storage.templates?.remove(key);
    expect(dom0.machine.volume(`golden-${key}`)).toBeDefined();
  });

  it('a guest that was there before it is backed up, grown and removed as before; its next disk is in the pool', async () => {
    dom0 = await fakeDom0();
    const before = stepEnv(dom0.host());
    await onVolumes(before.host, guest);
    dom0.machine.state.volumes.push(thinPoolVolume(POOL));
    const env = stepEnv(dom0.host(), undefined, withPool());
    const ref = { name: 'g', order: guest.order, dom0: 'dom0' };
    const { id } = await takeBackup(env, guest);
    // What a snapshot of the group leaves there is wiped by whoever gets it.
    dom0.machine.state.freeResidue = [];
    await env.storage.growInUse(ref, 2 * guest.size.diskBytes);
    const root = dom0.machine.volume('g-root');
    expect([root?.thinPool, root?.extents]).toEqual([undefined, (2 * guest.size.diskBytes) / (4 * 2 ** 20)]);
    await fillRestored(env, { ref, id });
    expect(dom0.machine.volume('g-restored')).toMatchObject({ thinPool: POOL.name });
    await env.storage.exchange(ref, 'restored');
    await removeVolumes(env, ref);
    expect(dom0.machine.state.volumes.map(({ name }) => name)).toEqual([POOL.name]);
    // What lay in the group was wiped.
    expect(dom0.machine.state.freeResidue).toEqual([]);
  });
});
