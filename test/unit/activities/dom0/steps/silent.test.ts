/** Guests that do not answer: which of them count as started, and which are switched off. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../../../../../system/host.ts';
import { findDomain } from '../../../../../activities/dom0/toolstack/xl/xl.ts';
import { bootGuest, mustBeUp, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { sealGuest } from '../../../../../activities/dom0/steps/seal.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { installClocks, withClock, type Clock } from '../../../../faults/clock.ts';
import { fakeDom0, onVolumes, spec, stepEnv } from './support.ts';

const MINUTE_MS = 60_000;
const guest = spec();
let dom0: FakeDom0;
let clock: Clock;

beforeEach(async () => {
  installClocks();
  clock = { aheadMs: 0 };
  dom0 = await fakeDom0();
  await onVolumes(dom0.host(), guest);
});
afterEach(() => {
  dom0.close();
});

async function sealed(): Promise<void> {
  const env = stepEnv(dom0.host());
  await bootGuest(env, guest);
  await sealGuest(env, guest);
}

interface Oddities {
  /** Told each look at the domains; what it gives is printed in its place. */
  readonly list?: (printed: string) => string;
  /** The domain that is meant by the id of one that `list` has made up. */
  readonly idOf?: (id: string) => string;
}

/** A dom0 on which the guest cannot be reached: its tenant has moved sshd, closed its port, or something else is wrong with it. */
function silent({ list = (printed) => printed, idOf = (id) => id }: Oddities = {}): Host {
  const host = dom0.host();
  return {
    files: host.files,
    pipeline: (...call) => host.pipeline(...call),
    run: async (tool, args, options) => {
      if (tool === 'ssh-keyscan') return { code: 1, stdout: '', stderr: '', seconds: 5 };
      if (tool === 'ssh')
        return host.run(
          tool,
          [...args].map((word) => word.replace(/^root@.*$/, 'root@10.0.0.99')),
          options,
        );
      const [verb, id = ''] = args;
      const result = await host.run(tool, tool === 'xl' && verb === 'destroy' ? [verb, idOf(id)] : args, options);
      return tool === 'xl' && verb === 'list' ? { ...result, stdout: list(result.stdout) } : result;
    },
  };
}

/** Whenever it is looked for, it is another domain. */
function restarting(): Oddities {
  const real = dom0.state.domains[0]?.id;
  let id = 100;
  return {
    list: (printed) => printed.replace(new RegExp(`^(${guest.name}\\s+)\\d+`, 'm'), (_row, name: string) => name + String((id += 1))),
    idOf: () => String(real),
  };
}

const boot = (host: Host): ReturnType<typeof bootGuest> => withClock(clock, () => bootGuest(stepEnv(host), guest));
const idOf = async (): Promise<number | undefined> => (await findDomain(dom0.host(), guest.name))?.id;

describe('a sealed guest that does not show its first host key', () => {
  it('and ran before is left alone: it counts as started, with a warning', async () => {
    await sealed();
    const before = await idOf();
    const booted = await boot(silent());
    expect(booted).toMatchObject({ domainId: before, warning: expect.stringContaining('has not shown its first host key') as string });
    expect(await idOf()).toBe(before);
    expect(clock.aheadMs).toBeGreaterThanOrEqual(2 * MINUTE_MS - 1000);
    expect(clock.aheadMs).toBeLessThan(3 * MINUTE_MS);
  });

  it('and was off is started, and stays so', async () => {
    await sealed();
    await stopGuest(stepEnv(dom0.host()), guest);
    expect((await boot(silent())).warning).toMatch(/guest1 is sealed/);
    expect(await idOf()).toBeDefined();
  });

  it('has no warning when it shows it', async () => {
    await sealed();
    expect(await boot(dom0.host())).not.toHaveProperty('warning');
  });

  it('but restarts again and again has not started; one that ran before is not switched off for that', async () => {
    await sealed();
    const before = await idOf();
    await expect(boot(silent(restarting()))).rejects.toMatchObject({
      type: 'GuestDidNotAnswer',
      message: expect.stringMatching(/restarted 4 times/) as string,
    });
    expect(await idOf()).toBe(before);
  });

  it('but ends has not started', async () => {
    await sealed();
    let looks = 0;
    const list = (printed: string): string => {
      looks += 1;
      return looks < 10 ? printed : printed.replace(new RegExp(`^${guest.name}.*\\n`, 'm'), '');
    };
    await expect(boot(silent({ list }))).rejects.toMatchObject({
      type: 'GuestDidNotAnswer',
      message: expect.stringMatching(/stopped/) as string,
    });
  });

  it('and stands still has not started, and is not switched off', async () => {
    await sealed();
    const [domain] = dom0.state.domains;
    domain!.state = 'paused';
    await expect(boot(silent())).rejects.toMatchObject({ type: 'GuestDidNotAnswer' });
    expect(await idOf()).toBe(domain?.id);
  });

  it('and never ran, since its xl create was cut off, is switched off: the next attempt makes it anew', async () => {
    await sealed();
    dom0.state.domains[0]!.state = 'paused';
    const list = (printed: string): string =>
      printed.replace(new RegExp(`^(${guest.name}\\s.*\\s)\\S+$`, 'm'), (_row, all: string) => `${all}0.0`);
    await expect(boot(silent({ list }))).rejects.toMatchObject({ type: 'GuestDidNotAnswer' });
    expect(await idOf()).toBeUndefined();
  });
});

describe('a guest that is not sealed and does not answer', () => {
  it('is switched off by the attempt that started it', async () => {
    await expect(boot(silent())).rejects.toMatchObject({
      type: 'GuestDidNotAnswer',
      message: expect.stringMatching(/did not answer at/) as string,
    });
    expect(await idOf()).toBeUndefined();
    expect(clock.aheadMs).toBeGreaterThanOrEqual(8 * MINUTE_MS - 1000);
  });

  it('is left as it is by one that found it running', async () => {
    await bootGuest(stepEnv(dom0.host()), guest);
    const before = await idOf();
    await expect(boot(silent())).rejects.toMatchObject({ type: 'GuestDidNotAnswer' });
    expect(await idOf()).toBe(before);
  });

  it('is no place for a step to work in, however long it has been up', async () => {
    await bootGuest(stepEnv(dom0.host()), guest);
    await expect(withClock(clock, () => mustBeUp(stepEnv(silent()), guest))).rejects.toMatchObject({ type: 'GuestDidNotAnswer' });
    expect(await idOf()).toBeDefined();
  });
});
