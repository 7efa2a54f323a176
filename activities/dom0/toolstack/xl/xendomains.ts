/**
 * Debian's xendomains: it saves running domains to files when their dom0 shuts down, and restores every file that it finds when it boots,
 * whatever is in /etc/xen/auto. It removes a file that it restored, and leaves one that could not be.
 */
import { checkedPath } from '../../tools/arguments.ts';
import type { Host } from '../../../../system/host.ts';
import { fileAt } from '../../tools/links.ts';

const SETTINGS = '/etc/default/xendomains';
/** Where Debian's default settings save them. */
const USUAL_DIRECTORY = '/var/lib/xen/save';

/** The value of an assignment; undefined if only a shell could evaluate it. */
function valueOf(text: string): string | undefined {
  const plain = /^(?:"([^"$`\\]*)"|'([^']*)'|([^\s"'$`\\#;&|<>()*?[\]{}~]*))\s*(?:[#;].*)?$/.exec(text);
  return plain === null ? undefined : (plain[1] ?? plain[2] ?? plain[3] ?? '');
}

function pathOf(value: string): string | undefined {
  try {
    return checkedPath('XENDOMAINS_SAVE', value.replace(/(?<=.)\/+$/, ''));
  } catch {
    return undefined;
  }
}

/** What `/etc/default/xendomains` says. */
export interface XendomainsSettings {
  /** Where domains are saved when their dom0 shuts down; undefined: nowhere, they are shut down. What only a shell can tell is the usual place. */
  readonly directory: string | undefined;
  /** Whether what is there is restored at a boot. To the script `false` is as good as `true`: it looks whether there is anything. */
  readonly restores: boolean;
}

/** The text after the last assignment of a name, which counts in a shell script; undefined if there is none. */
function assignedIn(text: string, name: string): string | undefined {
  return [...text.matchAll(new RegExp(`^\\s*(?:export\\s+)?${name}=(.*)$`, 'gm'))].at(-1)?.[1];
}

function settingsIn(text: string): XendomainsSettings {
  const raw = assignedIn(text, 'XENDOMAINS_SAVE') ?? '';
  const save = valueOf(raw) ?? raw;
  const restore = assignedIn(text, 'XENDOMAINS_RESTORE') ?? '';
  return { directory: save === '' ? undefined : (pathOf(save) ?? USUAL_DIRECTORY), restores: (valueOf(restore) ?? restore) !== '' };
}

/** The present settings of xendomains. Without a settings file it saves nothing. */
export async function xendomainsSettings(host: Host): Promise<XendomainsSettings> {
  const text = await host.files.read(SETTINGS);
  return settingsIn(text === undefined ? '' : text.toString('latin1'));
}

/** A domain's memory in a file, as `xl save` writes it. */
export interface SavedState {
  readonly path: string;
  /** The directory that xendomains looks in. */
  readonly directory: string;
  /** Name of the domain that a restore makes. The file may be called something else. */
  readonly domain: string;
  readonly bytes: number;
  readonly savedAt: Date;
}

const MAGIC = Buffer.from('Xen saved domain, xl format\n \0 \r', 'latin1');
const BYTE_ORDER = 0x01020304;
const HEADER_BYTES = 48;
/** Enough for the configuration of a domain with a hundred disks. */
const HEAD_BYTES = 262_144;

/**
 * The name in the configuration that `xl save` writes at the head of its file; undefined where there is none (a file that is none of xl's, or one
 * whose wipe was cut short). The form is that of tools/xl/xl.h and xl_migrate.c (Xen 4.17): magic, byte order, flags, then length and JSON.
 */
export function domainInHead(head: Uint8Array): string | undefined {
  const buffer = Buffer.from(head);
  if (buffer.length < HEADER_BYTES + 4 || !buffer.subarray(0, MAGIC.length).equals(MAGIC) || buffer.readUInt32LE(32) !== BYTE_ORDER)
    return undefined;
  const bytes = buffer.readUInt32LE(HEADER_BYTES);
  const text = buffer.subarray(HEADER_BYTES + 4, HEADER_BYTES + 4 + bytes).toString('utf8');
  try {
    const config = JSON.parse(text.replace(/\0+$/, '')) as { c_info?: { name?: unknown } } | null;
    const name = config?.c_info?.name;
    return typeof name === 'string' && name !== '' ? name : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where saved states may be: where xendomains looks now, and where it looks unless it is told otherwise, since that may change back. Whether it
 * restores them does not matter: a file that is there may be restored once that is changed.
 */
export async function saveDirectories(host: Host): Promise<string[]> {
  const { directory } = await xendomainsSettings(host);
  return [...new Set([...(directory === undefined ? [] : [directory]), USUAL_DIRECTORY])];
}

/**
 * All that a restore would make a domain of. xendomains overlooks directories, and files that begin with a dot; it follows links to files.
 * It would overlook a file with a blank in its name, too, by a mistake that may be mended.
 */
export async function savedStates(host: Host): Promise<SavedState[]> {
  const found: SavedState[] = [];
  for (const directory of await saveDirectories(host)) {
    for (const name of (await host.files.list(directory)).filter((each) => !each.startsWith('.')).sort()) {
      const path = `${directory}/${name}`;
      const file = await fileAt(host.files, path);
      const info = file === undefined ? undefined : await host.files.info(file);
      if (file === undefined || info === undefined) continue;
      const head = await host.files.readHead(file, HEAD_BYTES);
      const domain = (head === undefined ? undefined : domainInHead(head)) ?? name;
      found.push({ path, directory, domain, bytes: info.bytes, savedAt: info.modifiedAt });
    }
  }
  return found;
}
