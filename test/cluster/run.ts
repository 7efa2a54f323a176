/**
 * The cluster of docker-compose.yml, without containers: it comes up with our scripts, bears guests, and loses its processes in the middle of orders.
 *
 *   npm run test:cluster -- --guests N     guests of the night and the list after the story. Default: 10000; 0: none
 */
import { parseArgs } from 'node:util';
import { NativeConnection } from '@temporalio/worker';
import { connect } from '../../client/guestflow.ts';
import { findEndpoint } from '../../client/config.ts';
import { openSession } from '../../client/session.ts';
import { quietRuntime } from '../workflow/temporal.ts';
import { startCluster, type Cluster } from './cluster.ts';
import { manyGuests } from './many.ts';
import { findPrograms } from './programs.ts';
import { playStory } from './story.ts';

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function play(cluster: Cluster, guests: number): Promise<void> {
  const { address } = cluster;
  const flow = await connect({ address });
  const session = await openSession(await findEndpoint({ address }));
  const connection = await NativeConnection.connect({ address });
  try {
    const stage = { cluster, flow, session, connection };
    await playStory(stage, say);
    if (guests > 0) await manyGuests(stage, guests, say);
  } catch (error) {
    // Before anything is closed: workers that a failure left running keep the connection, and their complaint would hide it.
    process.stderr.write(`test:cluster: failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    throw error;
  } finally {
    await connection.close();
    await session.close();
    await flow.close();
  }
}

async function run(guests: number): Promise<void> {
  quietRuntime();
  const programs = await findPrograms(say);
  const began = performance.now();
  const cluster = await startCluster(programs);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= cluster.stop());
  const interrupted = (): void => {
    void stop().finally(() => process.exit(130));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupted);
  say(`cluster: up in ${((performance.now() - began) / 1_000).toFixed(1)} s at ${cluster.address}`);
  try {
    await play(cluster, guests);
  } finally {
    await stop();
  }
}

const { values } = parseArgs({ options: { guests: { type: 'string', default: '10000' } } });
const guests = Number(values.guests);
if (!Number.isInteger(guests) || guests < 0) {
  process.stderr.write(`--guests ${values.guests} is no number of guests: a whole number from 0 on\n`);
  process.exitCode = 2;
} else {
  await run(guests);
  say('test:cluster: passed');
}
