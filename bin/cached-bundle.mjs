/** Bundles the command line's own sources with esbuild, once for each state of them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createHash, randomBytes } from 'node:crypto';

/** Folders that the command line is made of. */
const FOLDERS = [
  'cli',
  'client',
  'contract',
  'activities',
  'worker',
  'workflows',
  'xlcfg',
  'fake',
  'lab',
  'deploy',
  'gateway',
  'bin',
  'scripts',
];

/** Tells one state of the sources from another by names, sizes and times: reading them all would cost more than the rest of a start. */
function stateOf(root) {
  const hash = createHash('sha256').update(process.versions.node);
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (/\.(ts|mjs|json)$/.test(entry.name)) {
        const { size, mtimeMs } = statSync(path);
        hash.update(`${path}\0${size}\0${mtimeMs}\0`);
      }
    }
  };
  for (const folder of FOLDERS) if (existsSync(join(root, folder))) visit(join(root, folder));
  for (const file of ['package.json', 'package-lock.json']) hash.update(`${file}\0${statSync(join(root, file)).mtimeMs}\0`);
  return hash.digest('hex').slice(0, 16);
}

/**
 * Modules find the project's files from `import.meta.url`, which in a bundle would be the bundle's: it gets the source's own. The compiler does it, not a
 * search for the words: they stand in strings, too.
 */
const ownUrls = {
  name: 'own-urls',
  setup({ esbuild, onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.url')) return { contents: source, loader: 'ts' };
      const { code } = await esbuild.transform(source, {
        loader: 'ts',
        sourcefile: path,
        sourcemap: 'inline',
        define: { 'import.meta.url': JSON.stringify(pathToFileURL(path).href) },
      });
      return { contents: code, loader: 'js' };
    });
  },
};

async function build(root, outdir) {
  const { build: esbuild } = await import('esbuild');
  await esbuild({
    entryPoints: { main: join(root, 'cli', 'main.ts') },
    outdir,
    bundle: true,
    // Commands are imported when they are asked for; splitting keeps them, and what they need, out of the others' way.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'linked',
    outExtension: { '.js': '.mjs' },
    plugins: [ownUrls],
    logLevel: 'error',
  });
}

/**
 * The path of a bundle of the present sources.
 *
 * @param {string} root the checkout.
 * @returns {Promise<string>}
 */
export async function cachedBundle(root) {
  const cache = join(root, 'node_modules', '.cache', 'guestflow');
  const name = `cli-${stateOf(root)}`;
  const path = join(cache, name, 'main.mjs');
  if (existsSync(path)) return path;
  mkdirSync(cache, { recursive: true });
  const others = readdirSync(cache).filter((entry) => entry.startsWith('cli-') && !entry.endsWith('.part'));
  const part = join(cache, `${name}.${randomBytes(4).toString('hex')}.part`);
  try {
    await build(root, part);
    publish(part, join(cache, name));
    removeOld(cache, others);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return path;
}

function publish(part, final) {
  try {
    renameSync(part, final);
  } catch (error) {
    // Another process finished first: its bundle is of the same sources.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  }
}

/** Keeps the few newest: a process that still runs from an older one may yet load a command from it. */
function removeOld(cache, names) {
  // One that is not there was removed by another process that has just done the same.
  const ageOf = (name) => statSync(join(cache, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const byAge = names.map((name) => ({ name, at: ageOf(name) })).sort((one, other) => other.at - one.at);
  for (const { name } of byAge.slice(3)) rmSync(join(cache, name), { recursive: true, force: true });
}
