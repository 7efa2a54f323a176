/** How long `guestflow list` takes against a Temporal of its own, beside `node -e 0` in the same minute: the ratio is a figure that two machines share. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRunner } from '../system/run.ts';
import { startEmbeddedTemporal } from '../worker/embedded-temporal.ts';

const GUESTFLOW = fileURLToPath(new URL('../bin/guestflow.mjs', import.meta.url));
const RUNS = 15;

/** Milliseconds that one run of Node takes. */
async function timeOf(args: readonly string[]): Promise<number> {
  const begun = performance.now();
  await createRunner().run(process.execPath, args, { timeoutMs: 60_000 });
  return performance.now() - begun;
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}

/** Prints the medians of runs that alternate, and their ratio. */
export async function benchCommandLine(): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), 'guestflow-bench-'));
  const temporal = await startEmbeddedTemporal({ stateDir, port: 17_233, uiPort: 18_233, endsWithUs: true });
  try {
    const times: Record<'list' | 'help' | 'node', number[]> = { list: [], help: [], node: [] };
    // The first run after a change builds the bundle, and keeps what V8 has compiled.
    for (let run = -1; run < RUNS; run += 1) {
      const node = await timeOf(['-e', '0']);
      const list = await timeOf([GUESTFLOW, 'list', '--address', temporal.address]);
      const help = await timeOf([GUESTFLOW, '--help']);
      if (run < 0) continue;
      times.node.push(node);
      times.list.push(list);
      times.help.push(help);
    }
    const node = median(times.node);
    for (const name of ['list', 'help'] as const) {
      const taken = median(times[name]);
      process.stdout.write(
        `${`guestflow ${name}`.padEnd(20)}${taken.toFixed(0).padStart(6)} ms, ${(taken / node).toFixed(1)} times \`node -e 0\` (${node.toFixed(0)} ms)\n`,
      );
    }
  } finally {
    await temporal.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}
