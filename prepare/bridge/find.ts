/** Who configures an interface on this host, and what making it a bridge's port changes. */
import { GuestflowError } from '../../contract/errors.ts';
import { checkedInterface, checkedPath, checkedPattern } from '../../activities/dom0/tools/arguments.ts';
import type { Host } from '../../system/host.ts';
import { readText, type FileChange } from '../files.ts';
import { configures, includes, namesOf, planInterfaces, type BridgeWish, type TextFile } from './interfaces.ts';
import { planNetplan } from './netplan.ts';
import { planNetworkd } from './networkd.ts';

/** Shell commands that take the interface down by the old files, bring the bridge up by the new ones, and bring back what was. */
export interface BridgePlan {
  readonly by: 'ifupdown' | 'networkd' | 'netplan';
  readonly changes: readonly FileChange[];
  readonly down: readonly string[];
  readonly up: readonly string[];
  readonly downAgain: readonly string[];
  readonly upAgain: readonly string[];
}

function refuse(why: string, { name, port }: BridgeWish, mend: string): never {
  throw new GuestflowError('HostNotReady', `bridge ${name} cannot be made of ${port}: ${why}`, {
    field: '--bridge',
    value: `${name}=${port}`,
    mend,
  });
}

/** Whether the bridge is there, with the interface as its port. Refuses an interface that no bridge can or may have. */
export async function isBridged(host: Host, wish: BridgeWish): Promise<boolean> {
  const { files } = host;
  const port = `/sys/class/net/${checkedInterface('--bridge', wish.port)}`;
  const bridge = `/sys/class/net/${checkedInterface('--bridge', wish.name)}`;
  if ((await files.info(port)) === undefined) {
    const others = (await files.list('/sys/class/net')).filter((name) => name !== 'lo' && name !== wish.name).sort();
    throw new GuestflowError('NotFound', `there is no interface ${wish.port}`, {
      field: '--bridge',
      value: wish.port,
      mend: `name one of ${others.join(', ') || '(none)'}`,
    });
  }
  if ((await files.info(`${bridge}/brif/${wish.port}`)) !== undefined) return true;
  const master = await files.readLink(`${port}/master`);
  if (master !== undefined) {
    const upper = master.slice(master.lastIndexOf('/') + 1);
    refuse(
      `${wish.port} belongs to ${upper} already`,
      wish,
      `name a bridge's own name (--bridge ${upper}=${wish.port}), or another interface`,
    );
  }
  const uppers = (await files.list(port)).filter((name) => name.startsWith('upper_')).map((name) => name.slice('upper_'.length));
  if (uppers.length > 0)
    refuse(`${uppers.join(', ')} stands upon it (a VLAN or the like)`, wish, 'make the bridge by hand, or name another interface');
  if ((await files.info(bridge)) !== undefined)
    refuse(`there is ${wish.name} already, without ${wish.port} as its port`, wish, 'choose another name for the bridge');
  const type = String(await files.read(`${port}/type`)).trim();
  if (type !== '1' || wish.port === 'lo') refuse('it is no Ethernet interface', wish, 'name an Ethernet interface');
  for (const [entry, what] of [
    ['wireless', 'a wireless interface'],
    ['phy80211', 'a wireless interface'],
    ['bridge', 'a bridge itself'],
  ] as const)
    if ((await files.info(`${port}/${entry}`)) !== undefined) refuse(`it is ${what}`, wish, 'name a wired interface');
  return false;
}

/** The file by which systemd-networkd configures the interface, with its drop-ins; none: it does not. */
async function networkdFiles(host: Host, port: string): Promise<string[]> {
  const index = String(await host.files.read(`/sys/class/net/${port}/ifindex`)).trim();
  const state = String((await host.files.read(`/run/systemd/netif/links/${index}`)) ?? '');
  const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(state)?.[1] ?? '';
  if (value('NETWORK_FILE') === '' || value('ADMIN_STATE') === 'unmanaged') return [];
  return [
    value('NETWORK_FILE'),
    ...value('NETWORK_FILE_DROPINS')
      .split(/[: ]/)
      .map((path) => path.replaceAll('"', '')),
  ].filter((path) => path !== '');
}

async function texts(host: Host, paths: readonly string[]): Promise<TextFile[]> {
  const found: TextFile[] = [];
  for (const path of paths) {
    const text = await readText(host.files, path);
    if (text !== undefined) found.push({ path, text });
  }
  return found;
}

/** /etc/network/interfaces and what it includes, as ifupdown reads them. */
async function interfacesFiles(host: Host, start = '/etc/network/interfaces', depth = 0): Promise<TextFile[]> {
  const found = await texts(host, [start]);
  if (depth > 3) return found;
  for (const { kind, pattern } of includes(found[0]?.text ?? '')) {
    const path = pattern.startsWith('/') ? pattern : `/etc/network/${pattern}`;
    const folder = kind === 'source' ? path.slice(0, path.lastIndexOf('/')) : path;
    const wanted = kind === 'source' ? globOf(path.slice(path.lastIndexOf('/') + 1)) : /^[A-Za-z0-9_-]+$/;
    for (const name of (await host.files.list(folder)).sort())
      if (wanted.test(name)) found.push(...(await interfacesFiles(host, `${folder}/${name}`, depth + 1)));
  }
  return found;
}

