/** The traffic of guests is counted and kept, on the fake dom0. */
import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { bootGuest, destroyGuest, stopGuest } from '../../../activities/dom0/steps/boot.ts';
import { removeGuestState } from '../../../activities/dom0/steps/guest-state.ts';
import type { Account } from '../../../activities/dom0/traffic/account.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { FakeDom0, FakeHost } from '../../../fake/index.ts';
import { countOnce } from '../../count-traffic.ts';
import { observeTraffic } from '../../../worker/traffic-metrics.ts';
import { dom0With, spec, stepEnv } from '../activities/dom0/steps/support.ts';

const MiB = 2 ** 20;
const FILE = '/var/lib/guestflow/guests/guest1/traffic.json';

let dom0: FakeDom0;
afterEach(() => {
  dom0.close();
});

async function running(): Promise<{ host: FakeHost; guest: GuestSpec }> {
  const guest = spec();
  const made = await dom0With(guest);
  dom0 = made.dom0;
  await bootGuest(made.env, guest);
  return { host: dom0.host(), guest };
}

/** The guest's vif has received and sent so much since its domain began. */
function moved(inBytes: number, outBytes: number): void {
  dom0.state.domains.find(({ name }) => name === 'guest1')!.traffic = [{ inBytes, outBytes }];
}

/** One look. */
function look(host: FakeHost, warnings: string[] = []): Promise<readonly Account[]> {
  const log = { info: () => undefined, warn: (fields: object) => warnings.push((fields as { reason: string }).reason) };
  return countOnce(dom0, { host, log });
}

async function kept(host: FakeHost): Promise<Account | undefined> {
  const text = await host.files.read(FILE);
  return text === undefined ? undefined : (JSON.parse(text.toString()) as Account);
}

describe('the traffic of a guest', () => {
  it('is counted from the first look on, over a restart of the worker, into a file that only root reads', async () => {
    const { host } = await running();
    moved(5, 5);
    await look(host);
    moved(5 + 3 * MiB, 5 + MiB);
    host.kill();
    const again = dom0.host();
    expect(await look(again)).toMatchObject([{ guest: 'guest1', total: { inBytes: 3 * MiB, outBytes: MiB } }]);
    expect(await kept(again)).toMatchObject({ total: { inBytes: 3 * MiB, outBytes: MiB } });
    expect((await again.files.info(FILE))?.mode).toBe(0o600);
  });

  it('is not written for less than a MiB, and lost by no look', async () => {
    const { host } = await running();
    await look(host);
    const before = await kept(host);
    moved(1_000, 1_000);
    expect(await look(host)).toMatchObject([{ total: { inBytes: 1_000, outBytes: 1_000 } }]);
    expect(await kept(host)).toEqual(before);
    moved(2_000, 2_000);
    expect(await look(host)).toMatchObject([{ total: { inBytes: 2_000, outBytes: 2_000 } }]);
  });

  it('is written when a counter has begun anew, though little was sent: the next look must not take it for the old one', async () => {
    const { host } = await running();
    await look(host);
    moved(0, 2 * MiB);
    await look(host);
    moved(0, 100);
    await look(host);
    moved(0, 3 * MiB);
    expect(await look(host)).toMatchObject([{ total: { outBytes: 5 * MiB } }]);
  });

  it.each([
    ['stop', stopGuest],
    ['destroy', destroyGuest],
  ] as const)('is counted once more before a %s ends the domain', async (_what, end) => {
    const { host, guest } = await running();
    await look(host);
    moved(700, 300);
    const ref = { name: guest.name, order: guest.order, dom0: guest.dom0 };
    await end(stepEnv(host), ref);
    expect(await look(host)).toMatchObject([{ total: { inBytes: 700, outBytes: 300 } }]);
    await bootGuest(stepEnv(host), guest);
    moved(1, 2);
    expect(await look(host)).toMatchObject([{ total: { inBytes: 701, outBytes: 302 } }]);
  });

  it('does not keep a guest from being stopped when the disk is full', async () => {
    const { host, guest } = await running();
    await look(host);
    moved(700, 300);
    dom0.faults.diskFull = true;
    await expect(stopGuest(stepEnv(host), { name: guest.name, order: guest.order, dom0: guest.dom0 })).resolves.toEqual({
      how: 'shut down',
    });
  });

  it('goes with the guest: one of another order with its name begins anew', async () => {
    const { host, guest } = await running();
    await look(host);
    moved(9 * MiB, 9 * MiB);
    await look(host);
    await removeGuestState(stepEnv(host), { name: guest.name, order: guest.order, dom0: guest.dom0 });
    expect(await look(host)).toEqual([]);
    expect(await host.files.info(FILE)).toBeUndefined();
  });

  it('is not that of a domain of its name that is another order’s', async () => {
    const { host } = await running();
    await host.files.writeAtomic('/etc/xen/guest1.cfg', '# by hand\nname = "guest1"\n');
    moved(9 * MiB, 9 * MiB);
    expect(await look(host)).toEqual([]);
    expect(await kept(host)).toBeUndefined();
  });

  it('says once why it could not be counted', async () => {
    const { host } = await running();
    const warnings: string[] = [];
    dom0.faults.diskFull = true;
    await look(host, warnings);
    expect(warnings).toEqual([expect.stringContaining('ENOSPC')]);
  });
});

describe('the metrics of traffic', () => {
  it('name the guests of the dom0, and forget those that have gone', async () => {
    const registry = new Registry();
    const observe = observeTraffic(registry);
    const { host } = await running();
    await look(host);
    moved(10, 20);
    observe(await look(host));
    const text = await registry.metrics();
    expect(text).toContain('guestflow_guest_traffic_bytes_total{guest="guest1",direction="in"} 10');
    expect(text).toContain('guestflow_guest_traffic_bytes_total{guest="guest1",direction="out"} 20');
    observe([]);
    expect(await registry.metrics()).not.toContain('guest1');
  });
});
