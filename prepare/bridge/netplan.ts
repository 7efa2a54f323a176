/** netplan: moves the configuration of an interface to a bridge, in the same file. Pure: text in, text out; comments stay. */
import { isMap, isSeq, parseDocument, type Document, type YAMLMap } from 'yaml';
import { GuestflowError } from '../../contract/errors.ts';
import type { FileChange } from '../files.ts';
import type { BridgeWish, TextFile } from './interfaces.ts';

/** Keys of an interface that are about its link: they stay with the port. */
const OF_LINK = new Set([
  'match',
  'set-name',
  'wakeonlan',
  'mtu',
  'macaddress',
  'emit-lldp',
  'receive-checksum-offload',
  'transmit-checksum-offload',
  'tcp-segmentation-offload',
  'tcp6-segmentation-offload',
  'generic-segmentation-offload',
  'generic-receive-offload',
  'large-receive-offload',
  'virtual-function-count',
  'openvswitch',
  'renderer',
]);

function refuse(path: string, why: string, wish: BridgeWish): never {
  throw new GuestflowError('HostNotReady', `${path}: ${why}`, {
    field: '--bridge',
    value: `${wish.name}=${wish.port}`,
    mend: `make bridge ${wish.name} in ${path} by hand, bring it up (netplan try), then run this again`,
  });
}

function mapAt(document: Document, path: readonly string[]): YAMLMap | undefined {
  const found = document.getIn(path);
  return isMap(found) ? found : undefined;
}

/** The id under which a file configures the interface: its name, or what matches its name or address. */
function idOf(document: Document, { port }: BridgeWish, mac: string): string | undefined {
  const ethernets = mapAt(document, ['network', 'ethernets']);
  for (const { key } of ethernets?.items ?? []) {
    const id = String(key);
    const text = (name: string): unknown => document.getIn(['network', 'ethernets', id, ...name.split('.')]);
    if (text('set-name') === port || text('match.name') === port) return id;
    if (String(text('match.macaddress')).toLowerCase() === mac.toLowerCase()) return id;
    if (id === port && text('match') === undefined) return id;
  }
  return undefined;
}

/** Bridges, bonds and VLANs of any file that stand upon the interface. */
function checkUppers(path: string, document: Document, id: string, wish: BridgeWish): void {
  for (const kind of ['bridges', 'bonds', 'vlans', 'vrfs']) {
    for (const { key } of mapAt(document, ['network', kind])?.items ?? []) {
      const name = String(key);
      if (name === wish.name) refuse(path, `${kind} has ${name} already, and it is not up with ${wish.port} as its port`, wish);
      const members = document.getIn(['network', kind, name, 'interfaces']);
      const isMember = isSeq(members) && members.items.some((item) => String(item) === id);
      if (isMember || document.getIn(['network', kind, name, 'link']) === id) refuse(path, `${name} of ${kind} stands upon ${id}`, wish);
    }
  }
}

/**
 * The files with the bridge in place of the interface.
 *
 * @param mac address of the interface, which the bridge keeps
 */
export function planNetplan(files: readonly TextFile[], mac: string, wish: BridgeWish): FileChange[] {
  const parsed = files.map(({ path, text }) => ({ path, text, document: parseDocument(text) }));
  for (const { path, document } of parsed) if (document.errors.length > 0) refuse(path, 'it is no YAML', wish);
  const id = parsed.map(({ document }) => idOf(document, wish, mac)).find((found) => found !== undefined);
  if (id === undefined) return refuse(files[0]?.path ?? '/etc/netplan', `no file configures ${wish.port} by its name`, wish);
  let first = true;
  return parsed.map(({ path, text, document }) => {
    checkUppers(path, document, id, wish);
    for (const where of [
      ['network', 'renderer'],
      ['network', 'ethernets', id, 'renderer'],
    ])
      if (document.getIn(where) === 'NetworkManager') refuse(path, 'NetworkManager renders it, which guestflow does not configure', wish);
    const node = mapAt(document, ['network', 'ethernets', id]);
    if (node === undefined) return { path, before: text, after: text };
    move(document, id, node, { mac, wish, isFirst: first });
    first = false;
    return { path, before: text, after: document.toString({ lineWidth: 0 }), mode: 0o600 };
  });
}

function move(document: Document, id: string, node: YAMLMap, to: { mac: string; wish: BridgeWish; isFirst: boolean }): void {
  const bridge = ['network', 'bridges', to.wish.name];
  const movable = node.items.filter(({ key }) => !OF_LINK.has(String(key)));
  node.items = node.items.filter(({ key }) => OF_LINK.has(String(key)));
  if (mapAt(document, ['network', 'bridges']) === undefined) document.setIn(['network', 'bridges'], document.createNode({}));
  document.setIn(bridge, document.createNode(to.isFirst ? { interfaces: [id], macaddress: to.mac } : {}));
  if (to.isFirst) {
    document.setIn([...bridge, 'parameters'], document.createNode({ stp: false, 'forward-delay': 0 }));
    const mtu: unknown = node.get('mtu');
    if (mtu !== undefined) document.setIn([...bridge, 'mtu'], mtu);
    for (const key of ['dhcp4', 'dhcp6', 'accept-ra']) node.set(key, false);
    node.set('link-local', document.createNode([]));
  }
  mapAt(document, bridge)?.items.push(...movable);
}
