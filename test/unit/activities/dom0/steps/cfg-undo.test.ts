/** The change of a cfg that holds an operator's own lines, and its undo, on the fake dom0. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { newlySaid } from '../../../../../activities/dom0/guests/newly-said.ts';
import { makeMarkedDirectory } from '../../../../../activities/dom0/staging.ts';
import { dryRun } from '../../../../../activities/dom0/toolstack/xl/xl.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import type { FakeDom0, FakeHost } from '../../../../../fake/index.ts';
import { fakeDom0, settings, spec, stepEnv } from './support.ts';

const CFG = '/etc/xen/guest1.cfg';
const MiB = 2 ** 20;

let dom0: FakeDom0;
afterEach(() => {
  dom0.close();
});

/** The guest of the fixture, and one with twice its memory. */
async function told(): Promise<{ host: FakeHost; from: GuestSpec; to: GuestSpec; former: string }> {
  dom0 = await fakeDom0();
  const host = dom0.host();
  const former = readFileSync('test/fixtures/cfg/told-by-xl.cfg', 'latin1');
  await host.files.writeAtomic(CFG, former);
  const from: GuestSpec = {
    ...spec(),
    order: 'manual-guest1',
    os: { ...spec().os, type: 'pvh' },
    size: { ...spec().size, memoryBytes: 256 * MiB },
  };
  await makeMarkedDirectory(host.files, `${settings().stateDir}/guests/guest1`, from);
  return { host, from, to: { ...from, size: { ...from.size, memoryBytes: 512 * MiB } }, former };
}

const change = (host: FakeHost, from: GuestSpec, to: GuestSpec): ReturnType<typeof fixCfg> =>
  fixCfg(stepEnv(host), { spec: to, disks: 'volume', onCrash: 'restart', from });
const undo = (host: FakeHost, from: GuestSpec, to: GuestSpec): ReturnType<typeof fixCfg> =>
  fixCfg(stepEnv(host), { spec: from, disks: 'volume', onCrash: 'restart', undoOf: to });
const textOf = async (host: FakeHost): Promise<string> => String(await host.files.read(CFG));

describe('a cfg of which xl says how it has read a legal value', () => {
  it('is changed, and the line stays', async () => {
    const { host, from, to } = await told();
    expect((await dryRun(host, CFG)).warnings).toEqual(['got a tsc mode string: "native"']);
    await change(host, from, to);
    expect(await textOf(host)).toMatch(/^tsc_mode = "native"$/m);
    expect(await textOf(host)).toMatch(/^memory = 512$/m);
  });

  it('is refused for what xl says of the candidate only', () => {
    const before = { path: '/etc/xen/a.cfg', lines: ['got a tsc mode string: "native"', '/etc/xen/a.cfg:3: warning: x'] };
    const now = {
      path: '/b.cfg',
      lines: ['/b.cfg:4: warning: x', '/b.cfg:5: warning: x', "unrecognized argument `brigde'", ...before.lines.slice(0, 1)],
    };
    expect(newlySaid(now, before)).toEqual(['/b.cfg:5: warning: x', "unrecognized argument `brigde'"]);
  });
});

describe('the undo of a change of a cfg', () => {
  it('puts back what was there, byte for byte, and asks nobody', async () => {
    const { host, from, to, former } = await told();
    await change(host, from, to);
    await change(host, from, to);
    // From now on xl refuses every cfg.
    const deaf: FakeHost = {
      ...host,
      run: (tool, args, how) => (tool === 'xl' ? Promise.reject(new Error('xl is not asked')) : host.run(tool, args, how)),
    };
    await undo(deaf, from, to);
    expect(await textOf(host)).toBe(former);
    await undo(deaf, from, to);
    expect(await textOf(host)).toBe(former);
  });

  it('puts back a file that no gate would let through', async () => {
    const { host, from, to } = await told();
    const misread = readFileSync('test/fixtures/cfg/told-by-xl.cfg', 'latin1').replace('memory = 256', "memory = '256Mb'");
    await host.files.writeAtomic(CFG, misread);
    await change(host, from, to);
    await undo(host, from, to);
    expect(await textOf(host)).toBe(misread);
  });

  it('changes nothing when the change was never written', async () => {
    const { host, from, to } = await told();
    await change(host, from, to);
    const later = { ...to, size: { ...to.size, memoryBytes: 1024 * MiB } };
    await undo(host, to, later);
    expect(await textOf(host)).toMatch(/^memory = 512$/m);
  });

  it('takes the change alone back where somebody has edited the file since', async () => {
    const { host, from, to } = await told();
    await change(host, from, to);
    await host.files.writeAtomic(CFG, `${await textOf(host)}localtime = 1\n`);
    await undo(host, from, to);
    expect(await textOf(host)).toMatch(/^memory = 256$/m);
    expect(await textOf(host)).toMatch(/^localtime = 1$/m);
  });

  it('puts the former file back where that edit can no longer be read, and keeps the edit', async () => {
    const { host, from, to, former } = await told();
    await change(host, from, to);
    await host.files.writeAtomic(CFG, `${await textOf(host)}disk = [\n`);
    await undo(host, from, to);
    expect(await textOf(host)).toBe(former);
    expect(String(await host.files.read(`${settings().stateDir}/guests/guest1/candidate.cfg`))).toMatch(/disk = \[\n$/);
  });
});
