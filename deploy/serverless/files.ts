/** What is in the packages of the two functions. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };
import { BUILD_ID_LENGTH, type FunctionManifest } from '../../contract/deployment.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { bundle, packagesOf, withWorkflows, type Program } from '../bundle-worker.ts';
import { licences } from '../licences.ts';
import { sbom } from './sbom.ts';
import type { PackageFiles } from './zip.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SDK_WORKER = 'node_modules/@temporalio/worker/lib/workflow';
const LIBRARY = 'node_modules/@temporalio/core-bridge/releases/x86_64-unknown-linux-gnu/index.node';
/** Of Node, which the platform names and we do not choose: the oldest one that Lambda takes new functions for. */
export const TARGET = 'node22';

/** The functions, by name. */
export const FUNCTIONS = ['control', 'gateway'] as const;
export type FunctionName = (typeof FUNCTIONS)[number];

/** What Lambda calls in each package: a module, and what it exports. */
export const HANDLERS = { control: 'control.handler', gateway: 'gateway/lambda.handler' } as const;

/** The file of a handler's module. */
function moduleOf(name: FunctionName): string {
  return HANDLERS[name].replace(/\.handler$/, '.cjs');
}

/** A function's files, and the document that says what they are made of. */
export interface FunctionFiles {
  readonly files: PackageFiles;
  readonly sbom: string;
  readonly buildId: string;
}

/** The control worker: the program, the thread that runs workflows, their bundles, and the native library. x86-64. */
async function controlFiles(): Promise<FunctionFiles> {
  const options = { plugins: [withWorkflows], target: TARGET };
  const [program, thread, converter] = await Promise.all([
    // Powertools' logger is used where it is installed; ours is.
    bundle(join(ROOT, 'worker/control-lambda.ts'), { ...options, external: ['@aws-lambda-powertools/logger'] }),
    bundle(join(ROOT, SDK_WORKER, 'workflow-worker-thread.js'), options),
    bundle(join(ROOT, 'worker/failure-converter.cjs'), options),
  ]);
  const files = {
    [moduleOf('control')]: program.code,
    'workflow-worker-thread.cjs': thread.code,
    'failure-converter.cjs': converter.code,
    'workflows.js': await workflowBundle(false),
    'workflows-encoding.js': await workflowBundle(true),
    'core-bridge.node': await readFile(join(ROOT, LIBRARY)),
    // The reader of source maps loads it from beside itself.
    'mappings.wasm': await readFile(join(ROOT, 'node_modules/source-map/lib/mappings.wasm')),
  };
  return complete('control', files, [program, thread, converter]);
}

/** The gateway: a program, without any native part and without the SDK of workers, and the shipped plans. */
async function gatewayFiles(): Promise<FunctionFiles> {
  const options = { plugins: [], target: TARGET };
  const [lambda, web] = await Promise.all([
    bundle(join(ROOT, 'gateway/lambda.ts'), options),
    bundle(join(ROOT, 'gateway/web.ts'), options),
  ]);
  // As in the sources: plans are looked for in the folder above.
  const files = { [moduleOf('gateway')]: lambda.code, 'gateway/web.cjs': web.code, 'plans.yaml': await readFile(join(ROOT, 'plans.yaml')) };
  return complete('gateway', files, [lambda, web]);
}

/** @returns the files of a function, the same from the same sources and packages */
export async function functionFiles(name: FunctionName): Promise<FunctionFiles> {
  return name === 'control' ? controlFiles() : gatewayFiles();
}

/** The bundle; nothing in it says where this checkout is. */
async function workflowBundle(encodesFailures: boolean): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), 'guestflow-functions-'));
  try {
    const { codePath } = await bundleWorkflows(directory, { encodesFailures, linesOnly: true });
    return Buffer.from(withoutCheckout(await readFile(codePath, 'utf8')));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** webpack writes whole paths into the source map, and makes the file's name of a random number. */
function withoutCheckout(code: string): string {
  const [, before = '', encoded = ''] =
    /^(.*\/\/# sourceMappingURL=data:application\/json;charset=utf-8;base64,)(\S+)\s*$/s.exec(code) ?? [];
  if (encoded === '') throw new Error('the workflow bundle has no source map of the usual form');
  const map = JSON.parse(Buffer.from(encoded, 'base64').toString()) as Record<'sources' | 'sourcesContent', string[]>;
  const [sources, sourcesContent] = [map.sources, map.sourcesContent].map((texts) => texts.map((text) => text.replaceAll(ROOT, '')));
  return `${before}${Buffer.from(JSON.stringify({ ...map, file: 'workflows.js', sources, sourcesContent })).toString('base64')}\n`;
}

async function complete(name: FunctionName, made: PackageFiles, programs: readonly Program[]): Promise<FunctionFiles> {
  const packages = packagesOf(programs.flatMap(({ inputs }) => inputs));
  const { version } = packageJson;
  const files = { ...made, LICENCES: Buffer.from(await licences(ROOT, packages)) };
  const buildId = hashOf(files).slice(0, BUILD_ID_LENGTH);
  const manifest: FunctionManifest = { name: `guestflow-${name}`, version, guestflow: { buildId } };
  return {
    files: { ...files, 'package.json': Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`) },
    sbom: await sbom(ROOT, { name: manifest.name, version }, packages),
    buildId,
  };
}

function hashOf(files: PackageFiles): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(files).sort())
    hash.update(`${name}\0`).update(
      createHash('sha256')
        .update(files[name] ?? '')
        .digest(),
    );
  return hash.digest('hex');
}
