/** The renewal of golden images through the real workflow: in which order, who goes first, and what is left when it fails. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTROL_QUEUE, QUERIES, WORKFLOWS } from '../../contract/names.ts';
import type { GoldenImage, GoldenRenewal, GoldenSystem, RenewalWish } from '../../contract/golden.ts';
import type { OperationProgress } from '../../contract/progress.ts';
import { GiB } from '../../contract/sizes.ts';
import { NO, scripted, until, untilCancelled } from './scripted.ts';
import { DOM0, startServer, withKeptWorkers, type AnyActivities } from './temporal.ts';

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startServer();
});
afterAll(async () => {
  await environment.teardown();
});

function image(dist: string, changes: Partial<GoldenImage> = {}): GoldenImage {
  const system: GoldenSystem = {
    ...{ dist, type: 'pv', timezone: 'UTC', serialDevice: 'hvc0', fs: 'ext4', fsOptions: 'noatime' },
    diskBytes: 2 * GiB,
  };
  return { dist, createdAt: '2026-01-01', isDue: true, systems: [system], ...changes };
}

interface Renewed {
  readonly outcomes: GoldenRenewal[];
  readonly progress: OperationProgress;
  /** What the ledger was told. */
  readonly told: GoldenRenewal[];
  /** Without the looks for orders, and what the ledger is told. */
  readonly calls: string[];
}

async function renew(images: readonly GoldenImage[], changes: AnyActivities = {}, renewal: RenewalWish = {}): Promise<Renewed> {
  const calls: string[] = [];
  const told: GoldenRenewal[] = [];
  const tellRenewal = ({ outcomes }: { outcomes: GoldenRenewal[] }): Promise<void> => Promise.resolve(void told.push(...outcomes));
  const activities = scripted(calls, { listGolden: () => Promise.resolve(images), tellRenewal, ...changes });
  return withKeptWorkers(environment, activities, async () => {
    const handle = await environment.client.workflow.start(WORKFLOWS.dom0Task, {
      workflowId: randomUUID(),
      taskQueue: CONTROL_QUEUE,
      args: [{ host: DOM0, task: 'renew', renewal }],
    });
    const outcomes = (await handle.result()) as GoldenRenewal[];
    const progress = await handle.query<OperationProgress>(QUERIES.progress);
    return { outcomes, progress, told, calls: calls.filter((name) => !['areOrdersHere', 'tellRenewal'].includes(name)) };
  });
}

/** An activity that an order meets, the first time: it runs until it is cancelled. The next time it answers. */
function meetingAnOrder(answer: object): { met: () => Promise<unknown>; areOrdersHere: () => Promise<boolean> } {
  let isHere = false;
  let [looks, calls] = [0, 0];
  const begun = untilCancelled(() => {
    isHere = true;
  });
  return {
    met: () => ((calls += 1) === 1 ? begun() : Promise.resolve(answer)),
    // One look sees the order while the work runs, and one before the work waits.
    areOrdersHere: () => Promise.resolve(isHere && (looks += 1) < 3),
  };
}

const TRIED = ['reserveGolden', 'makeGoldenTrial', 'bootGoldenTrial', 'stopGoldenTrial', 'endGoldenTrial', 'leaveDom0'];
const ALL = ['renewTarball', 'renewGoldenRoot', ...TRIED, 'useNextGolden'];

