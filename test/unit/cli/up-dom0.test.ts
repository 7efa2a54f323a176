import { expect, test, vi } from 'vitest';
import { createLogger } from '../../../worker/logger.ts';
import { simulatedDom0 } from '../../../cli/up/dom0.ts';
import { freePort } from '../../../system/ports.ts';

test('a worker in this process that cannot start says why to whoever waits for it', async () => {
  const giveUp = vi.fn<(reason: Error) => void>();
  const options = {
    release: undefined,
    stateDir: '/nonexistent',
    // Nobody serves there: the first worker waits for Temporal, and has the dom0.
    temporalPort: await freePort(),
    signal: new AbortController().signal,
    logger: createLogger('up-dom0', '/dev/null'),
    say: () => undefined,
    giveUp,
  };
  const first = await simulatedDom0(options);
  const second = await simulatedDom0(options);
  await vi.waitFor(() => {
    expect(giveUp.mock.calls.map(([{ message }]) => message)).toEqual(['A worker for the dom0 simulated runs on this machine already.']);
  });
  await second.stop();
  await first.stop();
});
