/** The trial of a golden root file system on the fake dom0: what it is, whose it is, and what is left of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { listGolden, renewGoldenRoot, renewTarball } from '../../../../../activities/dom0/images/golden-next.ts';
import { ensureGoldenRoot } from '../../../../../activities/dom0/images/golden-root.ts';
import { audit } from '../../../../../activities/dom0/steps/audit.ts';
import { bootGoldenTrial, endGoldenTrial, makeGoldenTrial, stopGoldenTrial } from '../../../../../activities/dom0/steps/golden-trial.ts';
import { dom0Facts } from '../../../../../activities/dom0/steps/look.ts';
import { goldenTrialTakes, type GoldenSystem } from '../../../../../contract/golden.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, fakeDom0, spec, stepEnv } from './support.ts';

const DIST = 'bookworm';
const DOMAIN = 'golden_bookworm+trial';
let dom0: FakeDom0;
let env: StepEnv;
let system: GoldenSystem;
let before: ReturnType<FakeDom0['snapshot']>;
beforeEach(async () => {
  dom0 = await fakeDom0();
  env = stepEnv(dom0.host());
  await ensureGoldenRoot(env, spec());
  const [found] = (await listGolden(env))[0]?.systems ?? [];
  if (found === undefined) throw new Error('no golden root file system was used');
  system = found;
  await renewTarball(env, { dist: DIST });
  await renewGoldenRoot(env, { system });
  await env.host.files.makeDirectory(`${env.settings.stateDir}/guests/.guestflow`);
  before = dom0.snapshot();
});
afterEach(() => closeKnowing(dom0));

describe('the trial of a golden root file system', () => {
  it('is a small domain without a network, of what waits to be used, and shows its login; nothing is left of it', async () => {
    await makeGoldenTrial(env, { system });
    expect((await bootGoldenTrial(env, { system })).what).toMatch(/login:/);
    expect(await env.toolstack.find(DOMAIN)).toMatchObject({ state: 'running', vcpus: 1, memoryMiB: 512 });
    const cfg = String((await env.toolstack.readCfg(DOMAIN))?.bytes);
    expect(cfg.split('\n')[0]).toMatch(/^# guestflow: guest=golden_bookworm order=renewal /);
    expect(cfg).toMatch(/vif\s*=\s*\[\s*\]/);
    await endGoldenTrial(env, { dist: DIST });
    expect(await env.toolstack.find(DOMAIN)).toBeUndefined();
    const { files, volumes, domains, directories } = dom0.snapshot();
    const of = ({ name }: { readonly name: string }): string => name;
    expect([volumes.map(of), domains.map(of), directories]).toEqual([before.volumes.map(of), before.domains.map(of), before.directories]);
    expect(Object.keys(files).filter((path) => !path.startsWith('/var/log/'))).toEqual(Object.keys(before.files));
  });

  it('is of its distribution for an audit and for the ledger, which counts what was reserved for it', async () => {
    await makeGoldenTrial(env, { system });
    await bootGoldenTrial(env, { system });
    const things = (await audit(env)).filter(({ guest }) => guest === `golden/${DIST}`);
    expect(things.map(({ what }) => what)).toEqual(
      expect.arrayContaining([`domain ${DOMAIN}`, 'volume vg01/golden_bookworm-trial', `/etc/xen/${DOMAIN}.cfg`]),
    );
    expect(new Set(things.map(({ order }) => order))).toEqual(new Set(['renewal']));
    expect((await audit(env)).filter(({ guest }) => guest.includes('_'))).toEqual([]);
    const held = ((await dom0Facts(env, '1')).holdings ?? []).find(({ guest }) => guest === `golden/${DIST}`);
    expect(held).toMatchObject({ order: 'renewal', ...goldenTrialTakes(system) });
  });

  it('that does not come up says so, with the end of its console', async () => {
    await makeGoldenTrial(env, { system });
    const disk = dom0.machine.volume('golden_bookworm-trial')?.content.fs;
    if (disk === undefined) throw new Error('the trial has no file system');
    disk.damaged = true;
    await expect(bootGoldenTrial(env, { system })).rejects.toMatchObject({
      type: 'GuestDidNotAnswer',
      message: expect.stringMatching(/^the golden root file system .*The end of its console:[^]*Kernel panic/) as string,
    });
  });

  it('gives its memory back at once, and the rest later', async () => {
    await makeGoldenTrial(env, { system });
    await bootGoldenTrial(env, { system });
    await stopGoldenTrial(env, { dist: DIST });
    expect(await env.toolstack.find(DOMAIN)).toBeUndefined();
    await endGoldenTrial(env, { dist: DIST });
    expect(dom0.snapshot().volumes.map(({ name }) => name)).toEqual(before.volumes.map(({ name }) => name));
  });

  it('asked for twice is one, and what a trial before has left goes', async () => {
    for (const _time of [1, 2]) {
      await makeGoldenTrial(env, { system });
      await bootGoldenTrial(env, { system });
    }
    expect(dom0.snapshot().domains.filter(({ name }) => name === DOMAIN)).toHaveLength(1);
    await endGoldenTrial(env, { dist: DIST });
  });

  it('of nothing that waits to be used is refused', async () => {
    await expect(makeGoldenTrial(env, { system: { ...system, timezone: 'Asia/Tokyo' } })).rejects.toMatchObject({ type: 'NotFound' });
  });
});
