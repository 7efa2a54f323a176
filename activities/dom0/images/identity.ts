/** What makes a system another machine than the one that it is a copy of: which of its files change, and how. Pure. */
import { distributionOf } from '../../../contract/distributions.ts';
import { broadcastText, prefixOfNetmask } from '../../../contract/ipv4.ts';
import type { GuestNetwork, GuestSpec } from '../../../contract/guest.ts';
import { withRootPassword } from '../guests/access/shadow.ts';
import type { OfflineChange, OfflineEntry } from '../tools/offline-files.ts';
import { hostsOf, shortName } from './host-names.ts';

/** What was found of the former identity. Texts are undefined where there is no such file. */
export interface FormerIdentity {
  readonly ip: string;
  readonly ipv6?: string;
  readonly fileSystem: string;
  readonly hosts: string | undefined;
  readonly fstab: string | undefined;
  readonly authorizedKeys: string | undefined;
  readonly mailname: string | undefined;
  /** `/etc/shadow`, and its group, where a password is set. */
  readonly shadow?: { readonly text: string; readonly gid: number };
  /** What is in `/etc/ssh`, `/etc/netplan`, `/var/lib/dbus`; undefined: there is no such directory. */
  readonly listings: Readonly<Record<'ssh' | 'netplan' | 'dbus', readonly OfflineEntry[] | undefined>>;
}

/** What is made for the copy. */
export interface NewIdentity {
  readonly fileSystem: string;
  /** Its host key: private, public. */
  readonly hostKey: readonly [string, string];
  /** Line of the provisioning key. Undefined: it gets none. */
  readonly provisionKey?: string;
  /** crypt(5) hash of root's password. Undefined: root's password stays as it is. */
  readonly passwordHash?: string;
}

/** What guestflow's provisioning keys are called, of whatever guest. */
const PROVISION_KEY = /\sguestflow-provision-\S+\s*$/;
const HOST_KEY_NAME = 'ssh_host_ed25519_key';
const HOST_KEY = /^ssh_host_[a-z0-9_]+(?:\.pub)?$/;
const NETPLAN_NAME = '01-netcfg.yaml';
const NETPLAN = /^[A-Za-z0-9._][A-Za-z0-9._-]*\.yaml$/;

/** The changes, in the order in which they are made. */
export function identityChanges(spec: GuestSpec, former: FormerIdentity, next: NewIdentity): OfflineChange[] {
  const { listings } = former;
  const file = (path: string, content: string, mode = 0o644): OfflineChange => ({ path, is: 'file', content, mode });
  const gone = (path: string): OfflineChange => ({ path, is: 'gone' });
  const [privateKey, publicKey] = next.hostKey;
  return [
    file('/etc/hostname', `${shortName(spec)}\n`),
    file('/etc/hosts', hostsOf(spec, former.hosts, [former.ip, former.ipv6])),
    ...(former.mailname === undefined ? [] : [file('/etc/mailname', `${spec.hostname ?? spec.name}\n`)]),
    // Empty: systemd makes one at the next boot. dbus reads the same.
    file('/etc/machine-id', '', 0o444),
    ...(listings.dbus === undefined ? [] : [{ path: '/var/lib/dbus/machine-id', is: 'link', to: '/etc/machine-id' } as const]),
    ...['/var/lib/systemd/random-seed', '/var/lib/systemd/credential.secret', '/etc/udev/rules.d/70-persistent-net.rules'].map(gone),
    ...(listings.ssh ?? [])
      .filter(({ name }) => HOST_KEY.test(name) && !name.startsWith(HOST_KEY_NAME))
      .map(({ name }) => gone(`/etc/ssh/${name}`)),
    file(`/etc/ssh/${HOST_KEY_NAME}`, privateKey, 0o600),
    file(`/etc/ssh/${HOST_KEY_NAME}.pub`, publicKey),
    { path: '/root/.ssh', is: 'directory', mode: 0o700 },
    file('/root/.ssh/authorized_keys', keysOf(spec, former, next), 0o600),
    ...networkChanges(spec, former),
    ...(former.fstab?.includes(former.fileSystem) === true
      ? [file('/etc/fstab', former.fstab.replaceAll(former.fileSystem, next.fileSystem))]
      : []),
    ...passwordChanges(former, next),
  ];
}

