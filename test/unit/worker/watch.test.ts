/** Which guests are told that their domain is gone, on the fake dom0. */
import { afterEach, describe, expect, it } from 'vitest';
import { dom0SettingsSchema } from '../../../contract/dom0-settings.ts';
import { cfgHeader } from '../../../activities/marks.ts';
import { holdings } from '../../../activities/steps/holdings.ts';
import { createFakeDom0, type FakeDom0, type FakeHost } from '../../../fake/index.ts';
import { guestsWithoutDomain, watchDomains } from '../../../worker/watch.ts';

const NETWORK = { cidr: '192.0.2.0/24', gateway: '192.0.2.1', bridge: 'xenbr0' };
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
    expect(await guestsWithoutDomain(host)).toEqual([{ guest: 'web1', order: 'o1' }]);
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

describe('what takes memory and disk on a dom0', () => {
  it('is told by guest where it is ours, and piece by piece where it was made by hand', async () => {
    const host = await dom0With([{ name: 'web1', order: 'o1', linked: true }]);
    const settings = dom0SettingsSchema.parse({
      host: 'xen1',
      network: { cidr: NETWORK.cidr, gateway: NETWORK.gateway },
      kernel: '/boot/k',
      initrd: '/boot/i',
    });
    const env = { host, settings, signal: new AbortController().signal, attempt: 1, progress: () => undefined, log: QUIET };
    const domain = { memoryMiB: 256, vcpus: 2, state: 'b', cpuSeconds: 1 };
    const found = await holdings(env, [
      { ...domain, name: 'Domain-0', id: 0 },
      { ...domain, name: 'web1', id: 1 },
      { ...domain, name: '../x', id: 2 },
    ]);
    expect(found).toEqual([
      { what: 'guest web1', guest: 'web1', order: 'o1', memoryBytes: 2 ** 28, vcpus: 2, diskBytes: 0 },
      { what: 'domain ../x', memoryBytes: 2 ** 28, vcpus: 2, diskBytes: 0 },
    ]);
  });
});