function globOf(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  return new RegExp(`^(?!\\.)${source}$`);
}

async function macOf(host: Host, port: string): Promise<string> {
  return String(await host.files.read(`/sys/class/net/${port}/address`)).trim();
}

/** Cloud-init writes its file anew at each boot, unless it is told not to. */
async function withoutCloudInit(host: Host, changes: readonly FileChange[]): Promise<FileChange[]> {
  const path = '/etc/cloud/cloud.cfg.d/99-guestflow-network.cfg';
  const writes = changes.some(({ path: file, before, after }) => before !== after && file.includes('cloud-init'));
  if (!writes || (await host.files.info('/etc/cloud')) === undefined) return [];
  return [{ path, before: await readText(host.files, path), after: 'network: {config: disabled}\n' }];
}

/** Finds who configures the interface, and plans the change for them. */
export async function planBridge(host: Host, wish: BridgeWish): Promise<BridgePlan> {
  const plan = await planFor(host, wish);
  const changes = plan.changes.filter(({ before, after }) => before !== after);
  // They go into a shell script.
  for (const { path } of changes) checkedPath('network file', path);
  return { ...plan, changes: [...changes, ...(await withoutCloudInit(host, changes))] };
}

async function planFor(host: Host, wish: BridgeWish): Promise<BridgePlan> {
  const { port, name } = wish;
  const remove = `ip link delete dev ${name} type bridge`;
  const [networkFile, ...dropIns] = await networkdFiles(host, port);
  const mac = await macOf(host, port);
  if (networkFile !== undefined && /\/\d*-?netplan-/.test(networkFile)) {
    const names = (await host.files.list('/etc/netplan')).filter((file) => /^[^.].*\.yaml$/.test(file)).sort();
    const changes = planNetplan(
      await texts(
        host,
        names.map((file) => `/etc/netplan/${file}`),
      ),
      mac,
      wish,
    );
    return {
      by: 'netplan',
      changes,
      down: [],
      up: ['netplan generate', 'netplan apply'],
      downAgain: [remove],
      upAgain: ['netplan generate', 'netplan apply'],
    };
  }
  if (networkFile !== undefined) {
    const taken = await host.files.list('/etc/systemd/network');
    const changes = planNetworkd({ files: await texts(host, [networkFile, ...dropIns]), mac, taken }, wish);
    // networkctl asks the system bus, which a small Debian does without; systemctl does not need it.
    const hasBus = (await host.files.info('/run/dbus/system_bus_socket')) !== undefined;
    const again = hasBus ? ['networkctl reload', `networkctl reconfigure ${port}`] : ['systemctl restart systemd-networkd.service'];
    return { by: 'networkd', changes, down: [], up: again, downAgain: [remove], upAgain: again };
  }
  const files = await interfacesFiles(host);
  if (configures(files, port)) return await planIfupdown(host, files, wish);
  return await refuseUnknown(host, wish);
}

async function planIfupdown(host: Host, files: readonly TextFile[], wish: BridgeWish): Promise<BridgePlan> {
  if ((await host.files.info('/usr/share/ifupdown2')) !== undefined || (await host.files.info('/usr/sbin/ifreload')) !== undefined)
    refuse(
      'this host has ifupdown2, whose files guestflow does not write',
      wish,
      'make the bridge by hand, bring it up, then run this again',
    );
  const names = namesOf(files, wish.port).map((name) =>
    checkedPattern('interface', name, /^[A-Za-z0-9][A-Za-z0-9._:-]{0,30}$/, 'interfaces have letters, digits and . _ : -'),
  );
  const bridges = names.map((name) => wish.name + name.slice(wish.port.length));
  return {
    by: 'ifupdown',
    changes: planInterfaces(files, wish),
    down: [...[...names].reverse().map((name) => `ifdown --force ${name}`), `ip address flush dev ${wish.port}`],
    up: bridges.map((name) => `ifup --force ${name}`),
    downAgain: [...[...bridges].reverse().map((name) => `ifdown --force ${name}`), `ip link delete dev ${wish.name} type bridge`],
    upAgain: names.map((name) => `ifup --force ${name}`),
  };
}

async function refuseUnknown(host: Host, wish: BridgeWish): Promise<never> {
  const { code } = await host.run('systemctl', ['is-active', '--quiet', 'NetworkManager.service'], { okCodes: [0, 3, 4] });
  const mend = `configure ${wish.port} by /etc/network/interfaces, netplan or systemd-networkd, or make bridge ${wish.name} yourself, then run this again`;
  if (code === 0)
    refuse('NetworkManager configures it, which guestflow does not do', wish, `nmcli connection add type bridge …; or ${mend}`);
  return refuse(`neither ifupdown, netplan nor systemd-networkd configures ${wish.port}`, wish, mend);
}
