/** Bundles the programs of the dom0's package, each into one file: the worker, which needs the native library beside it, and `guestflow-dom0`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { build, type Plugin, type PluginBuild } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What bundles workflows: no worker with a bundle calls it, and it is most of the SDK's weight. */
const BUNDLERS = 'webpack|unionfs|memfs|@swc\\/core|swc-loader|source-map-loader|supports-color';

/** Anything may be read from the stand-in, nothing may be done with it. */
const STAND_IN = `
const refuse = () => { throw new Error('this part of the Temporal SDK is not in the dom0 worker'); };
module.exports = new Proxy(refuse, { get: (target, key) => key === '__esModule' ? false : key === 'default' || key === 'ufs' || key === 'vol' ? module.exports : target });
`;

/** core-bridge looks for its library in a folder of five; the package has the one, beside the bundle. */
const LIBRARY_BESIDE = `exports.getPrebuiltPath = () => require('node:path').join(__dirname, 'core-bridge.node');`;

/** The JavaScript gRPC client: a worker has the native one. What remains are the names of gRPC's status codes, and the headers of a call. */
function withoutGrpcClient(): string {
  return `module.exports = {
  status: ${JSON.stringify(status)},
  Metadata: require('./node_modules/@grpc/grpc-js/build/src/metadata.js').Metadata,
  makeGenericClientConstructor: () => undefined,
};`;
}

/** @param unused packages that are left out */
function ofTheSdk(unused: string): (setup: PluginBuild) => void {
  return (setup) => {
    setup.onResolve({ filter: new RegExp(`^(${unused})$`) }, ({ path }) => ({ path, namespace: 'stand-in' }));
    setup.onLoad({ filter: /.*/, namespace: 'stand-in' }, () => ({ contents: STAND_IN, loader: 'js' }));
    setup.onResolve({ filter: /^@grpc\/grpc-js$/ }, ({ path }) => ({ path, namespace: 'grpc' }));
    setup.onLoad({ filter: /.*/, namespace: 'grpc' }, () => ({ contents: withoutGrpcClient(), loader: 'js', resolveDir: ROOT }));
    setup.onLoad({ filter: /@temporalio\/core-bridge\/common\.js$/ }, () => ({ contents: LIBRARY_BESIDE, loader: 'js' }));
    // The thread that runs workflows lies beside the program. Paths of other files are looked up when the module loads: any string will do.
    setup.onLoad({ filter: /@temporalio\/worker\/lib\/.*\.js$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8'))
        .replaceAll(/require\.resolve\('(\.\/workflow-worker-thread)'\)/g, `require('node:path').join(__dirname, '$1.cjs')`)
        .replaceAll(/require\.resolve\(('[^']+')\)/g, '$1'),
      loader: 'js',
    }));
  };
}

/** Zod's error messages in fifty languages. */
const inEnglish: Plugin = {
  name: 'in-english',
  setup(setup) {
    setup.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: `export { default as en } from './en.js';`,
      loader: 'js',
    }));
  },
};

/** A worker that runs no workflows: it reads no source maps of them either. */
const withoutWorkflows: Plugin = { name: 'without-workflows', setup: ofTheSdk(`${BUNDLERS}|source-map`) };

/** A worker that runs workflows, from a bundle. */
export const withWorkflows: Plugin = { name: 'with-workflows', setup: ofTheSdk(BUNDLERS) };

/** What came out. */
export interface WorkerBundle {
  /** The program, CommonJS. */
  readonly code: Uint8Array;
  /** The failure converter, which the SDK loads by its path: a module of its own, beside the program. */
  readonly failureConverter: Uint8Array;
  /** npm packages that are in it, by their folder below `node_modules`. */
  readonly packages: readonly string[];
  /** guestflow's own files that are in it, relative to the checkout. */
  readonly sources: readonly string[];
}

/**
 * Bundles `entry`.
 *
 * @param entry default: the dom0 worker.
 */
export async function bundleWorker(entry = join(ROOT, 'worker', 'dom0-main.ts')): Promise<WorkerBundle> {
  const [program, converter] = await Promise.all([bundle(entry), bundle(join(ROOT, 'worker', 'failure-converter.cjs'))]);
  const inputs = [...new Set([...program.inputs, ...converter.inputs])];
  return {
    code: program.code,
    failureConverter: converter.code,
    packages: packagesOf(inputs),
    sources: sourcesOf(inputs),
  };
}

/** Bundles `guestflow-dom0`, the program that prepares a host. */
export async function bundlePrepare(): Promise<Pick<WorkerBundle, 'code' | 'packages' | 'sources'>> {
  const { code, inputs } = await bundle(join(ROOT, 'cli', 'guestflow-dom0.ts'));
  return { code, packages: packagesOf(inputs), sources: sourcesOf(inputs) };
}

/** Bundles the reader of guests' file systems, for its cage. */
export async function bundleReader(): Promise<Uint8Array> {
  return (await bundle(join(ROOT, 'activities', 'dom0', 'backup', 'files', 'reader-main.ts'))).code;
}

function sourcesOf(inputs: readonly string[]): string[] {
  return inputs.filter((input) => !input.includes('node_modules/') && !input.includes(':')).sort();
}

/** How a program is bundled. */
export interface BundleOptions {
  /** Default: those of the dom0's worker. */
  readonly plugins?: readonly Plugin[];
  /** Default: the Node of the dom0's package. */
  readonly target?: string;
  /** Packages that are looked for when the program runs. Default: none. */
  readonly external?: readonly string[];
}

/** A program, and the files that went into it, relative to the checkout. */
export interface Program {
  readonly code: Uint8Array;
  readonly inputs: readonly string[];
}

/** Makes one file of a program and of all that it imports: CommonJS, the same bytes from the same sources. */
export async function bundle(
  entry: string,
  { plugins = [withoutWorkflows], target = 'node24', external = [] }: BundleOptions = {},
): Promise<Program> {
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    metafile: true,
    outfile: 'worker.cjs',
    format: 'cjs',
    platform: 'node',
    target,
    external: [...external],
    // CommonJS has no import.meta; what lies beside a module in the sources lies beside the program.
    define: { 'import.meta.url': '__moduleUrl' },
    banner: { js: "const __moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    plugins: [inEnglish, ...plugins],
    logLevel: 'error',
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error('esbuild made no output');
  return { code: output.contents, inputs: Object.keys(result.metafile.inputs) };
}

/** npm packages among the inputs, by their folder below `node_modules`. */
export function packagesOf(inputs: readonly string[]): string[] {
  const folders = inputs.map((input) => /(?:^|\/)(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}
