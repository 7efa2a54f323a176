/** The command line runs from a bundle of its sources: what is in the bundle must do what the sources do. */
import { mkdtemp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as packages from '../../../deploy/package.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const { cachedBundle } = (await import(new URL('../../../bin/cached-bundle.mjs', import.meta.url).href)) as {
  cachedBundle: (root: string) => Promise<string>;
};

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'guestflow-bundle-'));
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

test('a module in the bundle has its own import.meta.url, and words that look like it stay as they are', async () => {
  const source = join(scratch, 'cli', 'main.ts');
  await mkdir(dirname(source), { recursive: true });
  await writeFile(source, `export const url: string = import.meta.url;\nexport const words = 'import.meta.url';\n`);
  for (const file of ['package.json', 'package-lock.json']) await writeFile(join(scratch, file), '{}');

  const main = (await import(pathToFileURL(await cachedBundle(scratch)).href)) as unknown;

  expect(main).toMatchObject({ url: pathToFileURL(source).href, words: 'import.meta.url' });
});

test('the bundle builds the dom0 package, which npm start puts into the lab', async () => {
  const folder = dirname(await cachedBundle(ROOT));
  const chunk = (await readdir(folder)).find((name) => /^package-\w+\.mjs$/.test(name));
  const { buildDom0Package } = (await import(
    pathToFileURL(join(folder, chunk ?? 'no chunk of deploy/package.ts')).href
  )) as typeof packages;

  const { file } = await buildDom0Package({ outDir: scratch });

  expect(await readdir(scratch)).toContain(file.slice(scratch.length + 1));
});
