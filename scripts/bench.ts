/**
 * `npm run bench`: seconds of every stage of `guestflow up`, a first run beside a second one, in one go; then what the gateway takes in a
 * storm of deliveries, and the memory that it needs for it; then a night of 500 guests, an audit of a thousand, what an order costs beside its steps, and
 * how long a short command takes beside Node itself. Times of one machine say little: compare the columns, or two runs on one machine.
 * `--cold` empties the lab's cache first, as on a fresh machine. Needs what the lab needs; nothing else should run.
 *
 *   npm run bench -- --only up|gateway|night|audit|orders|backups|cli  one of them
 *   npm run bench -- --orders N             orders of the storm, with twenty deliveries each. Default: 100
 *   npm run bench -- --size N               GiB of the volume that is backed up. Default: 8
 *   npm run bench -- --guests N             guests of the night and of the audit. Default: 500, and 1000
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createRunner } from '../system/run.ts';
import type { Summary } from '../cli/up/summary.ts';
import { rage } from '../test/storm/rage.ts';
import { createWorld } from '../test/storm/world.ts';
import { startServer } from '../test/workflow/temporal.ts';
import { theAudit } from '../test/scale/the-audit.ts';
import { theNight } from '../test/scale/the-night.ts';
import { benchBackups } from './bench-backups.ts';
import { benchCommandLine } from './bench-command-line.ts';
import { benchOrders } from './bench-orders.ts';

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

async function benchUp(isCold: boolean): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), 'guestflow-bench-'));
  const clean = (more: readonly string[]): Promise<unknown> =>
    createRunner().run(process.execPath, [GUESTFLOW, 'lab', 'clean', ...more, '--state-dir', stateDir], { timeoutMs: LIMIT_MS });
  try {
    if (isCold) await clean(['--cache']);
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
}

/** The gateway alone is no figure: what it waits for is Temporal and a worker, which share the machine with it here. */
async function benchGateway(orders: number): Promise<void> {
  const world = await createWorld(orders);
  try {
    const { figures } = await rage(world, { orders, deliveries: orders * 20, seed: 1, kills: 0 });
    show('gateway', figures);
  } finally {
    await world.close();
  }
}

function show(what: string, figures: object): void {
  for (const [name, value] of Object.entries(figures)) process.stdout.write(`${`${what} ${name}`.padEnd(32)}${JSON.stringify(value)}\n`);
}

/** On a server of its own. */
async function alone<T>(work: (environment: Awaited<ReturnType<typeof startServer>>) => Promise<T>): Promise<T> {
  const environment = await startServer();
  try {
    return await work(environment);
  } finally {
    await environment.teardown();
  }
}

const { values: flags } = parseArgs({
  options: {
    cold: { type: 'boolean', default: false },
    only: { type: 'string' },
    orders: { type: 'string', default: '100' },
    guests: { type: 'string' },
    size: { type: 'string', default: '8' },
  },
});
const isWanted = (what: string): boolean => flags.only === undefined || flags.only === what;
if (isWanted('up')) await benchUp(flags.cold);
if (isWanted('gateway')) await benchGateway(Number(flags.orders));
if (isWanted('night'))
  show('night', await alone((environment) => theNight(environment, { guests: Number(flags.guests ?? 500), slots: 3 })));
if (isWanted('audit')) show('audit', await alone((environment) => theAudit(environment, { guests: Number(flags.guests ?? 1_000) })));
if (isWanted('orders')) show('order', await benchOrders());
if (isWanted('backups')) await benchBackups(Number(flags.size));
if (isWanted('cli')) await benchCommandLine();
