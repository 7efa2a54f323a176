/** The workflow bundle: built once for what the sources say, kept by their hash, used by production, the embedded run and the tests. */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SDK = createRequire(import.meta.url)('@temporalio/worker/package.json') as { readonly version: string };
const SOURCES = ['workflows', 'contract'];

/** Where workflow code starts. */
export const WORKFLOWS_PATH = join(ROOT, 'workflows', 'index.ts');

/** A bundle on disk. */
export interface Bundle {
  readonly codePath: string;
  /** Hash of the sources and of the SDK's version. */
  readonly hash: string;
  /** It was there already. */
  readonly reused: boolean;
}

/** Hash of all that the bundle is made of: workflow code imports nothing from elsewhere (a lint rule sees to that). */
export function workflowSourceHash(): string {
  const hash = createHash('sha256').update(SDK.version);
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
 * The bundle to run: the file that `GUESTFLOW_WORKFLOW_BUNDLE` names, or the prebuilt one if it is of these very sources.
 *
 * @returns undefined when it has yet to be built.
 */
export function prebuiltBundle(): string | undefined {
  const named = process.env['GUESTFLOW_WORKFLOW_BUNDLE'];
  if (named !== undefined && named !== '') return named;
  const path = bundlePath(join(ROOT, 'dist'), workflowSourceHash());
  return existsSync(path) ? path : undefined;
}

/**
 * Builds the bundle, unless that of these sources is there. Bundles of other sources are removed.
 *
 * @param outDir default: `dist/` of the checkout, where `controlOptions()` looks.
 */
export async function bundleWorkflows(outDir = join(ROOT, 'dist')): Promise<Bundle> {
  const hash = workflowSourceHash();
  const codePath = bundlePath(outDir, hash);
  if (existsSync(codePath)) return { codePath, hash, reused: true };
  const { code } = await bundleWorkflowCode({ workflowsPath: WORKFLOWS_PATH, logger: new DefaultLogger('WARN') });
  await mkdir(outDir, { recursive: true });
  const temporary = `${codePath}.${String(process.pid)}.part`;
  await writeFile(temporary, code);
  await rename(temporary, codePath);
  await removeOthers(outDir, codePath);
  return { codePath, hash, reused: false };
}

async function removeOthers(outDir: string, keep: string): Promise<void> {
  const old = (await readdir(outDir)).filter((name) => /^workflow-bundle\.[0-9a-f]{16}\.js$/.test(name) && join(outDir, name) !== keep);
  await Promise.all(old.map((name) => rm(join(outDir, name), { force: true })));
}
