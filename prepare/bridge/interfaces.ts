/** interfaces(5): moves the configuration of an interface to a bridge, and makes the interface its port. Pure: text in, text out. */
import { GuestflowError } from '../../contract/errors.ts';
import type { FileChange } from '../files.ts';

/** A file of ifupdown's. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** The bridge and its port. */
export interface BridgeWish {
  readonly name: string;
  readonly port: string;
}

/** Lines that begin with one of these keywords, and those that follow, up to the next. */
interface Stanza {
  /** As written, with what continues them. */
  readonly lines: readonly string[];
  readonly words: readonly string[];
}

const KEYWORD = /^(iface|mapping|auto|allow-\S+|no-auto-down|no-scripts|source|source-directory|template|rename)$/;
/** Options of a link: they stay with the port. */
const OF_LINK = /^(hwaddress|mtu|ethernet-\S+|link-\S+|offload-\S+|hardware-\S+)$/;
/** Options of addresses: they go to the bridge. */
const OF_ADDRESS =
  /^(address|netmask|broadcast|gateway|metric|pointopoint|scope|hostname|leasehours|leasetime|vendor|client|client-?id|dns-\S+|dns|dad-\S+|accept_ra|autoconf|privext|request_prefix|preferred-lifetime|ll-attempts|ll-interval|description)$/;
const HOOK = /^(pre-up|up|post-up|down|pre-down|post-down)$/;

function split(text: string): { readonly head: readonly string[]; readonly stanzas: readonly Stanza[] } {
  const head: string[] = [];
  const stanzas: { lines: string[]; words: string[] }[] = [];
  let continues = false;
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const words = line.trim().split(/\s+/);
    if (!continues && KEYWORD.test(words[0] ?? '')) stanzas.push({ lines: [line], words });
    else (stanzas.at(-1)?.lines ?? head).push(line);
    // interfaces(5): a backslash at the end continues a line, of keywords and of options.
    if (continues) stanzas.at(-1)?.words.push(...words.filter((word) => word !== '\\'));
    continues = line.endsWith('\\') && !line.trim().startsWith('#') && (continues || KEYWORD.test(words[0] ?? ''));
  }
  return { head, stanzas };
}

/** Patterns of the files that a file includes, as written. */
export function includes(text: string): { readonly kind: 'source' | 'source-directory'; readonly pattern: string }[] {
  return split(text).stanzas.flatMap(({ words: [kind, ...patterns] }) =>
    kind === 'source' || kind === 'source-directory' ? patterns.map((pattern) => ({ kind, pattern }) as const) : [],
  );
}

function refuse(path: string, line: string, why: string, { name, port }: BridgeWish): never {
  throw new GuestflowError('HostNotReady', `${path}: "${line.trim()}": ${why}`, {
    field: '--bridge',
    value: `${name}=${port}`,
    mend: `make bridge ${name} in ${path} by hand (docs/dom0.md has an example), bring it up, then run this again`,
  });
}

const isPort = (name: string, port: string): boolean => name === port || name.startsWith(`${port}:`);
const moved = (name: string, { port, name: bridge }: BridgeWish): string => (isPort(name, port) ? bridge + name.slice(port.length) : name);

/** Whether anything in the files says how the interface is configured. */
export function configures(files: readonly TextFile[], port: string): boolean {
  return files.some(({ text }) => split(text).stanzas.some(({ words }) => words[0] === 'iface' && words[1] === port));
}

/** Names that ifdown and ifup know the interface by: itself, and its aliases (eth0:1). */
export function namesOf(files: readonly TextFile[], port: string): string[] {
  const names = files.flatMap(({ text }) => split(text).stanzas.flatMap(({ words }) => (words[0] === 'iface' ? [words[1] ?? ''] : [])));
  return [...new Set(names.filter((name) => isPort(name, port)))];
}

/**
 * The files with the bridge in place of the interface.
 *
 * @throws `HostNotReady` for what cannot be moved for sure, with file and line
 */
export function planInterfaces(files: readonly TextFile[], wish: BridgeWish): FileChange[] {
  let first = true;
  return files.map(({ path, text }) => {
    const { head, stanzas } = split(text);
    const lines = [...head];
    for (const stanza of stanzas) {
      const isFirst = first && stanza.words[0] === 'iface' && stanza.words[1] === wish.port;
      if (isFirst) first = false;
      lines.push(...moveStanza(path, stanza, wish, isFirst));
    }
    const after = `${lines.join('\n')}\n`;
    return { path, before: text, after: after === `${text.replace(/\n$/, '')}\n` ? text : after };
  });
}

