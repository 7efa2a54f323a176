/** Where a guest's packages come from: a mirror that is named, else this dom0's own apt configuration, in both of its formats. */
import { DISTRIBUTIONS, distributionOf, type Distribution } from '../../../contract/distributions.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { whyNotMirrorForm } from '../../../contract/mirror.ts';
import { checkedBy } from '../tools/arguments.ts';
import type { Host } from '../../../system/host.ts';

interface AptEntry {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

const SOURCES = '/etc/apt/sources.list';
const SOURCES_FOLDER = '/etc/apt/sources.list.d';

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

/** `deb [options] uri suite component…` */
export function parseOneLineSources(text: string): AptEntry[] {
  return text.split('\n').flatMap((line) => {
    const [, uri, suite, components] = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line) ?? [];
    return uri === undefined || suite === undefined ? [] : [{ uri, suite, components: words(components) }];
  });
}

/** Paragraphs of `Types:`, `URIs:`, `Suites:`, `Components:`. */
export function parseDeb822Sources(text: string): AptEntry[] {
  const withoutComments = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');
  return withoutComments.split(/\n\s*\n/).flatMap((paragraph) => {
    const unfolded = paragraph.replaceAll(/\n[ \t]+/g, ' ');
    const field = (name: string): string[] => words(new RegExp(`^${name}:(.*)$`, 'im').exec(unfolded)?.[1]);
    if (!field('Types').includes('deb') || field('Enabled')[0]?.toLowerCase() === 'no') return [];
    return field('URIs').flatMap((uri) => field('Suites').map((suite) => ({ uri, suite, components: field('Components') })));
  });
}

/** A distribution's archive as a dom0 reaches it. */
export interface Archive {
  /** Of the main archive, without a slash at the end. */
  readonly uri: string;
  /** Lines of a sources.list: the archive with its updates and security updates, as far as they are known. */
  readonly lines: readonly string[];
}

/**
 * Where a distribution comes from: the mirror that is given; else the dom0's own apt sources, which for another release of the same
 * family are those of the release that they have; else, for Ubuntu, its makers' archive.
 *
 * @throws GuestflowError HostNotReady when there is none, InvalidInput when the distribution or the mirror is none
 */
export async function archiveOf(host: Host, dist: string, mirror?: string): Promise<Archive> {
  const known = distributionOf(dist);
  if (known === undefined) throw new GuestflowError('InvalidInput', `${dist} is no distribution`, { field: 'dist', value: dist });
  if (mirror !== undefined) return namedArchive(known, checkedBy('mirror', mirror, whyNotMirrorForm));
  const own = await ownArchive(host, known);
  if (own !== undefined) return own;
  if (known.mirror !== undefined) return namedArchive(known, known.mirror);
  throw new GuestflowError('HostNotReady', `no apt source of this dom0 has ${dist}`, {
    field: 'mirror',
    value: dist,
    mend: `add one to ${SOURCES_FOLDER}, or name a mirror in the order`,
  });
}

/** Ubuntu has its updates beside the release, Debian its security updates in another archive, which a mirror need not have. */
function namedArchive({ name, family, components, keyring }: Distribution, mirror: string): Archive {
  const uri = mirror.replace(/\/+$/, '');
  const suites = family === 'ubuntu' ? [name, `${name}-updates`, `${name}-security`] : [name];
  const signed = family === 'ubuntu' ? `[signed-by=${keyring.path}] ` : '';
  return { uri, lines: suites.map((suite) => `deb ${signed}${uri} ${suite} ${components.join(' ')}`) };
}

async function ownArchive(host: Host, { name, family, components, keyring }: Distribution): Promise<Archive | undefined> {
  const entries = await ownSources(host);
  const signed = family === 'ubuntu' ? `[signed-by=${keyring.path}] ` : '';
  const releases = DISTRIBUTIONS.filter((other) => other.family === family).map((other) => other.name);
  for (const release of [name, ...releases]) {
    // What Debian has of one release, its archives have of the next, under the same address.
    const suites = [release, `${release}-updates`, `${release}-security`];
    const usable = entries.filter((entry) => suites.includes(entry.suite) && entry.components.includes('main'));
    const main = usable.find((entry) => entry.suite === release);
    if (main === undefined) continue;
    const lines = usable.map(({ uri, suite }) => `deb ${signed}${uri} ${suite.replace(release, name)} ${components.join(' ')}`);
    return { uri: main.uri.replace(/\/+$/, ''), lines: [...new Set(lines)] };
  }
  return undefined;
}

async function ownSources(host: Host): Promise<AptEntry[]> {
  const parts = (await host.files.list(SOURCES_FOLDER)).sort().filter((name) => /^[A-Za-z0-9_.-]+\.(list|sources)$/.test(name));
  const entries: AptEntry[] = [];
  for (const path of [SOURCES, ...parts.map((name) => `${SOURCES_FOLDER}/${name}`)]) {
    const text = String((await host.files.read(path)) ?? '');
    entries.push(...(path.endsWith('.sources') ? parseDeb822Sources(text) : parseOneLineSources(text)));
  }
  return entries;
}
