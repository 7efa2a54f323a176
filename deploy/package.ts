/** Builds the dom0 worker's Debian package: the same bytes from the same sources, wherever and whenever. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRunner } from '../system/run.ts';
import packageJson from '../package.json' with { type: 'json' };
import { bundlePrepare, bundleWorker } from './bundle-worker.ts';
import { inputsHash } from './inputs.ts';
import { licences } from './licences.ts';
import { installedKiB, setTimes, stageFiles } from './stage.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Modification time of every file in the package: 2025-01-01, unless `SOURCE_DATE_EPOCH` says otherwise. */
const EPOCH = Number(process.env['SOURCE_DATE_EPOCH'] ?? 1_735_689_600);

/** A package on disk. */
export interface Dom0Package {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  /** It was there already. */
  readonly reused: boolean;
}

/** How to build it. */
export interface PackageOptions {
  /** Where it goes. Default: `dist/` of the checkout. */
  readonly outDir?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Builds `guestflow-dom0_<version>_amd64.deb`, unless the one there is of these very sources.
 *
 * @throws Error when dpkg-deb or a bundled npm package is missing; nothing half-made is left.
 */
export async function buildDom0Package({ outDir = join(ROOT, 'dist'), signal }: PackageOptions = {}): Promise<Dom0Package> {
  const file = join(outDir, `guestflow-dom0_${packageJson.version}_amd64.deb`);
  const record = `${file}.json`;
  const key = await inputsHash(ROOT, EPOCH);
  const there = await reusable(file, record, key);
  if (there !== undefined) return there;
  await mkdir(outDir, { recursive: true });
  const work = await mkdtemp(join(outDir, '.package-'));
  try {
    const built = await build(work, signal);
    const bytes = await readFile(built);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await rm(record, { force: true });
    await rename(built, file);
    await writeFile(record, `${JSON.stringify({ key, sha256, bytes: bytes.length })}\n`);
    return { file, sha256, bytes: bytes.length, reused: false };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The package that is there, when it is of the same inputs and whole. */
async function reusable(file: string, record: string, key: string): Promise<Dom0Package | undefined> {
  if (!existsSync(file) || !existsSync(record)) return undefined;
  const { key: its, sha256, bytes } = JSON.parse(await readFile(record, 'utf8')) as { key?: string; sha256?: string; bytes?: number };
  if (its !== key || sha256 === undefined || bytes !== (await stat(file)).size) return undefined;
  const whole =
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex') === sha256;
  return whole ? { file, sha256, bytes, reused: true } : undefined;
}

async function build(work: string, signal: AbortSignal | undefined): Promise<string> {
  const tree = join(work, 'tree');
  const [{ code, failureConverter, packages }, prepare] = await Promise.all([bundleWorker(), bundlePrepare()]);
  const all = [...new Set([...packages, ...prepare.packages])].sort();
  await stageFiles(ROOT, tree, { code, failureConverter, prepare: prepare.code, licences: await licences(ROOT, all) });
  await writeControl(tree);
  await setTimes(tree, EPOCH);
  const target = join(work, 'guestflow-dom0.deb');
  // Level 3 packs in a second what level 19 makes a fifth smaller in a minute; one thread, because several cut the stream by their number.
  const args = ['--build', '--root-owner-group', '-Zzstd', '-z3', '--threads-max=1', '--', tree, target];
  await createRunner().run('dpkg-deb', args, {
    timeoutMs: 300_000,
    env: { SOURCE_DATE_EPOCH: String(EPOCH) },
    label: "building the dom0 worker's package",
    ...(signal === undefined ? {} : { signal }),
  });
  return target;
}

/** Fills in the control file and makes the maintainer scripts executable. */
async function writeControl(tree: string): Promise<void> {
  const control = join(tree, 'DEBIAN', 'control');
  const text = (await readFile(control, 'utf8'))
    .replace('@VERSION@', packageJson.version)
    .replace('@INSTALLED_SIZE@', String(await installedKiB(tree)));
  await writeFile(control, text);
  for (const script of ['postinst', 'prerm', 'postrm']) await chmod(join(tree, 'DEBIAN', script), 0o755);
}