/** As the role `guestflow` does it: root may log in by its password only where it has one. */
function passwordChanges({ shadow }: FormerIdentity, { passwordHash }: NewIdentity): OfflineChange[] {
  if (passwordHash === undefined || shadow === undefined) return [];
  const { text, gid } = shadow;
  return [
    { path: '/etc/shadow', is: 'file', content: withRootPassword(Buffer.from(text), passwordHash).toString(), mode: 0o640, gid },
    {
      path: '/etc/ssh/sshd_config.d/00-guestflow.conf',
      is: 'file',
      content: `${WRITTEN}HostKey /etc/ssh/${HOST_KEY_NAME}\nPermitRootLogin yes\n`,
      mode: 0o644,
    },
  ];
}

/** Whoever could log in to the former machine can log in to the copy; a provisioning key of the former one cannot. */
function keysOf({ access }: GuestSpec, { authorizedKeys = '' }: FormerIdentity, { provisionKey }: NewIdentity): string {
  const kept = authorizedKeys.split('\n').filter((line) => line.trim() !== '' && !PROVISION_KEY.test(line));
  const own = provisionKey === undefined ? [] : [provisionKey.trim()];
  return [...new Set([...own, ...access.sshKeys, ...kept])].map((line) => `${line}\n`).join('');
}

function networkChanges({ network, os: { dist } }: GuestSpec, { listings }: FormerIdentity): OfflineChange[] {
  if ((distributionOf(dist)?.network ?? 'ifupdown') === 'ifupdown')
    return [{ path: '/etc/network/interfaces', is: 'file', content: interfacesOf(network), mode: 0o644 }];
  const others = (listings.netplan ?? []).filter(({ name }) => NETPLAN.test(name) && name !== NETPLAN_NAME);
  return [
    ...others.map(({ name }): OfflineChange => ({ path: `/etc/netplan/${name}`, is: 'gone' })),
    { path: `/etc/netplan/${NETPLAN_NAME}`, is: 'file', content: netplanOf(network), mode: 0o600 },
  ];
}

const WRITTEN = '# Written by guestflow when this guest was made.\n';

/** As xen-tools and the role `guestflow` write it. */
function interfacesOf({ ip, netmask, gateway, ipv6 }: GuestNetwork): string {
  const broadcast = broadcastText({ ip, netmask });
  const four = `auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n address ${ip}\n gateway ${gateway}\n netmask ${netmask}\n broadcast ${broadcast}\n`;
  if (ipv6 === undefined) return `${WRITTEN}${four}`;
  return `${WRITTEN}${four}\niface eth0 inet6 static\n address ${ipv6.address}/64\n gateway ${ipv6.gateway}\n accept_ra 0\n autoconf 0\n dad-attempts 0\n`;
}

/** As the role writes it. JSON is YAML. */
function netplanOf({ ip, netmask, gateway, ipv6 }: GuestNetwork): string {
  const eth0 = {
    dhcp4: false,
    dhcp6: false,
    'accept-ra': false,
    addresses: [`${ip}/${String(prefixOfNetmask(netmask) ?? 32)}`, ...(ipv6 === undefined ? [] : [`${ipv6.address}/64`])],
    routes: [gateway, ...(ipv6 === undefined ? [] : [ipv6.gateway])].map((via) => ({ to: 'default', via })),
  };
  return `${WRITTEN}${JSON.stringify({ network: { version: 2, renderer: 'networkd', ethernets: { eth0 } } }, null, 2)}\n`;
}
