/** Builds the two bundles of the command line with esbuild. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HEAVY } from './heavy.mjs';

/**
 * Modules find the project's files from `import.meta.url`, which in a bundle would be the bundle's: it gets the source's own. The compiler does it, not a
 * search for the words: they stand in strings, too.
 */
const ownUrls = {
  name: 'own-urls',
  setup({ esbuild, onLoad }) {
    onLoad({ filter: /\.(ts|mjs|js)$/ }, async ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.url')) return undefined;
      const { code } = await esbuild.transform(source, {
        loader: path.endsWith('.ts') ? 'ts' : 'js',
        sourcefile: path,
        sourcemap: 'inline',
        define: { 'import.meta.url': JSON.stringify(pathToFileURL(path).href) },
      });
      return { contents: code, loader: 'js' };
    });
  },
};

/** The work of the heavy commands stays out of the quick bundle, and with it two copies of Temporal's packages in one process. */
const withoutHeavy = {
  name: 'without-heavy',
  setup({ onResolve }) {
    onResolve({ filter: /\.ts$/ }, ({ path, kind }) =>
      kind === 'dynamic-import' && HEAVY.includes(basename(path, '.ts')) ? { path, external: true } : undefined,
    );
  },
};

/** Temporal's messages without those of the Cloud's own API: a quarter of them, which no command uses and each start would set up. */
const fewerMessages = {
  name: 'fewer-messages',
  setup({ onLoad }) {
    onLoad({ filter: /@temporalio[\\/]proto[\\/]protos[\\/]json-module\.js$/ }, ({ path }) => {
      const [, before, json, after] = /^(.*?\.addJSON\()(\{.*\})(\);.*)$/s.exec(readFileSync(path, 'utf8')) ?? [];
      // In another form it serves as it is.
      if (json === undefined) return undefined;
      const messages = JSON.parse(json);
      delete messages.temporal?.nested?.api?.nested?.cloud;
      return { contents: `${before}JSON.parse(${JSON.stringify(JSON.stringify(messages))})${after}`, loader: 'js' };
    });
  },
};

/**
 * Builds into a folder:
 * - `main.mjs`, all commands. Packages stay outside; commands are chunks, imported when they are asked for.
 * - `quick.cjs`, all but the heavy commands, packages and all in one file: V8 keeps what it has compiled of a script, and not of a module.
 *
 * @param {string} root the checkout.
 * @param {string} outdir
 * @returns {Promise<{ quick: readonly string[] }>} the files that went into `quick.cjs`, relative to the root.
 */
export async function buildBundles(root, outdir) {
  const { build } = await import('esbuild');
  const common = { outdir, absWorkingDir: root, bundle: true, platform: 'node', target: 'node20', logLevel: 'error' };
  const source = join(root, 'cli', 'main.ts');
  const [, quick] = await Promise.all([
    build({
      ...common,
      entryPoints: { main: source },
      format: 'esm',
      splitting: true,
      packages: 'external',
      sourcemap: 'linked',
      outExtension: { '.js': '.mjs' },
      plugins: [ownUrls],
    }),
    build({
      ...common,
      entryPoints: { quick: source },
      // It finds its own program from where it lies.
      external: ['esbuild'],
      format: 'cjs',
      minifyWhitespace: true,
      metafile: true,
      outExtension: { '.js': '.cjs' },
      plugins: [withoutHeavy, fewerMessages, ownUrls],
    }),
  ]);
  return { quick: Object.keys(quick.metafile.inputs) };
}
