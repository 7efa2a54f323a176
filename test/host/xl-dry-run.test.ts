/** The gate before a cfg is put in place, with the real xl: what guestflow writes it reads as meant, and what it misreads the gate refuses. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { changed, type Changes } from '../an-order.ts';
import { newlySaid } from '../../activities/dom0/guests/newly-said.ts';
import { makeMarkedDirectory } from '../../activities/dom0/staging.ts';
import { ToolError } from '../../system/run.ts';
import { dryRun, saidOf } from '../../activities/dom0/toolstack/xl/xl.ts';
import { fixCfg } from '../../activities/dom0/steps/cfg-fix.ts';
import type { GuestSpec } from '../../contract/guest.ts';
import type { FakeDom0, FakeHost } from '../../fake/index.ts';
import { applyChange, bytesOf, parseCfg, showCfg } from '../../xlcfg/index.ts';
import { buildRealXl, whyNoRealXl, type RealXl } from '../fixtures/xen/dry-run.ts';
import { fakeDom0, onVolumes, settings, spec, stepEnv } from '../unit/activities/dom0/steps/support.ts';
import { scratch, titled } from './machine.ts';

const CFG = '/etc/xen/guest1.cfg';
const FIXTURES = join(import.meta.dirname, '../fixtures/cfg');
const MiB = 2 ** 20;
const why = whyNoRealXl();

describe.skipIf(why !== undefined)(titled('the real xl', why), { timeout: 180_000 }, () => {
  let xl: RealXl;
  let dom0: FakeDom0 | undefined;
  beforeAll(() => {
    xl = buildRealXl();
  });
  afterEach(() => {
    dom0?.close();
    dom0 = undefined;
  });
  afterAll(() => {
    xl.dispose();
  });

  async function realHost(): Promise<FakeHost> {
    dom0 = await fakeDom0();
    return xl.hostOf(dom0);
  }

  it('reads as meant what guestflow makes of the cfg of xen-tools, and each change of it', async () => {
    const host = await realHost();
    const guest = spec();
    await onVolumes(host, guest);
    const kinds: Changes<GuestSpec>[] = [
      { os: { type: 'pvh' } },
      { size: { memoryBytes: 1024 * MiB, vcpus: 2 } },
      { size: { maxMemoryBytes: 4096 * MiB, maxVcpus: 8 } },
      { size: { memoryBytes: 768 * MiB, vcpus: 3, maxMemoryBytes: 768 * MiB, maxVcpus: 3 } },
      ...['1Kb/s', '7KB/s', '100Mb/s', '3GB/s', '99999Gb/s', '99999GB/s'].map((rate) => ({ size: { rate } })),
      { os: { extra: ['quiet', 'panic=10'] } },
      { os: { serialDevice: 'ttyS0' } },
      { network: { ipv6: { address: '2001:db8::5', gateway: '2001:db8::1' } } },
    ];
    for (const kind of kinds)
      for (const disks of ['volume', 'image'] as const)
        for (const onCrash of ['restart', 'destroy'] as const) {
          const input = { spec: changed(guest, kind), disks, onCrash };
          await fixCfg(stepEnv(host), input);
          const { config, warnings } = await dryRun(host, CFG);
          expect({ kind, warnings, differences: stepEnv(host).kindOf(input.spec).misread(config, input) }).toEqual({
            kind,
            warnings: [],
            differences: [],
          });
        }
  });

  it('reads the vif script of guests that may send from their own addresses only, and the gate refuses a cfg without it', async () => {
    const host = await realHost();
    const input = { spec: spec(), disks: 'volume', onCrash: 'restart' } as const;
    await onVolumes(host, input.spec);
    const env = stepEnv(host, undefined, settings({ antispoof: true }));
    const differences = async (): Promise<string[]> => env.kindOf(input.spec).misread((await dryRun(host, CFG)).config, input);
    expect(await differences()).toEqual(['vif script is nothing, not "vif-guestflow"']);
    await fixCfg(env, input);
    expect(await differences()).toEqual([]);
  });

  it('says how it has read a legal value, and such a cfg can be changed and changed back', async () => {
    const host = await realHost();
    const former = readFileSync(join(FIXTURES, 'told-by-xl.cfg'), 'latin1');
    await host.files.writeAtomic(CFG, former);
    const from: GuestSpec = {
      ...spec(),
      order: 'manual-guest1',
      os: { ...spec().os, type: 'pvh' },
      size: { ...spec().size, memoryBytes: 256 * MiB },
    };
    const to = { ...from, size: { ...from.size, memoryBytes: 512 * MiB } };
    await makeMarkedDirectory(host.files, `${settings().stateDir}/guests/guest1`, from);
    expect(await saidOf(host, CFG)).toEqual(['got a tsc mode string: "native"']);
    await fixCfg(stepEnv(host), { spec: to, disks: 'volume', onCrash: 'restart', from });
    expect((await dryRun(host, CFG)).config).toMatchObject({ b_info: { target_memkb: 512 * 1024, tsc_mode: 'native' } });
    await fixCfg(stepEnv(host), { spec: from, disks: 'volume', onCrash: 'restart', undoOf: to });
    expect(String(await host.files.read(CFG))).toBe(former);
  });

  /** A cfg of a guest that the gate lets through, with one of its lines made another. */
  async function misread(from: RegExp, to: string): Promise<{ code: number; said: string[]; differences: string[] }> {
    const host = await realHost();
    const guest = spec();
    await onVolumes(host, guest);
    const good = String(await host.files.read(CFG));
    expect(good).toMatch(from);
    const bad = '/etc/xen/bad.cfg';
    await host.files.writeAtomic(bad, good.replace(from, to));
    const said = newlySaid({ lines: await saidOf(host, bad), path: bad }, { lines: await saidOf(host, CFG), path: CFG });
    try {
      const { config } = await dryRun(host, bad);
      return {
        code: 0,
        said,
        differences: stepEnv(host).kindOf(guest).misread(config, { spec: guest, disks: 'volume', onCrash: 'restart' }),
      };
    } catch (error) {
      if (error instanceof ToolError) return { code: error.code ?? -1, said, differences: [] };
      throw error;
    }
  }

  it.each([
    ['memory with a unit', /^memory\s*=.*$/m, 'memory = "512Mb"', /^memory/],
    ['a misspelt word of a vif', /bridge=/, 'brigde=', /^vif bridge/],
    ['disks that are a string', /^disk\s*=\s*\[[^\]]*\]/m, 'disk = "phy:/dev/vg01/guest1-root,xvda2,w"', /^disk xvda2/],
    ['vcpus in words', /^vcpus\s*=.*$/m, 'vcpus = "two"', /./],
    ['a disk without a device', /,xvda2/, ',', /^disk xvda2/],
    ['a MAC of five bytes, of which it makes six', /mac=[0-9A-Fa-f:]+/, 'mac=00:16:3E:A3:69', /^vif mac/],
    ['another name', /^name\s*=.*$/m, 'name = "guest2"', /^name/],
  ])('ends well for %s, and the gate says what it has made of it', async (_what, from, to, difference) => {
    const { code, said, differences } = await misread(from, to);
    expect(code).toBe(0);
    expect([...differences, ...said].join('\n')).toMatch(difference);
  });

  it.each([
    ['a list without an end', /^disk\s*=\s*\[/m, 'disk = [ [', /syntax error|config parsing error/],
    ['an unknown word of a disk', /xvda2,w/, 'xvda2,w,foo=bar', /unknown parameter/],
  ])('refuses %s, with a word', async (_what, from, to, word) => {
    const { code, said } = await misread(from, to);
    expect(code).not.toBe(0);
    expect(said.join('\n')).toMatch(word);
  });

  it('takes memory above maxmem, which it refuses when the guest is to start: the editor has to', async () => {
    const { code, said, differences } = await misread(/^memory\s*=.*$/m, 'memory = 512\nmaxmem = 256');
    expect({ code, said, differences }).toEqual({ code: 0, said: [], differences: [] });
    expect(() => applyChange(parseCfg(bytesOf('name = "a"\nmemory = 128\nmaxmem = 256\n')), { set: { memory: 512 } })).toThrow(/maxmem/);
  });

  it('takes of the fixtures what our reader takes, with the same name', async () => {
    const folder = scratch();
    const disagreements: string[] = [];
    for (const file of readdirSync(FIXTURES).filter((name) => name.endsWith('.cfg'))) {
      const bytes = readFileSync(join(FIXTURES, file));
      writeFileSync(join(folder, file), bytes);
      const read = await xl.read(join(folder, file)).catch((error: unknown) => {
        if (error instanceof ToolError && error.code !== undefined) return undefined;
        throw error;
      });
      let name: unknown;
      try {
        name = showCfg(parseCfg(bytesOf(bytes.toString('latin1')))).keys['name'];
      } catch {
        // What our reader does not take, xl does not either.
        if (read !== undefined) disagreements.push(`${file}: xl reads it, and we do not`);
        continue;
      }
      if (read === undefined) continue;
      const { c_info } = JSON.parse(read.stdout.slice(read.stdout.indexOf('{'))) as { c_info: { name: string } };
      if (c_info.name !== name) disagreements.push(`${file}: to xl its name is ${c_info.name}, to us ${JSON.stringify(name)}`);
    }
    expect(disagreements).toEqual([]);
  });
});
