/** How much a guest sends at most: what its cfg says by its plan, on the fake dom0. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { parseCfg, showCfg } from '../../../../../xlcfg/index.ts';
import { closeKnowing, dom0With, spec } from './support.ts';

const CFG = '/etc/xen/guest1.cfg';
const SHAPE = { disks: 'volume', onCrash: 'restart' } as const;
const FREE = spec();
const LIMITED = of('100Mb/s');

function of(rate: string): GuestSpec {
  return spec('guest1', '10.0.0.5', { size: { rate } });
}

let dom0: FakeDom0;
let env: StepEnv;
beforeEach(async () => {
  ({ dom0, env } = await dom0With(FREE));
});
afterEach(() => {
  closeKnowing(dom0);
});

const cfgText = async (): Promise<string> => String(await env.host.files.read(CFG));
const rate = async (): Promise<string | null | undefined> => showCfg(parseCfg(Buffer.from(await cfgText()))).vifs[0]?.rate;

describe('the rate of a guest', () => {
  it('is in its cfg if its plan has one, and else nowhere', async () => {
    expect(await rate()).toBeNull();
    await fixCfg(env, { spec: LIMITED, ...SHAPE });
    expect(await rate()).toBe('100Mb/s');
    expect(env.kindOf(LIMITED).misread((await env.toolstack.tryCfg(CFG)).config, { spec: LIMITED, ...SHAPE })).toEqual([]);
  });

  it('changes with the plan, and goes with it; an undo brings the former file back, byte for byte', async () => {
    await fixCfg(env, { spec: LIMITED, ...SHAPE, from: FREE });
    await fixCfg(env, { spec: of('1Gb/s'), ...SHAPE, from: LIMITED });
    expect(await rate()).toBe('1Gb/s');
    const before = await cfgText();
    await fixCfg(env, { spec: FREE, ...SHAPE, from: of('1Gb/s') });
    expect(await rate()).toBeNull();
    await fixCfg(env, { spec: of('1Gb/s'), ...SHAPE, undoOf: FREE });
    expect(await cfgText()).toBe(before);
  });

  it('that a change has set is taken back by its undo, though somebody has edited the file since', async () => {
    await fixCfg(env, { spec: LIMITED, ...SHAPE, from: FREE });
    await env.host.files.writeAtomic(CFG, `${await cfgText()}# mine\n`);
    await fixCfg(env, { spec: FREE, ...SHAPE, undoOf: LIMITED });
    expect(await rate()).toBeNull();
    expect(await cfgText()).toContain('# mine');
  });

  it('of an operator stays where the plan has none, also after a plan that has one was left', async () => {
    await env.host.files.writeAtomic(CFG, (await cfgText()).replace(/bridge=[^,'"]*/, '$&,rate=7Mb/s@20ms'));
    await fixCfg(env, { spec: FREE, ...SHAPE });
    expect(await rate()).toBe('7Mb/s@20ms');
    await fixCfg(env, { spec: FREE, ...SHAPE, from: LIMITED });
    expect(await rate()).toBe('7Mb/s@20ms');
    await fixCfg(env, { spec: LIMITED, ...SHAPE, from: FREE });
    expect(await rate()).toBe('100Mb/s');
  });

  it('is refused when xl reads another one', async () => {
    await fixCfg(env, { spec: LIMITED, ...SHAPE });
    const { config } = await env.toolstack.tryCfg(CFG);
    expect(env.kindOf(LIMITED).misread(config, { spec: of('1Gb/s'), ...SHAPE })).toEqual([
      'vif rate (bytes in 50 ms) is 625000, not 6250000',
    ]);
  });
});
