/** What decides the content of the packages that are built: the dom0 worker's, and the functions'. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Folders whose sources end up in the dom0's package, or make it. */
export const INPUT_FOLDERS = [
  'activities',
  'cli',
  'client',
  'contract',
  'deploy',
  'order',
  'prepare',
  'system',
  'worker',
  'workflows',
  'xlcfg',
];

/** Files beside them. The lockfile stands for everything in node_modules. */
const FILES = ['package.json', 'package-lock.json'];

/** What one package is made of, and the dom0's is not. */
export interface MoreInputs {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/**
 * Hash of the content of all inputs.
 *
 * @param more default: nothing.
 */
export async function inputsHash(root: string, epoch: number, more: MoreInputs = { folders: [], files: [] }): Promise<string> {
  const hash = createHash('sha256').update(`epoch ${String(epoch)}\0`);
  const inFolders = await Promise.all([...INPUT_FOLDERS, ...more.folders].map((folder) => filesBelow(root, folder)));
  for (const file of [...FILES, ...more.files, ...inFolders.flat()].sort()) {
    const { mode } = await stat(join(root, file));
    hash.update(`${file}\0${(mode & 0o111).toString(8)}\0`).update(await readFile(join(root, file)));
  }
  return hash.digest('hex');
}

async function filesBelow(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length));
}
