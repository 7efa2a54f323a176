/** Builds the packages of the two functions: zip files for AWS Lambda, each with a CycloneDX document beside it. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };
import { GuestflowError } from '../../contract/errors.ts';
import { writeWhole } from '../../system/whole-file.ts';
import { inputsHash } from '../inputs.ts';
import { functionFiles, type FunctionName } from './files.ts';
import { zip } from './zip.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Most bytes that a package may have. Lambda's own limits are 50 MB packed and 250 MB unpacked; a start grows slower with each. */
const MOST: Readonly<Record<FunctionName, number>> = { control: 45_000_000, gateway: 5_000_000 };

/** A function's package on disk. */
export interface FunctionPackage {
  readonly name: FunctionName;
  readonly file: string;
  /** The CycloneDX document. */
  readonly sbomFile: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Which build of the control worker it is; of the gateway, only what its content is. */
  readonly buildId: string;
  /** It was there already. */
  readonly reused: boolean;
}

type Facts = Pick<FunctionPackage, 'sha256' | 'bytes' | 'buildId'>;

/**
 * Builds `guestflow-<name>_<version>_lambda-x86_64.zip`, unless the one there is of these very sources. The same sources and packages give the same bytes.
 *
 * @param outDir default: `dist/` of the checkout.
 * @throws GuestflowError InvalidInput when it becomes larger than it may be; nothing is written then
 */
export async function buildFunctionPackage(name: FunctionName, outDir = join(ROOT, 'dist')): Promise<FunctionPackage> {
  const file = join(outDir, `guestflow-${name}_${packageJson.version}_lambda-x86_64.zip`);
  const [record, sbomFile] = [`${file}.json`, file.replace(/\.zip$/, '.cdx.json')];
  const key = await inputsHash(ROOT, 0, { folders: ['gateway'], files: ['plans.yaml'] });
  const there = await reusable(file, record, key);
  if (there !== undefined) return { name, file, sbomFile, ...there, reused: true };
  const { files, sbom, buildId } = await functionFiles(name);
  const bytes = zip(files);
  mustFit(name, bytes.length);
  const facts = { sha256: sha256Of(bytes), bytes: bytes.length, buildId };
  await mkdir(outDir, { recursive: true });
  const readable = { mode: 0o644 };
  await writeWhole(sbomFile, sbom, readable);
  await writeWhole(file, bytes, readable);
  await writeWhole(record, `${JSON.stringify({ key, ...facts })}\n`, readable);
  return { name, file, sbomFile, ...facts, reused: false };
}

/** The package that is there, when it is of the same inputs and whole. */
async function reusable(file: string, record: string, key: string): Promise<Facts | undefined> {
  try {
    const { key: its, ...facts } = JSON.parse(await readFile(record, 'utf8')) as Facts & { readonly key: string };
    if (its !== key || facts.bytes !== (await stat(file)).size) return undefined;
    return sha256Of(await readFile(file)) === facts.sha256 ? facts : undefined;
  } catch {
    // One that cannot be read is made anew.
    return undefined;
  }
}

function mustFit(name: FunctionName, bytes: number): void {
  if (bytes <= MOST[name]) return;
  const megabytes = (count: number): string => `${(count / 1e6).toFixed(1)} MB`;
  throw new GuestflowError('InvalidInput', `the package of ${name} would have ${megabytes(bytes)}, and may have ${megabytes(MOST[name])}`, {
    field: name,
    value: megabytes(bytes),
    mend: 'look in its CycloneDX document, or by esbuild --metafile, for what has come into it',
  });
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
