/** What preflight says of the surroundings of a dom0: xendomains and the router; on the fake dom0. */
import { afterEach, describe, expect, it } from 'vitest';
import { preflight } from '../../../../../activities/dom0/steps/preflight.ts';
import type { PreflightRow } from '../../../../../contract/dom0.ts';
import type { FakeDom0, FakeHost } from '../../../../../fake/index.ts';
import { fakeDom0, stepEnv } from './support.ts';

let dom0: FakeDom0;
afterEach(() => {
  dom0.close();
});

async function rowOf(name: string, arrange: (host: FakeHost) => Promise<void> | void = () => undefined): Promise<PreflightRow | undefined> {
  dom0 = await fakeDom0();
  const host = dom0.host();
  await arrange(host);
  const report = await preflight(stepEnv(host));
  // Neither stops an order.
  expect(report.ok).toBe(true);
  return report.rows.find(({ row }) => row === name);
}

const settings =
  (text: string) =>
  (host: FakeHost): Promise<void> =>
    host.files.writeAtomic('/etc/default/xendomains', text);

describe('preflight', () => {
  it.each([
    ['Debian’s settings', 'XENDOMAINS_SAVE=/var/lib/xen/save\nXENDOMAINS_RESTORE=true\n', /to \/var\/lib\/xen\/save when .* restores it/],
    [
      'false, which to the script is as good as true',
      'XENDOMAINS_SAVE=/srv/save\nXENDOMAINS_RESTORE=false\n',
      /to \/srv\/save .* restores it/,
    ],
    ['saved, and never restored', 'XENDOMAINS_SAVE="/var/lib/xen/save"\nXENDOMAINS_RESTORE=""\n', /never restores it/],
    ['a place that only a shell can tell', 'XENDOMAINS_SAVE="$HOME/save"\nXENDOMAINS_RESTORE=true\n', /\/var\/lib\/xen\/save/],
  ])('warns of saved states, and says how to have none: %s', async (_what, text, found) => {
    expect(await rowOf('saved states', settings(text))).toEqual({
      row: 'saved states',
      state: 'warning',
      found: expect.stringMatching(found) as string,
      mend: expect.stringContaining('XENDOMAINS_SAVE= ') as string,
    });
  });

  it.each([
    ['no settings', undefined],
    ['an empty setting, the last of two', 'XENDOMAINS_SAVE=/var/lib/xen/save\nXENDOMAINS_SAVE=\nXENDOMAINS_RESTORE=true\n'],
  ])('has nothing to say of saved states where none are made: %s', async (_what, text) => {
    expect(await rowOf('saved states', text === undefined ? undefined : settings(text))).toMatchObject({ state: 'ok' });
  });

  it('warns of a router that answers for addresses which no machine has, with its address and what to do', async () => {
    const row = await rowOf('router', () => {
      dom0.faults.proxyArp = true;
    });
    expect(row).toEqual({
      row: 'router',
      state: 'warning',
      found: expect.stringMatching(/^the gateway 10\.0\.0\.1 answers for 10\.0\.0\.254, /) as string,
      mend: expect.stringMatching(/proxy_arp=0.*network\.exclude/) as string,
    });
  });

  it('asks for an address that no cfg has, and is content when nobody answers', async () => {
    const row = await rowOf('router', (host) =>
      host.files.writeAtomic('/etc/xen/byhand', 'name = "byhand"\nvif = ["ip=10.0.0.254,mac=00:16:3E:00:00:09"]\n'),
    );
    expect(row).toEqual({ row: 'router', state: 'ok', found: 'nobody answers for 10.0.0.253, which no guest has' });
  });

  it('says of a router that could not be asked why, and goes on', async () => {
    const row = await rowOf('router', () => {
      dom0.faults.add({
        match: ({ name }) => name === 'arping',
        kind: 'fail-always',
        exitCode: 2,
        stderr: 'arping: Operation not permitted',
      });
    });
    expect(row).toMatchObject({ state: 'warning', found: expect.stringMatching(/^cannot be asked: .*not permitted/s) as string });
  });
});
