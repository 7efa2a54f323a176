/** Which guests are told that their domain is gone, on the fake dom0. */
import { afterEach, describe, expect, it } from 'vitest';
import { dom0SettingsSchema } from '../../../order/dom0-settings.ts';
import { cfgHeader } from '../../../activities/dom0/marks.ts';
import { parseDomainEnd } from '../../../activities/dom0/toolstack/xl/xl-log.ts';
import { holdings } from '../../../activities/dom0/inventory/holdings.ts';
import { createEnv } from '../../../activities/dom0/drivers.ts';
import type { Host } from '../../../system/host.ts';
import { things } from '../../../activities/dom0/inventory/inventory.ts';
import { startedWithDom0 } from '../../../activities/dom0/toolstack/xl/things.ts';
import { createFakeDom0, type FakeDom0, type FakeHost } from '../../../fake/index.ts';
import { watchDomains } from '../../../worker/watch.ts';

const NETWORK = { cidr: '192.0.2.0/24', gateway: '192.0.2.1', bridge: 'xenbr0' };
const DOMAIN = {
  memoryMiB: 256,
  vcpus: 1,
  kernel: '',
  onCrash: 'restart',
  state: 'running',
  startedAt: 0,
  looksLeft: 0,
  booted: true,
} as const;
const QUIET = { info: () => undefined, warn: () => undefined };

let dom0: FakeDom0;
afterEach(() => {
  dom0.close();
});

/** A dom0 with cfg files and links to them, and no domain but its own. */
async function dom0With(guests: readonly { name: string; order?: string; linked: boolean }[]): Promise<FakeHost> {
  dom0 = await createFakeDom0({ network: NETWORK });
  const host = dom0.host();
  await host.files.makeDirectory('/etc/xen/auto');
  for (const { name, order, linked } of guests) {
    await host.files.writeAtomic(
      `/etc/xen/${name}.cfg`,
      `${order === undefined ? '# by hand' : cfgHeader({ guest: name, order })}\nname = "${name}"\n`,
    );
    if (linked) await host.files.symlink(`/etc/xen/${name}.cfg`, `/etc/xen/auto/${name}.cfg`);
  }
  return host;
}

describe('guests without a domain', () => {
  it('are ours that start with their dom0: not one that is suspended, nor one that was made by hand', async () => {
    const host = await dom0With([
      { name: 'web1', order: 'o1', linked: true },
      { name: 'suspended', order: 'o2', linked: false },
      { name: 'byhand', linked: true },
    ]);
    expect(await startedWithDom0(host)).toEqual({ running: [], missing: [{ guest: 'web1', order: 'o1' }] });
  });

  it('are told once, though xenstore cannot be watched', async () => {
    const host = await dom0With([{ name: 'web1', order: 'o1', linked: true }]);
    const stop = new AbortController();
    const told: unknown[] = [];
    const getHandle = (id: string): object => ({
      signal: (name: string, argument: object) => {
        told.push([id, name, argument]);
        stop.abort();
        return Promise.resolve();
      },
    });
    const client = { workflow: { getHandle } } as unknown as Parameters<typeof watchDomains>[0]['client'];
    await watchDomains({ client, host, log: QUIET, signal: stop.signal, settleMs: 0 });
    expect(told).toEqual([['guest/web1', 'domainGone', { order: 'o1' }]]);
  });
});

describe('a guest that was started again', () => {
  it('is told when its domain ends once more, though no other domain has ended meanwhile', async () => {
    const host = await dom0With([{ name: 'web1', order: 'o1', linked: true }]);
    const stop = new AbortController();
    const setDomain = (isThere: boolean): void => {
      dom0.state.domains = dom0.state.domains.filter(({ name }) => name !== 'web1');
      if (isThere)
        dom0.state.domains.push({
          ...DOMAIN,
          ...{ disks: [], bridges: [], liveSysctl: {}, name: 'web1', id: 3, cfgPath: '/etc/xen/web1.cfg' },
        });
    };
    // What happens on the dom0, one thing for each time that xenstore is watched.
    const happens = [
      ['@introduceDomain', true],
      ['@releaseDomain', false],
    ] as const;
    let count = 0;
    const watch = (paths: readonly string[]): Promise<void> => {
      const [event, isThere] = happens[count] ?? [];
      count += 1;
      if (event === undefined || !paths.includes(event)) {
        setTimeout(() => {
          stop.abort();
        }, 100);
        return new Promise((resolve) => {
          stop.signal.addEventListener('abort', () => {
            resolve();
          });
        });
      }
      return new Promise((resolve) => {
        setTimeout(() => {
          setDomain(isThere);
          resolve();
        }, 100);
      });
    };
    const watched: FakeHost = Object.assign(Object.create(host) as FakeHost, {
      run: async (tool: string, args: readonly string[], options: object) => {
        if (tool !== 'xenstore-watch') return host.run(tool, args, options);
        await watch(args);
        return { code: 0, stdout: '', stderr: '' };
      },
    });
    const told: unknown[] = [];
    const getHandle = (): object => ({
      signal: (_name: string, argument: object) => Promise.resolve(told.push(argument)),
    });
    const client = { workflow: { getHandle } } as unknown as Parameters<typeof watchDomains>[0]['client'];
    await watchDomains({ client, host: watched, log: QUIET, signal: stop.signal, settleMs: 0 });
    expect(told).toEqual([{ order: 'o1' }, { order: 'o1' }]);
  });
});

