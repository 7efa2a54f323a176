/** A guest's addresses on its dom0: what is taken is refused before anything is made, and IPv6 is in the cfg beside IPv4. */
import { afterEach, describe, expect, it } from 'vitest';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { planGuest } from '../../../../../activities/dom0/steps/plan-guest.ts';
import { addressesIn, usedAddresses } from '../../../../../activities/dom0/inventory/used-addresses.ts';
import { parseCidr } from '../../../../../contract/ipv4.ts';
import { cfgHeader } from '../../../../../activities/dom0/marks.ts';
import type { LeasedAddress } from '../../../../../contract/dom0.ts';
import type { FakeDom0, FakeHost } from '../../../../../fake/index.ts';
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

function plan(at: FakeHost, changes: Partial<LeasedAddress> = {}): ReturnType<typeof planGuest> {
  const order = spec();
  return planGuest(stepEnv(at), { order, lease: { ...order.network, ...changes } });
}

async function byHand(at: FakeHost, vif: string): Promise<void> {
  await at.files.writeAtomic('/etc/xen/byhand.cfg', `name = "byhand"\nkernel = "/boot/k"\nmemory = 128\nvif = [ "${vif}" ]\n`);
}

describe('the name of a domain', () => {
  it.each([
    ['/etc/xen/web.cfg', 'name = "guest1"\nkernel = "/boot/k"\n'],
    ['/etc/xen/guest1', 'name = "guest1"\nkernel = "/boot/k"\n'],
    ['/etc/xen/web.cfg', 'name = "web"\nname = "guest1"\n'],
    ['/etc/xen/web.cfg', 'import os\r\nname = "guest1"\r\n'],
  ])('that a cfg called %s makes is refused: its domain would pass for the guest', async (path, text) => {
    const at = await host();
    await at.files.writeAtomic(path, text);
    await expect(plan(at)).rejects.toMatchObject({
      type: 'NotOurs',
      details: { field: 'name', value: 'guest1' },
      message: `${path} is the cfg of another domain called guest1: rename that one, or remove the file`,
    });
  });

  it("is free beside another's, and beside a copy of the guest's own cfg", async () => {
    const at = await host();
    await at.files.writeAtomic('/etc/xen/web.cfg', 'name = "guest1"\nname = "guest10"\n');
    await at.files.writeAtomic(
      '/etc/xen/guest1-before.cfg',
      `${cfgHeader({ guest: 'guest1', order: spec().order })}\nname = "guest1"\nvif = [ 'ip=10.0.0.77' ]\n`,
    );
    await expect(plan(at)).resolves.toMatchObject({ name: 'guest1' });
  });
});

