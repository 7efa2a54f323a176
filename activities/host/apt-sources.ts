/** Where this dom0 gets Debian from: its own apt configuration, in both of its formats. */
import { GuestflowError } from '../../contract/errors.ts';
import type { Host } from './host.ts';

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

/**
 * Lines of a sources.list that give a distribution's main archive with its updates and security updates, as the dom0's own sources have them.
 *
 * @throws HostNotReady when none of them has this distribution.
 */
export async function ownAptSources(host: Host, dist: string): Promise<string[]> {
  const parts = (await host.files.list(SOURCES_FOLDER)).sort().filter((name) => /^[A-Za-z0-9_.-]+\.(list|sources)$/.test(name));
  const entries: AptEntry[] = [];
  for (const path of [SOURCES, ...parts.map((name) => `${SOURCES_FOLDER}/${name}`)]) {
    const text = String((await host.files.read(path)) ?? '');
    entries.push(...(path.endsWith('.sources') ? parseDeb822Sources(text) : parseOneLineSources(text)));
  }
  const wanted = [dist, `${dist}-updates`, `${dist}-security`];
  const usable = entries.filter((entry) => wanted.includes(entry.suite) && entry.components.includes('main'));
  if (!usable.some((entry) => entry.suite === dist)) {
    throw new GuestflowError('HostNotReady', `no apt source of this dom0 has ${dist}`, {
      field: 'mirror',
      value: dist,
      mend: `add one to ${SOURCES_FOLDER}, or name a mirror in the order`,
    });
  }
  return [...new Set(usable.map((entry) => `deb ${entry.uri} ${entry.suite} main`))];
}
