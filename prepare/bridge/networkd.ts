/** systemd-networkd: adds three files that come before the one that configures the interface now. That one stays. Pure: text in, text out. */
import { GuestflowError } from '../../contract/errors.ts';
import type { FileChange } from '../files.ts';
import type { BridgeWish, TextFile } from './interfaces.ts';

const FOLDER = '/etc/systemd/network';

interface Section {
  readonly name: string;
  readonly lines: readonly string[];
}

/** Sections of a systemd unit file; what stands before the first is left out (comments). */
function sections(text: string): Section[] {
  const found: { name: string; lines: string[] }[] = [];
  for (const line of text.split('\n')) {
    const name = /^\[([^\]]+)\]\s*$/.exec(line)?.[1];
    if (name !== undefined) found.push({ name, lines: [] });
    else if (line.trim() !== '') found.at(-1)?.lines.push(line);
  }
  return found;
}

/** Keys of [Network] that put other interfaces upon this one. */
const UPPER = /^\s*(Bridge|Bond|VRF|VLAN|IPVLAN|IPVTAP|MACVLAN|MACVTAP|MACsec|Tunnel|VXLAN|BatmanAdvanced|Xfrm|IPoIB)\s*=\s*\S/;

function refuse(path: string, line: string, wish: BridgeWish): never {
  throw new GuestflowError('HostNotReady', `${path}: "${line.trim()}": another interface stands upon ${wish.port}`, {
    field: '--bridge',
    value: `${wish.name}=${wish.port}`,
    mend: `make bridge ${wish.name} in ${FOLDER} by hand, bring it up, then run this again`,
  });
}

function write(parts: readonly Section[]): string {
  return `# Made by guestflow dom0 prepare.\n${parts.map(({ name, lines }) => `[${name}]\n${lines.join('\n')}\n`).join('\n')}`;
}

/** What networkd is told. */
export interface NetworkdInput {
  /** The file that configures the interface, then its drop-ins. */
  readonly files: readonly TextFile[];
  /** Address of the interface: the bridge keeps it, so that DHCP gives the same lease, and guests that come and go do not change it. */
  readonly mac: string;
  /** Names that are taken in /etc/systemd/network. */
  readonly taken: readonly string[];
}

/** The bridge, its port, and its addresses. */
export function planNetworkd({ files, mac, taken }: NetworkdInput, wish: BridgeWish): FileChange[] {
  const all = files.flatMap(({ path, text }) => sections(text).map((section) => ({ path, ...section })));
  for (const { path, name, lines } of all) if (name === 'Network') for (const line of lines) if (UPPER.test(line)) refuse(path, line, wish);
  const link = all.filter(({ name }) => name === 'Link');
  const mtu = link.flatMap(({ lines }) => lines.filter((line) => /^\s*MTUBytes\s*=/.test(line))).slice(-1);
  const addresses = all.filter(({ name }) => name !== 'Match' && name !== 'Link');
  const base = `00-guestflow-${wish.name}`;
  const made = [
    {
      name: `${base}.netdev`,
      parts: [
        { name: 'NetDev', lines: [`Name=${wish.name}`, 'Kind=bridge', `MACAddress=${mac}`, ...mtu] },
        { name: 'Bridge', lines: ['STP=no', 'ForwardDelaySec=0'] },
      ],
    },
    {
      name: `${base}-port.network`,
      parts: [
        { name: 'Match', lines: [`Name=${wish.port}`] },
        ...link,
        { name: 'Network', lines: [`Bridge=${wish.name}`, 'LinkLocalAddressing=no', 'IPv6AcceptRA=no'] },
      ],
    },
    { name: `${base}.network`, parts: [{ name: 'Match', lines: [`Name=${wish.name}`] }, ...addresses] },
  ];
  checkOrder(
    files[0]?.path ?? '',
    made.map(({ name }) => name),
    taken,
    wish,
  );
  return made.map(({ name, parts }) => ({ path: `${FOLDER}/${name}`, before: undefined, after: write(parts) }));
}

/** The first file that matches an interface wins: ours must sort before the one there is. */
function checkOrder(current: string, names: readonly string[], taken: readonly string[], wish: BridgeWish): void {
  const base = current.slice(current.lastIndexOf('/') + 1);
  const clash = names.find((name) => taken.includes(name)) ?? (names.some((name) => name >= base) ? base : undefined);
  if (clash !== undefined)
    throw new GuestflowError('HostNotReady', `${FOLDER}: ${clash} stands in the way of ${names.join(', ')}`, {
      field: '--bridge',
      value: `${wish.name}=${wish.port}`,
      mend: `give ${clash} a name that sorts later, or remove it when an earlier attempt left it, then run this again`,
    });
}