describe('an address', () => {
  it('at which something answers on the bridge is refused, by name, and nothing is made', async () => {
    const at = await host();
    const before = JSON.stringify(dom0.snapshot());
    await expect(plan(at, { ip: '10.0.0.1' })).rejects.toMatchObject({
      type: 'InvalidInput',
      details: { field: 'ip', value: '10.0.0.1' },
      message: 'ip 10.0.0.1 is taken: 02:00:00:00:00:01 on xenbr0 answers at it',
    });
    expect(JSON.stringify(dom0.snapshot())).toBe(before);
  });

  it('is free although the router answers for every address, as it does with proxy ARP', async () => {
    const at = await host();
    dom0.faults.proxyArp = true;
    expect((await plan(at)).network.ip).toBe('10.0.0.5');
    await expect(plan(at, { ip: '10.0.0.1' })).rejects.toMatchObject({ details: { field: 'ip' } });
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
    expect(await usedAddresses(stepEnv(at))).toMatchObject([{ guest: 'guest1', ips: ['10.0.0.5', '2001:db8::10:0:0:5'] }]);
  });

  it.each([
    ['a block, by its first', '10.32.0.136/29', 8, ['10.32.0.136', '10.32.0.138', '10.32.0.143']],
    ['a block, by another of it', '10.32.0.138/29', 8, ['10.32.0.136', '10.32.0.143']],
    ['a single one with the prefix length of one', '10.32.0.200/32', 1, ['10.32.0.200']],
    ['the network, by its prefix length', '10.32.0.9/24', 1, ['10.32.0.9']],
    ['a block routed to the guest from elsewhere', '192.0.2.64/27', 32, ['192.0.2.64', '192.0.2.95']],
    ['more than can be counted', '172.16.0.1/12', 1, ['172.16.0.1']],
    ['no prefix length', '10.32.0.9/x', 1, ['10.32.0.9']],
    ['no address', 'dhcp', 0, []],
    ['a block, by its netmask', '10.32.0.138/255.255.255.248', 8, ['10.32.0.136', '10.32.0.143']],
    ['the network, by its netmask', '10.32.0.9/255.255.255.0', 1, ['10.32.0.9']],
    ['zeros in front, as it looks and as tools read it', '010.032.000.010', 2, ['10.32.0.10', '8.26.0.8']],
    ['zeros in front, and no octal number', '10.32.0.089', 1, ['10.32.0.89']],
    ['IPv6 with its network', '2001:DB8:0::9/64', 1, ['2001:db8::9']],
    ['a block of IPv6', '2001:DB8:0::/112', 1, ['2001:db8::/112']],
  ])('written as %s takes what the hotplug script lets through', (_what, word, count, some) => {
    const taken = addressesIn(word, parseCidr('10.32.0.0/24'));
    expect(taken).toHaveLength(count);
    expect(taken).toEqual(expect.arrayContaining(some));
  });

  it.each([
    ['10.0.0.138', 'of a block in a cfg'],
    ['10.0.0.200', 'of the second vif of a cfg'],
    ['10.0.0.201', 'beside another of one vif'],
  ])('%s is taken, %s', async (ip) => {
    const at = await host();
    await byHand(at, 'mac=00:16:3e:00:00:09,ip=10.0.0.136/29", "ip=10.0.0.200/32 10.0.0.201,bridge=xenbr0');
    await expect(plan(at, { ip })).rejects.toThrow(`ip ${ip} is taken: /etc/xen/byhand.cfg has it`);
  });

  const HEAD = 'name = "byhand"\nkernel = "/boot/k"\n';

  it.each<[string, string | Buffer]>([
    ['with a byte order mark', Buffer.from(`\ufeff${HEAD}vif = ['ip=10.0.0.5']\n`)],
    ['in Latin-1 whose last line is a comment without an end', Buffer.from(`${HEAD}vif = ['ip=10.0.0.5']\n# B\xfcro`, 'latin1')],
    ['of a Macintosh', `${HEAD}vif = ['ip=10.0.0.5']\n`.replaceAll('\n', '\r')],
    ['in the Python of xm', `import os\nif 1:\n    arch = os.uname()[4]\n${HEAD}vif = [ 'type=ioemu, ip=10.0.0.5, bridge=xenbr0' ]\n`],
    ['with a list that is not closed', `${HEAD}disk = [ 'phy:/dev/a,xvda,w'\nvif = [ 'mac=00:16:3e:00:00:01,ip=10.0.0.77 10.0.0.5' ]\n`],
    ['with values that are not in quotes', `${HEAD}on_reboot = restart\nvif = [ 'ip=10.0.0.5' ]\n`],
    ['with a vif that is no list', `${HEAD}vif = 'ip=10.0.0.5,bridge=xenbr0'\n`],
    ['with blanks around the sign', `${HEAD}vif = [ 'mac = 00:16:3e:00:00:01, ip = 10.0.0.5' ]\n`],
    ['with a tab before it', `${HEAD}vif = [ "bridge=xenbr0,\tip=10.0.0.5" ]\n`],
    ['with two in one vif, of which xl takes the last', `${HEAD}vif = [ 'ip=10.0.0.5,ip=10.0.0.6' ]\n`],
    ['with zeros in front', `${HEAD}vif = [ 'ip=010.000.000.005' ]\n`],
    ['on the command line of its kernel', `${HEAD}extra = "ip=10.0.0.5::10.0.0.1:255.255.255.0:a:eth0:off"\nvif = [ 'bridge=xenbr0' ]\n`],
    ['in the key of xm', `${HEAD}ip = "10.0.0.5"\nnetmask = "255.255.255.0"\nvif = [ '' ]\n`],
    ['in the key of xm, in a file that xl refuses', `import os\n${HEAD}ip = "10.0.0.5"\n`],
  ])('in a cfg %s is taken: its guest uses it, or did', async (_what, text) => {
    const at = await host();
    await at.files.writeAtomic('/etc/xen/byhand.cfg', text);
    await expect(plan(at)).rejects.toThrow('ip 10.0.0.5 is taken: /etc/xen/byhand.cfg has it');
  });

  it.each([
    ['a comment', `${HEAD}# vif = [ 'ip=10.0.0.5' ]\nvif = [ 'ip=10.0.0.77' ] # was ip=10.0.0.5\n`],
    ['a comment of a file that xl refuses', `import os\n${HEAD}# vif = [ 'ip=10.0.0.5' ]\nvif = [ 'ip=10.0.0.77' ] # was 'ip=10.0.0.5'\n`],
    ['a vif that is set anew', `${HEAD}vif = [ 'ip=10.0.0.5' ]\nvif = [ 'ip=10.0.0.77' ]\n`],
    ['a page that was saved as a cfg', '<html><body>vif = [ "ip=10.0.0.5" ]</body></html>\n'],
    ['the name of a server in another word', `${HEAD}extra = "nfsroot=10.0.0.5:/srv"\n`],
  ])('in %s is free', async (_what, text) => {
    const at = await host();
    await at.files.writeAtomic('/etc/xen/byhand.cfg', text);
    await expect(plan(at)).resolves.toMatchObject({ network: { ip: '10.0.0.5' } });
  });

  it('of a MAC is the same, with a byte of one digit', async () => {
    const at = await host();
    await byHand(at, 'mac=0:16:3e:1:2:3');
    await expect(plan(at, { mac: '00:16:3E:01:02:03' })).rejects.toThrow('mac 00:16:3E:01:02:03 is taken');
  });

  it.each([
    ['/etc/xen/old-guest', undefined],
    ['/etc/xen/guest1', undefined],
    ['/srv/guests/old.conf', '/etc/xen/auto/old'],
  ])('in a cfg called %s is taken', async (path, link) => {
    const at = await host();
    await at.files.makeDirectory(path.replace(/\/[^/]*$/, ''));
    await at.files.writeAtomic(path, 'name = "old"\nkernel = "/boot/k"\nvif = [ "ip=10.0.0.5" ]\n');
    if (link !== undefined) await at.files.symlink(path, link);
    await expect(plan(at)).rejects.toThrow(`ip 10.0.0.5 is taken: ${path} has it`);
  });

  it.each(['/etc/xen/xl.conf', '/etc/xen/byhand.cfg~', '/etc/xen/byhand.cfg.dpkg-old', '/etc/xen/notes'])(
    'in %s is free: that is no cfg of a guest',
    async (path) => {
      const at = await host();
      const text = path.endsWith('notes') ? 'vif = [ "ip=10.0.0.5" ]\n' : 'name = "old"\nvif = [ "ip=10.0.0.5" ]\n';
      await at.files.writeAtomic(path, text);
      await expect(plan(at)).resolves.toMatchObject({ network: { ip: '10.0.0.5' } });
    },
  );
});
