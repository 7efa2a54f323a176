/** The disks of a guest of the recipe `direct`, on the fake dom0. */
import { describe, expect, it } from 'vitest';
import { discardHalfMadeGolden, halfMadeGolden } from '../../../../../activities/dom0/images/golden-half.ts';
import { ensureGoldenRoot } from '../../../../../activities/dom0/images/golden-root.ts';
import { makeGoldenVolumes } from '../../../../../activities/dom0/steps/golden-volumes.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ensureGolden } from '../../../../../activities/dom0/images/golden.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import type { Dom0Settings } from '../../../../../order/dom0-settings.ts';
import { closeKnowing, fakeDom0, settings, spec, stepEnv } from './support.ts';

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

describe('what is golden and old', () => {
  const OLD = '2025-01-01T00:00:00.000Z';
  const guest = spec();
  /** As if it had been made then. */
  const age = async (env: StepEnv, createdAt: string): Promise<void> => {
    const { files } = env.host;
    for (const name of (await files.list(env.settings.goldenDir)).filter((each) => each.endsWith('.json'))) {
      const path = `${env.settings.goldenDir}/${name}`;
      const record = JSON.parse((await files.read(path))?.toString('utf8') ?? '') as object;
      await files.writeAtomic(path, JSON.stringify({ ...record, createdAt }), 0o600);
    }
  };
  const start = async (changes: Partial<Dom0Settings> = {}): Promise<{ dom0: FakeDom0; env: StepEnv; warned: string[] }> => {
    const dom0 = await fakeDom0();
    const warned: string[] = [];
    const log = { info: () => undefined, warn: (_fields: object, message: string) => void warned.push(message) };
    const env = { ...stepEnv(dom0.host(), undefined, { ...settings(), ...changes }), log };
    return { dom0, env, warned };
  };
  const made = (dom0: FakeDom0, tool: string): number => dom0.calls.filter(({ name }) => name === tool).length;

  it('is made anew, tarball and root file system, and is not made anew again', async () => {
    const { dom0, env } = await start();
    await ensureGoldenRoot(env, guest);
    await age(env, OLD);
    await ensureGoldenRoot(env, guest);
    await ensureGoldenRoot(env, guest);
    expect((await ensureGolden(env, guest.os)).createdAt > OLD).toBe(true);
    expect(made(dom0, 'mmdebstrap')).toBe(2);
    closeKnowing(dom0);
  });

  it('is used as it is, with a warning, when the mirror does not give it; the next order tries again', async () => {
    const { dom0, env, warned } = await start();
    const { path } = await ensureGoldenRoot(env, guest);
    await age(env, OLD);
    dom0.faults.add({ kind: 'fail-always', match: ({ name }) => name === 'mmdebstrap' });
    expect(await ensureGoldenRoot(env, guest)).toMatchObject({ path, reused: true, createdAt: OLD });
    expect(warned.join('\n')).toMatch(/older than 30 days and could not be made anew: it is used as it is/);
    await makeGoldenVolumes(env, guest);
    dom0.faults.restart();
    await ensureGolden(env, guest.os);
    expect((await ensureGolden(env, guest.os)).createdAt > OLD).toBe(true);
    closeKnowing(dom0);
  });

  it.each<[string, Partial<Dom0Settings>, string]>([
    ['nothing is to be made anew', { goldenMaxAgeDays: 0 }, OLD],
    ['it seems to be of a time to come', {}, '2999-01-01T00:00:00.000Z'],
  ])('stays as it is where %s', async (_what, changes, createdAt) => {
    const { dom0, env } = await start(changes);
    await ensureGoldenRoot(env, guest);
    await age(env, createdAt);
    expect(await ensureGoldenRoot(env, guest)).toMatchObject({ reused: true, createdAt });
    expect(made(dom0, 'mmdebstrap')).toBe(1);
    closeKnowing(dom0);
  });

  it('without a tarball is made anew at its place, and used as it is when that fails', async () => {
    const { dom0, env } = await start();
    const bootstrapped = spec('guest1', '10.0.0.5', { os: { installMethod: 'debootstrap' } });
    const { path } = await ensureGoldenRoot(env, bootstrapped);
    await age(env, OLD);
    dom0.faults.add({ kind: 'fail-always', match: ({ name }) => name === 'xen-create-image' });
    expect(await ensureGoldenRoot(env, bootstrapped)).toMatchObject({ path, reused: true, createdAt: OLD });
    dom0.faults.restart();
    const anew = await ensureGoldenRoot(env, bootstrapped);
    expect([anew.path, anew.reused, anew.createdAt > OLD]).toEqual([path, false, true]);
    closeKnowing(dom0);
  });
});
