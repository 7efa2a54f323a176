import { describe, expect, it } from 'vitest';
import { isBridged, planBridge } from '../../../prepare/bridge/find.ts';
import { scriptedHost } from '../scripted-host.ts';

const WISH = { name: 'xenbr0', port: 'eth0' };
const PORT = '/sys/class/net/eth0';
const INTERFACES = '/etc/network/interfaces';
const DHCP = 'auto eth0\niface eth0 inet dhcp\n';

/** A host with the interface eth0 and these files; a value that begins with -> is a link, / at the end a directory. */
async function host(files: Readonly<Record<string, string>>, { networkManager = false } = {}) {
  const its = scriptedHost((command) => (command.includes('NetworkManager') ? { code: networkManager ? 0 : 3 } : undefined));
  const all = { [`${PORT}/ifindex`]: '2\n', [`${PORT}/address`]: '52:54:00:12:34:56\n', [`${PORT}/type`]: '1\n', ...files };
  for (const [path, text] of Object.entries(all)) {
    await its.files.makeDirectory(path.endsWith('/') ? path.slice(0, -1) : path.slice(0, path.lastIndexOf('/')));
    if (text.startsWith('->')) await its.files.symlink(text.slice(2), path);
    else if (!path.endsWith('/')) await its.files.writeAtomic(path, text, 0o644);
  }
  return its;
}

const links = (file: string): Record<string, string> => ({
  '/run/systemd/netif/links/2': `ADMIN_STATE=configured\nNETWORK_FILE=${file}\n`,
});

describe('who configures an interface', () => {
  it('is ifupdown, in a file that another includes', async () => {
    const its = await host({
      [INTERFACES]: 'source interfaces.d/*\n',
      '/etc/network/interfaces.d/eth0': DHCP,
      '/etc/network/interfaces.d/.hidden': DHCP,
    });
    expect(await planBridge(its, WISH)).toMatchObject({
      by: 'ifupdown',
      changes: [{ path: '/etc/network/interfaces.d/eth0' }],
      down: ['ifdown --force eth0', 'ip address flush dev eth0'],
      up: ['ifup --force xenbr0'],
      upAgain: ['ifup --force eth0'],
    });
  });

  it('is systemd-networkd, though an old interfaces file is there', async () => {
    const file = '/etc/systemd/network/50-eth0.network';
    const its = await host({ ...links(file), [file]: '[Match]\nName=eth0\n[Network]\nDHCP=yes\n', [INTERFACES]: DHCP });
    const plan = await planBridge(its, WISH);
    expect(plan.by).toBe('networkd');
    expect(plan.changes.map(({ path }) => path)).toEqual([
      '/etc/systemd/network/00-guestflow-xenbr0.netdev',
      '/etc/systemd/network/00-guestflow-xenbr0-port.network',
      '/etc/systemd/network/00-guestflow-xenbr0.network',
    ]);
  });

  it.each([
    [true, ['networkctl reload', 'networkctl reconfigure eth0']],
    [false, ['systemctl restart systemd-networkd.service']],
  ])('is systemd-networkd, told of the new files over the system bus where there is one: %s', async (hasBus, up) => {
    const file = '/etc/systemd/network/50-eth0.network';
    const bus = hasBus ? { '/run/dbus/system_bus_socket': '' } : {};
    const its = await host({ ...links(file), ...bus, [file]: '[Match]\nName=eth0\n[Network]\nDHCP=yes\n' });
    expect(await planBridge(its, WISH)).toMatchObject({ up, upAgain: up });
  });

  it('is netplan, and cloud-init is told not to write its file again', async () => {
    const its = await host({
      ...links('/run/systemd/network/10-netplan-eth0.network'),
      '/etc/netplan/50-cloud-init.yaml': 'network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n',
      '/etc/cloud/': '',
    });
    const plan = await planBridge(its, WISH);
    expect(plan.by).toBe('netplan');
    expect(plan.changes.map(({ path }) => path)).toEqual([
      '/etc/netplan/50-cloud-init.yaml',
      '/etc/cloud/cloud.cfg.d/99-guestflow-network.cfg',
    ]);
  });

  it.each([
    ['NetworkManager', {}, true, /NetworkManager configures it/],
    ['nobody that is known', {}, false, /neither ifupdown, netplan nor systemd-networkd/],
    ['ifupdown2', { [INTERFACES]: DHCP, '/usr/share/ifupdown2/': '' }, false, /ifupdown2/],
    ['a file behind a link', { [INTERFACES]: '->/etc/shared' }, false, /symbolic link/],
    [
      'a file with a quote in its name',
      { [INTERFACES]: 'source interfaces.d/*\n', "/etc/network/interfaces.d/a'b": DHCP },
      false,
      /network file/,
    ],
    ['an alias with a command in its name', { [INTERFACES]: `${DHCP}iface eth0:$(reboot) inet dhcp\n` }, false, /interface "eth0:/],
  ])('%s is refused', async (_what, files, networkManager, reason) => {
    await expect(planBridge(await host(files, { networkManager }), WISH)).rejects.toThrow(reason);
  });
});

describe('an interface that becomes a port', () => {
  it('may be one already: then there is nothing to do', async () => {
    expect(await isBridged(await host({ '/sys/class/net/xenbr0/brif/eth0/': '' }), WISH)).toBe(true);
    expect(await isBridged(await host({}), WISH)).toBe(false);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['in another bridge or bond', { [`${PORT}/master`]: '->../bond0' }, /eth0 belongs to bond0 already/],
    ['under a VLAN', { [`${PORT}/upper_eth0.7`]: '->../eth0.7' }, /eth0\.7 stands upon it/],
    ['wireless', { [`${PORT}/wireless/`]: '' }, /wireless/],
    ['a bridge', { [`${PORT}/bridge/`]: '' }, /a bridge itself/],
    ['no Ethernet', { [`${PORT}/type`]: '772\n' }, /no Ethernet/],
    ['beside a bridge of that name without it', { '/sys/class/net/xenbr0/bridge/': '' }, /without eth0 as its port/],
  ])('%s is refused', async (_what, files, reason) => {
    await expect(isBridged(await host(files), WISH)).rejects.toThrow(reason);
  });

  it('that is not there is refused with those that are', async () => {
    await expect(isBridged(await host({}), { name: 'xenbr0', port: 'eth9' })).rejects.toMatchObject({
      type: 'NotFound',
      details: { value: 'eth9', mend: 'name one of eth0' },
    });
  });
});
