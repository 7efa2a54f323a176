/**
 * The cluster of docker-compose.yml, without containers: it comes up with our scripts, bears guests, and loses its processes in the middle of orders.
 */
import { connect } from '../../client/guestflow.ts';
import { findEndpoint } from '../../client/config.ts';
import { openSession } from '../../client/session.ts';
import { quietRuntime } from '../workflow/temporal.ts';
import { startCluster, type Cluster } from './cluster.ts';
import { findPrograms } from './programs.ts';
import { playStory } from './story.ts';

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function play(cluster: Cluster): Promise<void> {
  const { address } = cluster;
  const flow = await connect({ address });
  const session = await openSession(await findEndpoint({ address }));
  try {
    await playStory({ cluster, flow, session }, say);
  } finally {
    await session.close();
    await flow.close();
  }
}

async function run(): Promise<void> {
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
    await play(cluster);
  } finally {
    await stop();
  }
}

await run();
say('test:cluster: passed');
