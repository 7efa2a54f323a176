/** A guest's addresses on its dom0: what is taken is refused before anything is made, and IPv6 is in the cfg beside IPv4. */
import { afterEach, describe, expect, it } from 'vitest';
import { fixCfg } from '../../../activities/steps/cfg-fix.ts';
import { planGuest, usedAddresses } from '../../../activities/steps/plan-guest.ts';
import { cfgHeader } from '../../../activities/marks.ts';
import type { GuestOrder, Reservation } from '../../../contract/types.ts';
import type { FakeDom0, FakeHost } from '../../../fake/index.ts';
import { fakeDom0, spec, stepEnv } from './support.ts';

const IPV6 = { address: '2001:db8:0:0:10:0:0:5', gateway: '2001:db8::1' };

let dom0: FakeDom0;
afterEach(() => {
  dom0.close();
});

async function host(): Promise<FakeHost> {
  dom0 = await fakeDom0();
  return dom0.host();
}

function plan(at: FakeHost, changes: Partial<Reservation> = {}): ReturnType<typeof planGuest> {
  const { network, ...order } = spec();
  const { mac: _made, ...lease } = network;
  return planGuest(stepEnv(at), { order: order satisfies GuestOrder, lease: { ...lease, ...changes } });
}

async function byHand(at: FakeHost, vif: string): Promise<void> {
  await at.files.writeAtomic('/etc/xen/byhand.cfg', `name = "byhand"\nkernel = "/boot/k"\nmemory = 128\nvif = [ "${vif}" ]\n`);
}

describe('an address', () => {
  it('at which something answers on the bridge is refused, by name, and nothing is made', async () => {
    const at = await host();
    const before = JSON.stringify(dom0.snapshot());
    await expect(plan(at, { ip: '10.0.0.1' })).rejects.toMatchObject({
      type: 'InvalidInput',
      details: { field: 'ip', value: '10.0.0.1' },
      message: 'ip 10.0.0.1 is taken: something on xenbr0 answers at it',
    });
    expect(JSON.stringify(dom0.snapshot())).toBe(before);
  });

  it('is not used unprobed: a dom0 without arping is not ready, and says what to install', async () => {
    const at = await host();
    await at.files.remove('/usr/bin/arping');
    await expect(plan(at)).rejects.toMatchObject({
      type: 'HostNotReady',
      details: { mend: expect.stringContaining('iputils-arping') as string },
    });
  });

  it.each([
    ['its address', 'ip=10.0.0.5', {}, /ip 10\.0\.0\.5 is taken: \/etc\/xen\/byhand\.cfg has it/],
    [
      'its IPv6 address, however it is written',
      'ip=10.0.0.77 2001:DB8::10:0:0:5',
      { ipv6: IPV6 },
      /has 2001:db8:0:0:10:0:0:5, its IPv6 address/,
    ],
    ['its MAC', 'mac=00:16:3e:0a:0b:0c', { mac: '00:16:3E:0A:0B:0C' }, /mac 00:16:3E:0A:0B:0C is taken: \/etc\/xen\/byhand\.cfg has it/],
  ])('is refused to a guest when one made by hand has %s', async (_what, vif, changes, reason) => {
    const at = await host();
    await byHand(at, vif);
    await expect(plan(at, changes)).rejects.toThrow(reason);
  });

  it('of IPv6 comes into the plan, and into the cfg beside IPv4, where the next order finds both', async () => {
    const at = await host();
    const planned = await plan(at, { ipv6: IPV6 });
    expect(planned.network).toMatchObject({ ip: '10.0.0.5', ipv6: IPV6 });
    const cfg = [
      cfgHeader({ guest: planned.name, order: planned.order }),
      'disk = [ "file:/home/xen/domains/guest1/disk.img,xvda2,w", "file:/home/xen/domains/guest1/swap.img,xvda1,w" ]',
      'vif = [ "ip=10.0.0.5 ,mac=00:16:3E:A3:69:9C,bridge=xenbr0" ]',
      '',
    ];
    await at.files.makeDirectory('/var/lib/guestflow/guests/guest1');
    await at.files.writeAtomic('/etc/xen/guest1.cfg', cfg.join('\n'));
    await fixCfg(stepEnv(at), { spec: planned, disks: 'image', onCrash: 'destroy' });
    expect(await usedAddresses(stepEnv(at))).toMatchObject([{ guest: 'guest1', ips: ['10.0.0.5', IPV6.address] }]);
  });
});
