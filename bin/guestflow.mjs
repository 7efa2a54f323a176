#!/usr/bin/env node
/**
 * The command line. Its sources are TypeScript and need no build step: they are bundled here, on the first run after a change (a second or
 * two), into a cache, so that every other run starts at once.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cachedBundle } from './cached-bundle.mjs';
import { HEAVY } from './heavy.mjs';
import { runQuick } from './quick.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

async function run(argv) {
  const folder = await cachedBundle(ROOT);
  // In the other bundle a stack has the lines of the sources.
  if (process.env.GUESTFLOW_DEBUG === undefined && !HEAVY.includes(argv[0])) return runQuick(join(folder, 'quick.cjs'), argv);
  const { main } = await import(pathToFileURL(join(folder, 'main.mjs')).href);
  return main(argv);
}

if (!existsSync(join(ROOT, 'node_modules', 'commander'))) {
  process.stderr.write(
    'guestflow: the npm packages are not installed. Run `npm ci --ignore-scripts`, or `npm start`, which does it for you.\n',
  );
  process.exitCode = 3;
} else {
  process.exitCode = await run(process.argv.slice(2));
}
