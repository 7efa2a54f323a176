/** Keeps bundles of the command line's sources: built once for each state of them. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createHash, randomBytes } from 'node:crypto';

/** Folders that the command line is made of. */
export const FOLDERS = [
  'cli',
  'client',
  'contract',
  'order',
  'activities',
  'worker',
  'workflows',
  'xlcfg',
  'fake',
  'lab',
  'prepare',
  'system',
  'deploy',
  'gateway',
  'bin',
  'scripts',
];

/** npm writes the last of them anew whenever it has changed an installed package: packages are in the bundle, too. */
const FILES = ['package.json', 'package-lock.json', 'node_modules/.package-lock.json'];

/** Tells one state of the sources from another by names, sizes and times: reading them all would cost more than the rest of a start. */
function stateOf(root) {
  const hash = createHash('sha256').update(process.versions.node);
  const add = (path) => {
    const { size, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { size: -1, mtimeMs: 0 };
    hash.update(`${path}\0${size}\0${mtimeMs}\0`);
  };
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (/\.(ts|mjs|json)$/.test(entry.name)) add(path);
    }
  };
  for (const folder of FOLDERS) if (existsSync(join(root, folder))) visit(join(root, folder));
  for (const file of FILES) add(join(root, file));
  return hash.digest('hex').slice(0, 16);
}

/**
 * The folder of bundles of the present sources: `main.mjs` and `quick.cjs`.
 *
 * @param {string} root the checkout.
 * @returns {Promise<string>}
 */
export async function cachedBundle(root) {
  const name = `cli-${stateOf(root)}`;
  const places = [join(root, 'node_modules', '.cache', 'guestflow'), ownCache(root)];
  const found = places.map((place) => join(place, name)).find((folder) => existsSync(folder));
  if (found !== undefined) return found;
  const cache = isWritable(join(root, 'node_modules')) ? places[0] : placeOfOwn(root, places[1]);
  mkdirSync(cache, { recursive: true });
  const others = readdirSync(cache).filter((entry) => entry.startsWith('cli-') && !entry.endsWith('.part'));
  const part = join(cache, `${name}.${randomBytes(4).toString('hex')}.part`);
  try {
    const { buildBundles } = await import('./build.mjs');
    await buildBundles(root, part);
    publish(part, join(cache, name));
    removeOld(cache, others);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return join(cache, name);
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where the bundles of a checkout are kept that this user may not write to. */
function ownCache(root) {
  const base = process.env.GUESTFLOW_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'guestflow');
  return join(base, `checkout-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`);
}

/** Packages are found from the bundle's folder upwards: there they are, by a link. */
function placeOfOwn(root, cache) {
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  try {
    symlinkSync(join(root, 'node_modules'), join(cache, 'node_modules'));
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  return cache;
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
