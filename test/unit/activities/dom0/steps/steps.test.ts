import { afterEach, expect, test } from 'vitest';
import { enableAutostart } from '../../../../../activities/dom0/steps/autostart.ts';
import { bootGuest, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { ensureGolden } from '../../../../../activities/dom0/images/golden.ts';
import { createImage } from '../../../../../activities/dom0/steps/create-image.ts';
import { dropImage, makeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { sealGuest } from '../../../../../activities/dom0/steps/seal.ts';
import { setWallclock } from '../../../../../activities/dom0/steps/sysctl-wallclock.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { fakeDom0, spec, stepEnv } from './support.ts';

let dom0: FakeDom0 | undefined;
afterEach(() => {
  dom0?.close();
});

test('the steps of provisioning take a guest from nothing to its own volumes', async () => {
  dom0 = await fakeDom0();
  const env = stepEnv(dom0.host());
  const guest = spec();
  await ensureGolden(env, { dist: guest.os.dist });
  await createImage(env, { spec: guest });
  await fixCfg(env, { spec: guest, disks: 'image', onCrash: 'destroy' });
  const booted = await bootGuest(env, guest);
  expect(booted.rootDevice).toBe('/dev/xvda2');
  expect((await setWallclock(env, guest)).independentWallclock).toBe('not needed');
  await stopGuest(env, guest);
  await makeVolumes(env, guest);
  await fixCfg(env, { spec: guest, disks: 'volume', onCrash: 'restart' });
  await bootGuest(env, guest);
  await dropImage(env, guest);
  await enableAutostart(env, guest);
  const backup = await takeBackup(env, guest);
  expect(backup.bytes).toBeGreaterThan(0);
  expect(await sealGuest(env, guest)).toEqual({ sealed: true });

  const after = dom0.snapshot();
  expect(after.domains).toMatchObject([{ name: 'guest1', state: 'running', disks: ['/dev/vg01/guest1-root', '/dev/vg01/guest1-swap'] }]);
  expect(after.volumes).toMatchObject([
    { name: 'guest1-root', holds: 'ext4', label: 'guest1', damaged: false },
    { name: 'guest1-swap', holds: 'swap' },
  ]);
  expect(after.loops).toEqual([]);
  expect(Object.keys(after.files)).toContain('/etc/xen/guest1.cfg');
  expect(Object.keys(after.files).filter((path) => path.endsWith('.img') || path.includes('guestflow-part'))).toEqual([]);
  expect(dom0.unknown).toEqual([]);
});

test('a guest that went off with its dom0 while it was being set up or sealed is started again, and the step goes on', async () => {
  dom0 = await fakeDom0();
  const guest = spec();
  const first = stepEnv(dom0.host());
  await ensureGolden(first, { dist: guest.os.dist });
  await createImage(first, { spec: guest });
  await fixCfg(first, { spec: guest, disks: 'image', onCrash: 'destroy' });
  await bootGuest(first, guest);
  dom0.powerCut();
  expect(dom0.snapshot().domains).toEqual([]);
  expect((await setWallclock(stepEnv(dom0.host()), guest)).timeDaemon).not.toBe('');
  dom0.powerCut();
  expect(await sealGuest(stepEnv(dom0.host()), guest)).toEqual({ sealed: true });
  expect(dom0.snapshot().domains).toMatchObject([{ name: guest.name, state: 'running' }]);
});
