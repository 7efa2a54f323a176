import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configures, namesOf, planInterfaces } from '../../../prepare/bridge/interfaces.ts';
import { planNetplan } from '../../../prepare/bridge/netplan.ts';
import { planNetworkd } from '../../../prepare/bridge/networkd.ts';

const WISH = { name: 'xenbr0', port: 'eth0' };
const MAC = '52:54:00:12:34:56';
const BRIDGE = ['    bridge_ports eth0', '    bridge_hw eth0', '    bridge_stp off', '    bridge_fd 0', '    bridge_waitport 10'].join(
  '\n',
);

function interfaces(text: string): string {
  return planInterfaces([{ path: '/etc/network/interfaces', text }], WISH)[0]?.after ?? '';
}

describe('a bridge in interfaces(5)', () => {
  it('gets the address, gateway, DNS and routes of its port, for IPv4 and IPv6; comments and others stay', () => {
    const before = `# dom0's network
auto lo
iface lo inet loopback

# the uplink
allow-hotplug eth0
iface eth0 inet static
    address 10.32.0.5/22
    gateway 10.32.0.1
    # two of them
    dns-nameservers 10.32.0.2 10.32.0.3
    mtu 9000
    hwaddress 52:54:00:00:00:01
    up ip route add 10.99.0.0/16 via 10.32.0.9 dev eth0
    post-up ethtool -K eth0 tso off
iface eth0 inet6 static
    address 2001:db8::5/64
    gateway 2001:db8::1

auto eth1
iface eth1 inet dhcp
`;
    expect(interfaces(before)).toBe(`# dom0's network
auto lo
iface lo inet loopback

# the uplink
auto xenbr0
iface eth0 inet manual
    mtu 9000
    hwaddress 52:54:00:00:00:01
    post-up ethtool -K eth0 tso off

iface xenbr0 inet static
${BRIDGE}
    address 10.32.0.5/22
    gateway 10.32.0.1
    # two of them
    dns-nameservers 10.32.0.2 10.32.0.3
    mtu 9000
    up ip route add 10.99.0.0/16 via 10.32.0.9 dev xenbr0
iface xenbr0 inet6 static
    address 2001:db8::5/64
    gateway 2001:db8::1

auto eth1
iface eth1 inet dhcp
`);
  });

  it.each([
    ['DHCP', 'auto eth0\niface eth0 inet dhcp\n', `auto xenbr0\niface eth0 inet manual\n\niface xenbr0 inet dhcp\n${BRIDGE}\n`],
    [
      'several in one auto line',
      'auto lo eth0 eth1\niface eth0 inet dhcp\n',
      `auto xenbr0\nauto lo eth1\niface eth0 inet manual\n\niface xenbr0 inet dhcp\n${BRIDGE}\n`,
    ],
    [
      'an alias',
      'auto eth0 eth0:1\niface eth0 inet dhcp\niface eth0:1 inet static\n  address 192.0.2.9/24\n',
      `auto xenbr0 xenbr0:1\niface eth0 inet manual\n\niface xenbr0 inet dhcp\n${BRIDGE}\niface xenbr0:1 inet static\n  address 192.0.2.9/24\n`,
    ],
  ])('%s', (_what, before, after) => expect(interfaces(before)).toBe(after));

  it.each([
    ['a VLAN upon the port', 'iface eth0 inet dhcp\niface eth0.7 inet dhcp\n', /VLAN/],
    ['vlan-raw-device', 'iface eth0 inet dhcp\niface vlan7 inet dhcp\n  vlan-raw-device eth0\n', /vlan7 stands upon eth0/],
    ['another bridge', 'iface eth0 inet manual\niface br0 inet dhcp\n  bridge_ports eth0\n', /br0 stands upon eth0/],
    ['a bond', 'iface eth0 inet manual\niface bond0 inet dhcp\n  bond-slaves eth0 eth1\n', /bond0 stands upon eth0/],
    ['a pattern', 'auto /eth*\niface eth0 inet dhcp\n', /pattern/],
    ['a mapping', 'mapping eth0\n  script /x\niface eth0 inet dhcp\n', /mapping/],
    ['a hook that names the interface', 'iface eth0 inet dhcp\n  up /root/shape eth0\n', /port or the bridge/],
    ['a hook that names it by $IFACE', 'iface eth0 inet dhcp\n  up /root/shape "$IFACE"\n', /port or the bridge/],
    ['an option that is not known', 'iface eth0 inet dhcp\n  wpa-ssid x\n', /port or the bridge/],
    ['the bridge there already', 'iface eth0 inet manual\niface xenbr0 inet dhcp\n  bridge_ports eth0\n', /configured here already/],
    ['a continued line', 'iface eth0 inet static\n  address \\\n  192.0.2.1/24\n', /continues/],
    ['inherits', 'iface eth0 inet static inherits base\n', /inherits/],
  ])('%s is refused, with file and line', (_what, text, reason) => {
    expect(() => interfaces(text)).toThrow(reason);
    expect(() => interfaces(text)).toThrow(/^\/etc\/network\/interfaces: "/);
  });

  it('is spread over the files where the port stands, and only those change', () => {
    const files = [
      { path: '/etc/network/interfaces', text: 'source interfaces.d/*\nauto lo\niface lo inet loopback\n' },
      { path: '/etc/network/interfaces.d/eth0', text: 'auto eth0\niface eth0 inet dhcp' },
    ];
    expect(configures(files, 'eth0')).toBe(true);
    expect(configures(files, 'eth1')).toBe(false);
    expect(namesOf(files, 'eth0')).toEqual(['eth0']);
    const changes = planInterfaces(files, WISH);
    expect(changes.map(({ before, after }) => before !== after)).toEqual([false, true]);
  });

  it('does not take an interface for another whose name begins the same', () => {
    const text = 'auto eth01\niface eth01 inet dhcp\n  up ip route add default dev eth01\n';
    expect(interfaces(text)).toBe(text);
  });
});

describe('a bridge of systemd-networkd', () => {
  const file = (text: string) => [{ path: '/etc/systemd/network/50-eth0.network', text }];

  it('is three files of ours that sort first; the file there is stays', () => {
    const text =
      '# uplink\n[Match]\nName=e*\n\n[Link]\nMTUBytes=9000\n\n[Network]\nAddress=10.0.0.5/24\nGateway=10.0.0.1\nDNS=10.0.0.2\n\n[Route]\nDestination=10.9.0.0/16\nGateway=10.0.0.9\n';
    const changes = planNetworkd({ files: file(text), mac: MAC, taken: ['50-eth0.network'] }, WISH);
    expect(Object.fromEntries(changes.map(({ path, after }) => [path.split('/').at(-1), after?.split('\n').slice(1).join('\n')]))).toEqual({
      '00-guestflow-xenbr0.netdev': `[NetDev]\nName=xenbr0\nKind=bridge\nMACAddress=${MAC}\nMTUBytes=9000\n\n[Bridge]\nSTP=no\nForwardDelaySec=0\n`,
      '00-guestflow-xenbr0-port.network':
        '[Match]\nName=eth0\n\n[Link]\nMTUBytes=9000\n\n[Network]\nBridge=xenbr0\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n',
      '00-guestflow-xenbr0.network':
        '[Match]\nName=xenbr0\n\n[Network]\nAddress=10.0.0.5/24\nGateway=10.0.0.1\nDNS=10.0.0.2\n\n[Route]\nDestination=10.9.0.0/16\nGateway=10.0.0.9\n',
    });
  });

  it('takes drop-ins along', () => {
    const files = [...file('[Match]\nName=eth0\n[Network]\nDHCP=yes\n'), { path: '/x.conf', text: '[DHCPv4]\nUseDNS=no\n' }];
    expect(planNetworkd({ files, mac: MAC, taken: [] }, WISH)[2]?.after).toContain('[DHCPv4]\nUseDNS=no');
  });

  it.each(['VLAN=vlan7', 'Bridge=br0', 'Bond=bond0', 'MACVLAN=m0'])('%s upon the port is refused', (line) => {
    expect(() => planNetworkd({ files: file(`[Match]\nName=eth0\n[Network]\n${line}\n`), mac: MAC, taken: [] }, WISH)).toThrow(
      /stands upon eth0/,
    );
  });

  it('a file that sorts before ours is refused by name', () => {
    const files = [{ path: '/etc/systemd/network/00-aaa.network', text: '[Match]\nName=eth0\n[Network]\nDHCP=yes\n' }];
    expect(() => planNetworkd({ files, mac: MAC, taken: [] }, WISH)).toThrow(/00-aaa\.network stands in the way/);
  });
});

describe('a bridge of netplan', () => {
  const plan = (text: string) => planNetplan([{ path: '/etc/netplan/50-cloud-init.yaml', text }], MAC, WISH)[0]?.after ?? '';

  it('gets what its port has, IPv6 and DNS too; comments and the link stay', () => {
    const after = plan(`# by cloud-init
network:
  version: 2
  ethernets:
    eth0:
      match: {macaddress: "${MAC}"}
      set-name: eth0
      mtu: 9000
      addresses: [10.0.0.5/24, "2001:db8::5/64"] # both
      routes:
        - {to: default, via: 10.0.0.1}
      nameservers: {addresses: [10.0.0.2]}
    eth1: {dhcp4: true}
`);
    expect(after).toContain('# by cloud-init');
    expect(after).toContain('# both');
    expect(parse(after)).toEqual({
      network: {
        version: 2,
        ethernets: {
          eth0: {
            match: { macaddress: MAC },
            'set-name': 'eth0',
            mtu: 9000,
            dhcp4: false,
            dhcp6: false,
            'accept-ra': false,
            'link-local': [],
          },
          eth1: { dhcp4: true },
        },
        bridges: {
          xenbr0: {
            interfaces: ['eth0'],
            macaddress: MAC,
            parameters: { stp: false, 'forward-delay': 0 },
            mtu: 9000,
            addresses: ['10.0.0.5/24', '2001:db8::5/64'],
            routes: [{ to: 'default', via: '10.0.0.1' }],
            nameservers: { addresses: ['10.0.0.2'] },
          },
        },
      },
    });
  });

  it('finds the interface under an id of another name', () => {
    const bridges = (parse(plan('network: {ethernets: {uplink: {match: {name: eth0}, dhcp4: true}}}')) as { network: { bridges: object } })
      .network;
    expect(bridges.bridges).toMatchObject({ xenbr0: { interfaces: ['uplink'], dhcp4: true } });
  });

  it.each([
    ['a VLAN', 'network: {ethernets: {eth0: {dhcp4: true}}, vlans: {v7: {id: 7, link: eth0}}}', /v7 of vlans stands upon eth0/],
    ['a bond', 'network: {ethernets: {eth0: {}}, bonds: {b: {interfaces: [eth0]}}}', /b of bonds stands upon eth0/],
    ['NetworkManager', 'network: {renderer: NetworkManager, ethernets: {eth0: {dhcp4: true}}}', /NetworkManager/],
    ['no such interface', 'network: {ethernets: {eth7: {dhcp4: true}}}', /no file configures eth0/],
    ['no YAML', 'network: [', /no YAML/],
  ])('%s is refused', (_what, text, reason) => expect(() => plan(text)).toThrow(reason));
});
