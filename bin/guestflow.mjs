#!/usr/bin/env node
/**
 * The command line. Its sources are TypeScript and need no build step: they are bundled here, on the first run after a change (about
 * 0.2 s), into a cache beside node_modules, so that every other run starts at once. Packages stay outside of the bundle.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

if (!existsSync(join(ROOT, 'node_modules', 'commander'))) {
  process.stderr.write(
    'guestflow: the npm packages are not installed. Run `npm ci --ignore-scripts`, or `npm start`, which does it for you.\n',
  );
  process.exitCode = 3;
} else {
  const { cachedBundle } = await import('./cached-bundle.mjs');
  const { main } = await import(pathToFileURL(await cachedBundle(ROOT)).href);
  process.exitCode = await main(process.argv.slice(2));
}