describe('a renewal', () => {
  it('makes tarball and root file systems of each distribution, and uses them when all are made', async () => {
    const { outcomes, calls, progress } = await renew([image('bookworm'), image('trixie', { systems: [] })]);
    expect(calls).toEqual(['listGolden', ...ALL, 'renewTarball', 'useNextGolden']);
    expect(outcomes).toEqual([
      { dist: 'bookworm', createdAt: '2026-02-01', roots: 1 },
      { dist: 'trixie', createdAt: '2026-02-01', roots: 0 },
    ]);
    expect(progress.steps.map(({ name, state }) => `${name} ${state}`)).toEqual([
      ...[
        'bookworm: tarball done',
        'bookworm: root 1 done',
        'bookworm: boot 1 done',
        'bookworm: use done',
        'trixie: tarball done',
        'trixie: use done',
      ],
    ]);
  });

  it.each<[string, RenewalWish, string[]]>([
    ['what is due', { isDueOnly: true }, ['trixie']],
    ['one distribution, due or not', { dist: 'bookworm' }, ['bookworm']],
    ['all, by hand', {}, ['bookworm', 'trixie']],
  ])('is of %s', async (_what, wish, dists) => {
    const { outcomes } = await renew([image('bookworm', { isDue: false }), image('trixie')], {}, wish);
    expect(outcomes.map(({ dist }) => dist)).toEqual(dists);
  });

  it('of a distribution that the dom0 has not is refused, and names those that it has', async () => {
    await expect(renew([image('bookworm')], {}, { dist: 'jammy' })).rejects.toMatchObject({
      cause: { type: 'NotFound', message: expect.stringContaining('it has bookworm') as string },
    });
  });

  it('that fails removes what it has made, keeps what was in use, and goes on with the next distribution', async () => {
    let count = 0;
    const renewGoldenRoot = (): Promise<unknown> =>
      (count += 1) === 1 ? NO('ToolFailed')() : Promise.resolve({ createdAt: '2026-02-01' });
    const { outcomes, calls } = await renew([image('bookworm'), image('trixie')], { renewGoldenRoot });
    expect(calls).toEqual(['listGolden', 'renewTarball', 'renewGoldenRoot', 'discardNextGolden', ...ALL]);
    expect(outcomes).toEqual([
      { dist: 'bookworm', createdAt: '2026-01-01', roots: 0, problem: 'ToolFailed for the test' },
      { dist: 'trixie', createdAt: '2026-02-01', roots: 1 },
    ]);
  });

  it('gives way to an order: what it makes just now is ended, and begun again when the order is done', async () => {
    const { met, areOrdersHere } = meetingAnOrder({ createdAt: '2026-02-01' });
    const { outcomes, calls } = await renew([image('bookworm')], { renewTarball: met, areOrdersHere });
    expect(calls).toEqual(['listGolden', 'renewTarball', ...ALL]);
    expect(outcomes).toEqual([{ dist: 'bookworm', createdAt: '2026-02-01', roots: 1 }]);
  });

  it('whose root file system does not boot keeps what was in use, says what its console showed, and gives its memory back', async () => {
    const bootGoldenTrial = (): Promise<never> =>
      Promise.reject(
        ApplicationFailure.create({
          ...{ type: 'GuestDidNotAnswer', nonRetryable: true },
          message: 'the golden root file system shows "Kernel panic". The end of its console:\nKernel panic - not syncing',
        }),
      );
    const { outcomes, calls, progress, told } = await renew([image('bookworm')], { bootGoldenTrial });
    expect(told).toEqual(outcomes);
    expect(calls.slice(-4)).toEqual(['stopGoldenTrial', 'endGoldenTrial', 'leaveDom0', 'discardNextGolden']);
    expect(calls).not.toContain('useNextGolden');
    expect(outcomes).toMatchObject([{ createdAt: '2026-01-01', problem: expect.stringContaining('Kernel panic - not syncing') as string }]);
    expect(progress.steps.at(-1)).toMatchObject({ name: 'bookworm: use', state: 'pending' });
  });

  it.each(['NoCapacity', 'Busy'])('for which there is no room or no time is left for later: %s', async (type) => {
    const { outcomes } = await renew([image('bookworm')], { reserveGolden: NO(type) });
    expect(outcomes).toMatchObject([{ createdAt: '2026-01-01', isLeftForLater: true }]);
  });

  it('keeps the room of a trial in the ledger when it cannot be removed', async () => {
    const { outcomes, calls } = await renew([image('bookworm')], { bootGoldenTrial: NO('ToolFailed'), endGoldenTrial: NO('ToolFailed') });
    expect(calls).not.toContain('leaveDom0');
    expect(outcomes).toMatchObject([{ problem: expect.any(String) as string }]);
  });

  it('whose trial an order meets ends that first, and tries it again when the order is done', async () => {
    const { met, areOrdersHere } = meetingAnOrder({ seconds: 1, what: 'login:' });
    const { calls } = await renew([image('bookworm')], { bootGoldenTrial: met, areOrdersHere });
    expect(calls).toEqual(['listGolden', 'renewTarball', 'renewGoldenRoot', ...TRIED, ...TRIED, 'useNextGolden']);
  });

  it('is taken back: the former one is in use again, and nothing is made', async () => {
    const former = 'f'.repeat(64);
    const { outcomes, calls } = await renew([image('bookworm', { former })], {}, { dist: 'bookworm', isBack: true });
    expect(calls).toEqual(['listGolden', 'bringBackGolden']);
    expect(outcomes).toEqual([{ dist: 'bookworm', createdAt: '2026-01-01', roots: 1 }]);
    await expect(renew([image('bookworm')], {}, { dist: 'bookworm', isBack: true })).rejects.toMatchObject({
      cause: { type: 'NotFound', message: expect.stringContaining('no former golden image of bookworm') as string },
    });
  });

  it('that is cancelled by hand removes what it has made', async () => {
    let reached = (): void => undefined;
    const inside = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const calls: string[] = [];
    const activities = { listGolden: () => Promise.resolve([image('bookworm')]), renewTarball: untilCancelled(() => reached()) };
    await withKeptWorkers(environment, scripted(calls, activities), async () => {
      const handle = await environment.client.workflow.start(WORKFLOWS.dom0Task, {
        workflowId: randomUUID(),
        taskQueue: CONTROL_QUEUE,
        args: [{ host: DOM0, task: 'renew' }],
      });
      await inside;
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow();
      await until(
        () => Promise.resolve(calls),
        (all) => all.includes('discardNextGolden'),
      );
    });
  });
});
