/** Where this machine gets Debian from: its own apt configuration, in both formats. guestflow's files name no mirror. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import type { Release } from './releases.ts';

/** One line of a sources.list that serves Debian's main component. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
}

/** A release and its security updates, by code name or by age; other suites (`-updates`, other projects' own) are none of the lab's. */
const SUITE = /^(bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)(-security)?$/;
const COMPONENT = 'main';

/** Sources of one-line style (`deb [options] URI suite component…`) that serve Debian's main component. */
export function parseOneLine(text: string): AptSource[] {
  const found: AptSource[] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    const [, uri, suite, components] = match ?? [];
    if (uri === undefined || suite === undefined || components === undefined) continue;
    if (SUITE.test(suite) && components.trim().split(/\s+/).includes(COMPONENT)) found.push({ uri, suite });
  }
  return found;
}

/** Sources of deb822 style (paragraphs of fields) that serve Debian's main component. */
export function parseDeb822(text: string): AptSource[] {
  const found: AptSource[] = [];
  const withoutComments = text
    .split(/\r?\n/)
    .filter((line) => !line.startsWith('#'))
    .join('\n');
  for (const paragraph of withoutComments.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    let name = '';
    for (const line of paragraph.split('\n')) {
      const start = /^([A-Za-z][A-Za-z0-9-]*):(.*)$/.exec(line);
      if (start?.[1] !== undefined) name = start[1].toLowerCase();
      fields.set(name, `${fields.get(name) ?? ''} ${start?.[2] ?? line}`);
    }
    const words = (field: string): string[] => (fields.get(field) ?? '').split(/\s+/).filter((word) => word !== '');
    if (!words('types').includes('deb') || words('enabled').some((word) => /^(no|false|0)$/i.test(word))) continue;
    if (!words('components').includes(COMPONENT)) continue;
    for (const suite of words('suites')) for (const uri of words('uris')) if (SUITE.test(suite)) found.push({ uri, suite });
  }
  return found;
}

/** All sources of this machine that serve Debian's main component, in apt's order. */
async function debianSources(aptFolder: string): Promise<AptSource[]> {
  const parts = path.join(aptFolder, 'sources.list.d');
  const files = [path.join(aptFolder, 'sources.list')];
  files.push(...(await readdir(parts).catch(() => [])).sort().map((name) => path.join(parts, name)));
  const found: AptSource[] = [];
  for (const file of files) {
    if (!/\.(list|sources)$/.test(file)) continue;
    const text = await readFile(file, 'utf8').catch(() => '');
    found.push(...(file.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text)));
  }
  return found;
}

/**
 * Where this machine gets the release and its security updates from: its own sources of that release. If it has none, its sources of another
 * release, since a mirror of Debian has all current ones.
 *
 * @throws Error when no source of the machine serves Debian at all.
 */
export async function machineSources(release: Release, aptFolder = '/etc/apt'): Promise<AptSource[]> {
  const all = await debianSources(aptFolder);
  const first = ['', '-security'].flatMap((kind) => {
    const suite = `${release}${kind}`;
    const own = all.find((source) => source.suite === suite);
    const other = all.find((source) => SUITE.exec(source.suite)?.[2] === (kind === '' ? undefined : kind));
    return own ?? (other === undefined ? [] : { uri: other.uri, suite });
  });
  if (!first.some((source) => source.suite === release)) {
    throw new Error(`no apt source of this machine serves Debian main (${release}): add one to ${aptFolder}/sources.list.d and try again`);
  }
  return first;
}

/** The way to the mirrors (proxies, certificates, retries) that the machine's apt uses, from `apt-config dump`, as options for another apt. */
export function acquireOptions(dump: string): string[] {
  const passedOn = /^Acquire::(?:https?|ftp|ForceIPv[46]|Retries|Check-Valid-Until|Check-Date)\b.*\s".+";$/i;
  return dump.split('\n').filter((line) => passedOn.test(line) && !line.includes('Auto-Detect'));
}

/** Proxy settings that tools take from the environment. */
export function proxyEnvironment(): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
