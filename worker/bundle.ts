/** The workflow bundle: built once for what the sources say, kept by their hash, used by production, the embedded run and the tests. */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { GuestflowError } from '../contract/errors.ts';
import { writeWhole } from '../system/whole-file.ts';
import { FAILURE_CONVERTER } from './data-converter.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = ['workflows', 'contract'];

/** Where workflow code starts. */
export const WORKFLOWS_PATH = join(ROOT, 'workflows', 'index.ts');

/** What is added to the workflows of a worker that traces. */
export const TRACE_INTERCEPTOR_PATH = join(ROOT, 'workflows', 'trace-interceptor.ts');

/** A bundle on disk. */
export interface Bundle {
  readonly codePath: string;
  /** Hash of the sources and of the SDK's version. */
  readonly hash: string;
  /** It was there already. */
  readonly reused: boolean;
}

/** Which of the bundles. */
export interface BundleKind {
  /** With failures as payloads, for a worker that has a codec key. Default: false. */
  readonly encodesFailures?: boolean;
  /** It tells its worker what it traces. Default: false. */
  readonly isTraced?: boolean;
  /** Its source map has no columns: those depend on where the checkout lies. Default: false. */
  readonly linesOnly?: boolean;
  /** File of one that was made elsewhere. Default: the one that `GUESTFLOW_WORKFLOW_BUNDLE` names, if it is set. */
  readonly named?: string | undefined;
}

/** webpack's word for it. */
const LINES_ONLY = 'inline-cheap-module-source-map';

/** A bundle that encodes failures contains this text; others do not. */
const ENCODES_FAILURES = 'new DefaultFailureConverter({ encodeCommonAttributes: true })';

function sdkVersion(): string {
  return (createRequire(import.meta.url)('@temporalio/worker/package.json') as { readonly version: string }).version;
}

/** Hash of all that the bundle is made of: workflow code imports nothing from elsewhere (a lint rule sees to that). */
export function workflowSourceHash({ encodesFailures = false, isTraced = false }: BundleKind = {}): string {
  const hash = createHash('sha256').update(sdkVersion());
  if (encodesFailures) hash.update(readFileSync(FAILURE_CONVERTER));
  if (isTraced) hash.update('traced');
  for (const folder of SOURCES) {
    const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    for (const file of files.sort()) hash.update(`\0${folder}/${file}\0`).update(readFileSync(join(ROOT, folder, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

function bundlePath(outDir: string, hash: string): string {
  return join(outDir, `workflow-bundle.${hash}.js`);
}

/**
 * The bundle to run: the file that is named, here or by `GUESTFLOW_WORKFLOW_BUNDLE`, or the prebuilt one if it is of these very sources.
 *
 * @returns undefined when it has yet to be built.
 * @throws GuestflowError InvalidInput when the named one would leave failures readable beside a codec key
 */
export function prebuiltBundle(kind: BundleKind = {}): string | undefined {
  const named = kind.named ?? process.env['GUESTFLOW_WORKFLOW_BUNDLE'];
  if (named !== undefined && named !== '') {
    if (kind.encodesFailures === true) mustEncodeFailures(named);
    return named;
  }
  const path = bundlePath(join(ROOT, 'dist'), workflowSourceHash(kind));
  return existsSync(path) ? path : undefined;
}

function mustEncodeFailures(path: string): void {
  if (readFileSync(path, 'utf8').includes(ENCODES_FAILURES)) return;
  throw new GuestflowError(
    'InvalidInput',
    `the workflow bundle ${path} was made for a worker without codec key: it would leave the messages of failures readable`,
    {
      field: 'GUESTFLOW_WORKFLOW_BUNDLE',
      value: path,
      mend: 'make it with bundleWorkflows(directory, { encodesFailures: true }), or unset the variable: the worker then makes its own',
    },
  );
}

/**
 * Builds the bundle, unless that of these sources is there. Bundles of other sources are removed.
 *
 * @param outDir default: `dist/` of the checkout, where `controlOptions()` looks.
 */
export async function bundleWorkflows(outDir = join(ROOT, 'dist'), kind: BundleKind = {}): Promise<Bundle> {
  const hash = workflowSourceHash(kind);
  const codePath = bundlePath(outDir, hash);
  if (existsSync(codePath)) return { codePath, hash, reused: true };
  const { code } = await bundleWorkflowCode({
    workflowsPath: WORKFLOWS_PATH,
    logger: new DefaultLogger('WARN'),
    // Names of modules are paths from there: by default from wherever this process was started.
    webpackConfigHook: (config) => ({ ...config, context: ROOT, ...(kind.linesOnly === true ? { devtool: LINES_ONLY } : {}) }),
    ...(kind.encodesFailures === true ? { failureConverterPath: FAILURE_CONVERTER } : {}),
    ...(kind.isTraced === true ? { workflowInterceptorModules: [TRACE_INTERCEPTOR_PATH] } : {}),
  });
  await mkdir(outDir, { recursive: true });
  await writeWhole(codePath, code, { mode: 0o644 });
  await removeOthers(
    outDir,
    [false, true].flatMap((encodesFailures) =>
      [false, true].map((isTraced) => bundlePath(outDir, workflowSourceHash({ encodesFailures, isTraced }))),
    ),
  );
  return { codePath, hash, reused: false };
}

async function removeOthers(outDir: string, keep: readonly string[]): Promise<void> {
  const old = (await readdir(outDir)).filter(
    (name) => /^workflow-bundle\.[0-9a-f]{16}\.js$/.test(name) && !keep.includes(join(outDir, name)),
  );
  await Promise.all(old.map((name) => rm(join(outDir, name), { force: true })));
}