function moveStanza(path: string, stanza: Stanza, wish: BridgeWish, isFirst: boolean): readonly string[] {
  const [keyword = '', ...names] = stanza.words;
  const [line = ''] = stanza.lines;
  if (keyword === 'auto' || keyword.startsWith('allow-')) {
    if (names.some((name) => /[*/?[]|=/.test(name))) refuse(path, line, 'it names interfaces by a pattern', wish);
    return names.some((name) => isPort(name, wish.port)) ? moveAuto(stanza, wish) : stanza.lines;
  }
  if (keyword === 'mapping' && names.some((name) => name === wish.port || /[*?[]/.test(name)))
    refuse(path, line, 'a mapping decides how the interface is configured', wish);
  if (keyword === 'rename') refuse(path, line, 'it renames interfaces', wish);
  if (keyword !== 'iface' && keyword !== 'template') return stanza.lines;
  const [name = ''] = names;
  if (name === wish.name) refuse(path, line, `${wish.name} is configured here already, and is not up with ${wish.port} as its port`, wish);
  if (isPort(name, wish.port)) return moveIface(path, stanza, wish, isFirst);
  checkOther(path, stanza, wish);
  return stanza.lines;
}

/** The bridge is brought up at boot, and brings up its port; others of the line stay. */
function moveAuto({ words, lines }: Stanza, wish: BridgeWish): string[] {
  const [keyword = '', ...names] = words;
  const ours = names.filter((name) => isPort(name, wish.port)).map((name) => moved(name, wish));
  const others = names.filter((name) => !isPort(name, wish.port));
  const rest = lines.slice(1).filter((line) => line.trim() === '' || line.trim().startsWith('#'));
  return [`auto ${ours.join(' ')}`, ...(others.length === 0 ? [] : [`${keyword} ${others.join(' ')}`]), ...rest];
}

/** Another interface that stands upon the port would lose it. */
function checkOther(path: string, { words, lines }: Stanza, wish: BridgeWish): void {
  const [, name = ''] = words;
  if (/[*?[]/.test(name) || words.includes('inherits'))
    refuse(path, lines[0] ?? '', 'it configures interfaces by a pattern or a template', wish);
  if (name.startsWith(`${wish.port}.`)) refuse(path, lines[0] ?? '', `a VLAN stands upon ${wish.port}`, wish);
  for (const line of lines.slice(1)) {
    const [option = '', ...values] = line.trim().split(/\s+/);
    if (/^(bridge[_-]ports|bond[_-](slaves|primary)|slaves|vlan[_-]raw[_-]device)$/.test(option) && values.includes(wish.port))
      refuse(path, line, `${name} stands upon ${wish.port}`, wish);
  }
}

function moveIface(path: string, stanza: Stanza, wish: BridgeWish, isFirst: boolean): string[] {
  if (stanza.words.includes('inherits')) refuse(path, stanza.lines[0] ?? '', 'it inherits from another', wish);
  const [opening = '', ...options] = stanza.lines;
  const kept: string[] = [];
  const ofPort: string[] = [];
  for (const line of options) {
    const [option = ''] = line.trim().split(/\s+/);
    if (line.endsWith('\\')) refuse(path, line, 'it continues on the next line', wish);
    if (option === '' || option.startsWith('#') || OF_ADDRESS.test(option)) kept.push(line);
    else if (OF_LINK.test(option)) (option === 'mtu' ? [kept, ofPort] : [ofPort]).forEach((list) => list.push(line));
    else if (HOOK.test(option)) placeHook(path, line, wish, kept, ofPort);
    else refuse(path, line, 'guestflow does not know whether it is meant for the port or the bridge', wish);
  }
  const bridgeOptions = [`bridge_ports ${wish.port}`, `bridge_hw ${wish.port}`, 'bridge_stp off', 'bridge_fd 0', 'bridge_waitport 10'];
  return [
    ...(isFirst || ofPort.length > 0 ? [`iface ${wish.port} inet manual`, ...ofPort, ''] : []),
    opening.replace(/^(\s*iface\s+)(\S+)/, (_whole, before: string, name: string) => before + moved(name, wish)),
    ...(isFirst ? bridgeOptions.map((option) => `    ${option}`) : []),
    ...kept,
  ];
}

/** A command of the operator's: ethtool is about the link; a route goes over the bridge; another that names the interface is not moved blindly. */
function placeHook(path: string, line: string, wish: BridgeWish, kept: string[], ofPort: string[]): void {
  const names = (text: string): boolean => text.split(/[^A-Za-z0-9_.:-]+/).includes(wish.port) || /\$\{?IFACE\b/.test(text);
  if (/^\s*\S+\s+(\S*\/)?ethtool\s/.test(line)) {
    ofPort.push(line);
    return;
  }
  const rewritten = line.replaceAll(new RegExp(`\\bdev ${wish.port.replaceAll('.', '\\.')}(?=\\s|$)`, 'g'), `dev ${wish.name}`);
  const rest = rewritten.replaceAll(/\bdev "?\$\{?IFACE\}?"?/g, '');
  if (names(rest)) refuse(path, line, 'guestflow does not know whether it is meant for the port or the bridge', wish);
  kept.push(rewritten);
}
