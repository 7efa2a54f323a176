/** The disks of a guest of the recipe `direct`, on the fake dom0. */
import { describe, expect, it } from 'vitest';
import { discardHalfMadeGolden, ensureGoldenRoot, halfMadeGolden } from '../../../../../activities/dom0/images/golden-root.ts';
import { makeGoldenVolumes } from '../../../../../activities/dom0/steps/golden-volumes.ts';
import { closeKnowing, fakeDom0, spec, stepEnv } from './support.ts';

describe('the disks of a guest of the recipe direct', () => {
  it('hold the golden root file system, made its own, and are found made when it is asked for again', async () => {
    const dom0 = await fakeDom0();
    const env = stepEnv(dom0.host());
    const guest = spec();
    expect(await ensureGoldenRoot(env, guest)).toMatchObject({ dist: 'bookworm', reused: false });
    const made = await makeGoldenVolumes(env, guest);
    expect(made).toMatchObject({ root: '/dev/vg01/guest1-root', swap: '/dev/vg01/guest1-swap' });
    expect(await makeGoldenVolumes(env, guest)).toMatchObject({ root: made.root });
    closeKnowing(dom0);
  });

  it('are refused by name when nothing is there to make them of', async () => {
    const dom0 = await fakeDom0();
    await expect(makeGoldenVolumes(stepEnv(dom0.host()), spec())).rejects.toThrow(/no golden root file system of bookworm for guest1/);
    closeKnowing(dom0);
  });

  it('leave nothing half made of the golden one when a killed attempt is undone', async () => {
    const dom0 = await fakeDom0();
    const env = stepEnv(dom0.host());
    const { path } = await ensureGoldenRoot(env, spec());
    await env.host.files.remove(`${path}.json`);
    await env.host.files.makeDirectory(`${env.settings.goldenDir}/bookworm-root.guestflow-part/domains`);
    expect(await halfMadeGolden(env, 'bookworm')).toHaveLength(2);
    await discardHalfMadeGolden(env, { dist: 'bookworm' });
    expect(await halfMadeGolden(env, 'bookworm')).toEqual([]);
    expect(await env.host.files.list(env.settings.goldenDir)).toEqual(['bookworm.tar', 'bookworm.tar.json']);
    closeKnowing(dom0);
  });
});
