import { symlinkSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cfgHeader } from '../../../../../activities/dom0/marks.ts';
import { disableAutostart, enableAutostart } from '../../../../../activities/dom0/steps/autostart.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { fakeDom0, spec, stepEnv } from './support.ts';

const CFG = '/etc/xen/guest1.cfg';
const LINK = '/etc/xen/auto/guest1.cfg';
const REF = { name: 'guest1', order: 'order-guest1', dom0: 'dom0' };

let dom0: FakeDom0;
beforeEach(async () => {
  dom0 = await fakeDom0();
});
afterEach(() => {
  dom0.close();
});

function writeCfg(firstLine: string): void {
  dom0.machine.writeText(CFG, `${firstLine}\nname = 'guest1'\n`);
}

test('the link of our own cfg goes, once or twice', async () => {
  const env = stepEnv(dom0.host());
  writeCfg(cfgHeader({ guest: REF.name, order: REF.order }));
  await enableAutostart(env, spec());
  expect(dom0.snapshot().files[LINK]).toBe(`link: ${CFG}`);
  await disableAutostart(env, REF);
  await disableAutostart(env, REF);
  expect(dom0.snapshot().files).not.toHaveProperty(LINK);
});

test.each([
  ['is made by hand', '# by hand'],
  ['is of another order', cfgHeader({ guest: REF.name, order: 'another' })],
])('the link to a cfg that %s stays', async (_what, firstLine) => {
  writeCfg(firstLine);
  symlinkSync(CFG, dom0.machine.at(LINK));
  await disableAutostart(stepEnv(dom0.host()), REF);
  expect(dom0.snapshot().files[LINK]).toBe(`link: ${CFG}`);
});

test('the link to a cfg that is missing stays, as does one to another cfg', async () => {
  const env = stepEnv(dom0.host());
  symlinkSync(CFG, dom0.machine.at(LINK));
  await disableAutostart(env, REF);
  symlinkSync('/root/by-hand.cfg', dom0.machine.at('/etc/xen/auto/guest2.cfg'));
  await disableAutostart(env, { ...REF, name: 'guest2' });
  expect(dom0.snapshot().files).toMatchObject({ [LINK]: `link: ${CFG}`, '/etc/xen/auto/guest2.cfg': 'link: /root/by-hand.cfg' });
});