describe('how a domain ended', () => {
  it.each([
    ['a shutdown from inside', 'Domain 5 has shut down, reason code 0 0x0\nAction for shutdown reason code 0 is destroy\n', 'shutdown'],
    ['a crash', 'Domain 5 has shut down, reason code 3 0x3\nAction for shutdown reason code 3 is restart\nDone. Rebooting now\n', 'crash'],
    ['a watchdog', 'Domain 5 has shut down, reason code 4 0x4\n', 'crash'],
    ['a crash, and a reboot since', 'Domain 5 has shut down, reason code 3 0x3\nDomain 6 has shut down, reason code 1 0x1\n', undefined],
    ['a crash, and an end from outside since', 'Domain 5 has shut down, reason code 3 0x3\nDomain 6 has been destroyed.\n', undefined],
    ['no end', 'Waiting for domain web1 (domid 5) to die [pid 4711]\n', undefined],
    ['what a guest might want it to say', 'libxl: info: Domain 5 has shut down, reason code 0 0x0\n', undefined],
  ])('is read from the log of its xl: %s', (_what, text, end) => {
    expect(parseDomainEnd(text)).toBe(end);
  });

  it('is told to its guest, and so is a crash after which Xen has started it again; what was so at the first look is not', async () => {
    const host = await dom0With([
      { name: 'off', order: 'o1', linked: true },
      { name: 'loops', order: 'o2', linked: true },
      { name: 'reboots', order: 'o3', linked: true },
      { name: 'away', order: 'o4', linked: true },
    ]);
    const log = (name: string, code: number): Promise<void> =>
      host.files.writeAtomic(`/var/log/xen/xl-${name}.log`, `Domain 1 has shut down, reason code ${String(code)} 0x0\n`);
    await host.files.makeDirectory('/var/log/xen');
    await log('away', 0);
    const start = (name: string, id: number): void => {
      dom0.state.domains = dom0.state.domains.filter((domain) => domain.name !== name);
      dom0.state.domains.push({ ...DOMAIN, disks: [], bridges: [], liveSysctl: {}, name, id, cfgPath: `/etc/xen/${name}.cfg` });
    };
    for (const [index, name] of ['off', 'loops', 'reboots'].entries()) start(name, index + 1);
    const stop = new AbortController();
    const told: unknown[] = [];
    const getHandle = (id: string): object => ({
      signal: async (_name: string, argument: object) => {
        told.push([id, argument]);
        if (told.length === 1) {
          // What happens until the next look.
          dom0.state.domains = dom0.state.domains.filter(({ name }) => name !== 'off');
          await log('off', 0);
          start('loops', 7);
          await log('loops', 3);
          start('reboots', 8);
          await log('reboots', 1);
        }
        if (told.length === 3) stop.abort();
      },
    });
    const client = { workflow: { getHandle } } as unknown as Parameters<typeof watchDomains>[0]['client'];
    await watchDomains({ client, host, log: QUIET, signal: stop.signal, settleMs: 0, lookAgainMs: 1 });
    expect(told).toEqual([
      ['guest/away', { order: 'o4' }],
      ['guest/off', { order: 'o1', how: 'shutdown' }],
      ['guest/loops', { order: 'o2', how: 'crash', isBack: true }],
    ]);
  });
});

describe('what takes memory and disk on a dom0', () => {
  it('is told by guest where it is ours, and piece by piece where it was made by hand', async () => {
    const host = await dom0With([{ name: 'web1', order: 'o1', linked: true }]);
    const settings = dom0SettingsSchema.parse({
      host: 'xen1',
      network: { cidr: NETWORK.cidr, gateway: NETWORK.gateway },
      kernel: '/boot/k',
      initrd: '/boot/i',
    });
    const list = [
      'Name                                        ID   Mem VCPUs      State   Time(s)',
      'Domain-0                                     0   256     2     r-----       1.0',
      'web1                                         1   256     2     -b----       1.0',
      '../x                                         2   256     2     -b----       1.0',
    ];
    const withDomains: Host = {
      ...host,
      run: async (tool, args, options) =>
        tool === 'xl' && args[0] === 'list'
          ? { ...(await host.run(tool, args, options)), stdout: `${list.join('\n')}\n` }
          : await host.run(tool, args, options),
    };
    const work = { host: withDomains, settings, signal: new AbortController().signal, attempt: 1, progress: () => undefined, log: QUIET };
    const found = holdings(await things(createEnv(work)));
    expect(found).toEqual([
      { what: 'guest web1', guest: 'web1', order: 'o1', memoryBytes: 2 ** 28, overheadBytes: 2 ** 21, vcpus: 2, diskBytes: 0 },
      { what: 'domain ../x', memoryBytes: 2 ** 28, vcpus: 2, diskBytes: 0 },
    ]);
  });
});
