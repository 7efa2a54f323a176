/** Guests that may send from their own addresses only: what their cfg says, and what the preflight says of them; on the fake dom0. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { preflight } from '../../../../../activities/dom0/steps/preflight.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ANTISPOOF_PATH } from '../../../../../activities/dom0/network/antispoof.ts';
import { vifsIn } from '../../../../../activities/dom0/tools/nft.ts';
import type { PreflightRow } from '../../../../../contract/dom0.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { parseCfg, showCfg } from '../../../../../xlcfg/index.ts';
import { closeKnowing, fakeDom0, onVolumes, settings, spec, stepEnv } from './support.ts';

const CFG = '/etc/xen/guest1.cfg';
const WISH = { spec: spec(), disks: 'volume', onCrash: 'restart' } as const;

let dom0: FakeDom0;
let off: StepEnv;
let on: StepEnv;
beforeEach(async () => {
  dom0 = await fakeDom0();
  off = stepEnv(dom0.host());
  on = stepEnv(dom0.host(), undefined, settings({ antispoof: true }));
  // As the package does.
  await on.host.files.makeDirectory('/etc/xen/scripts');
  await on.host.files.writeAtomic(ANTISPOOF_PATH, '#!/bin/sh\n');
  await onVolumes(off.host, WISH.spec);
});
afterEach(() => {
  closeKnowing(dom0);
});

const cfgText = async (): Promise<string> => String(await off.host.files.read(CFG));
const script = async (): Promise<string | null | undefined> => showCfg(parseCfg(Buffer.from(await cfgText()))).vifs[0]?.script;

async function withScript(name: string): Promise<void> {
  await off.host.files.writeAtomic(CFG, (await cfgText()).replace(/bridge=[^,'"]*/, `$&,script=${name}`));
  expect(await script()).toBe(name);
}

async function rowOf(env: StepEnv): Promise<PreflightRow | undefined> {
  const report = await preflight(env);
  const row = report.rows.find(({ row: name }) => name === 'antispoof');
  expect(report.ok).toBe(row?.state !== 'missing');
  return row;
}

describe('the cfg of a guest', () => {
  it('names the script where network.antispoof is on, beside address, MAC and bridge', async () => {
    await fixCfg(on, WISH);
    expect(showCfg(parseCfg(Buffer.from(await cfgText()))).vifs).toMatchObject([
      { script: 'vif-guestflow', ip: ['10.0.0.5'], mac: WISH.spec.network.mac, bridge: 'xenbr0' },
    ]);
  });

  it('names no script where it is off, and is the same as ever', async () => {
    const before = await cfgText();
    await fixCfg(off, WISH);
    expect(await cfgText()).toBe(before);
    expect(await script()).toBeNull();
  });

  it('has the script in place of an operator’s own where it is on, and keeps that where it is off', async () => {
    await withScript('vif-mine');
    await fixCfg(off, WISH);
    expect(await script()).toBe('vif-mine');
    await fixCfg(on, WISH);
    expect(await script()).toBe('vif-guestflow');
  });

  it.each(['vif-guestflow', '/etc/xen/scripts/vif-guestflow'])('goes back to Xen’s script from %s when it was turned off', async (name) => {
    await withScript(name);
    await fixCfg(off, WISH);
    expect(await script()).toBe('vif-bridge');
  });

  it('is not put in place when xl does not read the script', async () => {
    const misread = on.kindOf(WISH.spec).misread((await on.toolstack.tryCfg(CFG)).config, WISH);
    expect(misread).toEqual(['vif script is nothing, not "vif-guestflow"']);
  });
});

describe('the preflight', () => {
  it('warns where it is off, and says which line turns it on', async () => {
    expect(await rowOf(off)).toEqual({
      row: 'antispoof',
      state: 'warning',
      found: expect.stringContaining('off') as string,
      mend: expect.stringMatching(/antispoof: true.*dom0\.yaml/) as string,
    });
  });

  it('is content with guests that were started with the script, or do not run', async () => {
    await fixCfg(on, WISH);
    expect(await rowOf(on)).toMatchObject({ state: 'ok' });
    await bootGuest(on, WISH.spec);
    expect(await rowOf(on)).toMatchObject({ state: 'ok' });
  });

  it('names guests whose cfg was made before it was turned on, and how they get it', async () => {
    expect(await rowOf(on)).toEqual({
      row: 'antispoof',
      state: 'warning',
      found: 'the cfg of guest1 does not name the script',
      mend: expect.stringMatching(/script=vif-guestflow.*guestflow reboot NAME/) as string,
    });
  });

  it('names guests that run since before their cfg named the script', async () => {
    await bootGuest(off, WISH.spec);
    await fixCfg(on, WISH);
    expect(await rowOf(on)).toEqual({
      row: 'antispoof',
      state: 'warning',
      found: 'guest1 runs without rules',
      mend: expect.stringMatching(/vif-guestflow refresh.*guestflow reboot NAME/) as string,
    });
  });

  it('names guests whose rules were flushed', async () => {
    await fixCfg(on, WISH);
    await bootGuest(on, WISH.spec);
    dom0.faults.add({ match: ({ name, args }) => name === 'nft' && args.includes('list'), kind: 'fail-always', exitCode: 1 });
    expect(await rowOf(on)).toMatchObject({ state: 'warning', found: 'guest1 runs without rules' });
  });

  it.each([
    ['nft', '/usr/sbin/nft', /nft is missing/, /apt-get install nftables/],
    ['the script', '/etc/xen/scripts/vif-guestflow', /no \/etc\/xen\/scripts\/vif-guestflow/, /guestflow-dom0/],
  ])('stops orders where %s is missing, since no guest would start', async (_what, path, found, mend) => {
    await on.host.files.remove(path);
    expect(await rowOf(on)).toEqual({
      row: 'antispoof',
      state: 'missing',
      found: expect.stringMatching(found) as string,
      mend: expect.stringMatching(mend) as string,
    });
    expect(await rowOf(off)).toMatchObject({ state: 'warning' });
  });

  it('stops orders where the kernel has no rules for bridges, and says what nft said', async () => {
    const stderr = 'Error: Operation not supported';
    dom0.faults.add({ match: ({ name, args }) => name === 'nft' && args.includes('--check'), kind: 'fail-always', exitCode: 1, stderr });
    expect(await rowOf(on)).toMatchObject({ state: 'missing', found: expect.stringContaining('Operation not supported') as string });
  });
});

it('reads nft’s list of the vifs that have rules', () => {
  const recorded = readFileSync(join(import.meta.dirname, '../../../../fixtures/tools/nft-map.txt'), 'utf8');
  expect([...vifsIn(recorded)]).toEqual(['vif5.0', 'vif6.0']);
  expect([...vifsIn('{"nftables": [{"map": {"name": "senders"}}]}')]).toEqual([]);
});
