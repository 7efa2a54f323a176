/**
 * `npm run bench`: seconds of every stage of `guestflow up`, a first run beside a second one, in one go. Times of one machine say little:
 * compare the columns. `--cold` empties the lab's cache first, as on a fresh machine. Needs what the lab needs; nothing else should run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRunner } from '../activities/host/run.ts';
import type { Summary } from '../cli/up/summary.ts';

const GUESTFLOW = fileURLToPath(new URL('../bin/guestflow.mjs', import.meta.url));
const LIMIT_MS = 30 * 60_000;

async function run(stateDir: string): Promise<Map<string, number>> {
  const { stdout } = await createRunner().run(process.execPath, [GUESTFLOW, 'up', '--once', '--json', '--state-dir', stateDir], {
    timeoutMs: LIMIT_MS,
    label: 'guestflow up',
    onOutput: (text, stream) => {
      if (stream === 'stderr') process.stderr.write(text);
    },
  });
  const { stages, steps, seconds } = JSON.parse(stdout) as Summary;
  return new Map([
    ...stages.map(({ name, seconds: taken }) => [name, taken] as const),
    ...steps.map((step) => [step.name, step.seconds ?? 0] as const),
    ['all', seconds],
  ]);
}

const stateDir = await mkdtemp(join(tmpdir(), 'guestflow-bench-'));
const cold = process.argv.includes('--cold') ? ['--cache'] : [];
const clean = (more: readonly string[]): Promise<unknown> =>
  createRunner().run(process.execPath, [GUESTFLOW, 'lab', 'clean', ...more, '--state-dir', stateDir], { timeoutMs: LIMIT_MS });
try {
  if (cold.length > 0) await clean(cold);
  const first = await run(stateDir);
  const second = await run(stateDir);
  process.stdout.write(`${'stage'.padEnd(20)}${'first'.padStart(10)}${'second'.padStart(10)}\n`);
  for (const [name, seconds] of first) {
    // A guest that was found has the steps of the run that made it.
    const isStage = name === 'all' || ['temporal', 'control worker', 'lab', 'dom0 worker'].includes(name);
    process.stdout.write(
      `${name.padEnd(20)}${seconds.toFixed(1).padStart(8)} s${isStage ? `${(second.get(name) ?? 0).toFixed(1).padStart(8)} s` : ''}\n`,
    );
  }
} finally {
  await clean([]);
  await rm(stateDir, { recursive: true, force: true });
}
