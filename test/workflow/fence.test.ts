/** Of two machines that say they are one dom0, one acts: the real worker on the fake dom0, against a real Temporal. */
import { Worker } from '@temporalio/worker';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerDom0, workerIdentity } from '../../client/dom0s/register.ts';
import type { LedgerAudit } from '../../contract/capacity.ts';
import { CONTROL_QUEUE, DOM0_UPDATES, dom0Queue, dom0WorkflowId, QUERIES } from '../../contract/names.ts';
import type { Dom0State } from '../../contract/dom0.ts';
import { createFakeDom0, type FakeDom0 } from '../../fake/index.ts';
import { runDom0Worker } from '../../worker/dom0.ts';
import { parseDom0Settings } from '../../worker/dom0-settings.ts';
import { installRuntime } from '../../worker/logger.ts';
import { startServer, workflowBundle } from './temporal.ts';

const NETWORK = { cidr: '192.168.77.0/24', gateway: '192.168.77.1' };
const [FIRST, SECOND] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'];

let environment: TestWorkflowEnvironment;
let control: Worker;
let controlRuns: Promise<void>;
let fake: FakeDom0;

const logger = pino({ level: 'silent' });

beforeAll(async () => {
  // A process has one runtime: the worker's comes first.
  installRuntime(logger);
  environment = await startServer();
  const { nativeConnection: connection } = environment;
  const activities = { domains: () => Promise.resolve([]), claims: () => Promise.resolve([]), observe: () => Promise.resolve(undefined) };
  control = await Worker.create({ connection, taskQueue: CONTROL_QUEUE, workflowBundle: await workflowBundle(), activities });
  controlRuns = control.run();
  fake = await createFakeDom0({ network: { ...NETWORK, bridge: 'xenbr0' } });
});
afterAll(async () => {
  fake.close();
  control.shutdown();
  await controlRuns;
  await environment.teardown();
});

/** The worker of a dom0, as that machine runs it. */
function start(name: string, machine: string, stop: AbortSignal): { ended: Promise<void>; ready: Promise<void> } {
  const settings = parseDom0Settings({ host: name, network: NETWORK, kernel: '/boot/vmlinuz', initrd: '/boot/initrd.img' }, 'the test');
  let onReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  const ended = runDom0Worker({
    settings: { ...settings, shutdownGraceSeconds: 1 },
    address: environment.address,
    signal: stop,
    logger,
    host: fake.host(),
    machine,
    watchesDomains: false,
    lookAgainMs: 200,
    onReady,
  });
  ended.catch(() => undefined);
  const begun = Promise.race([ready, ended]);
  begun.catch(() => undefined);
  return { ended, ready: begun };
}

async function registered(name: string): Promise<string | undefined> {
  const handle = environment.client.workflow.getHandle(dom0WorkflowId(name));
  return (await handle.query<Dom0State>(QUERIES.ledger)).facts?.machine;
}

async function factsOf(name: string): Promise<NonNullable<Dom0State['facts']>> {
  const { facts } = await environment.client.workflow.getHandle(dom0WorkflowId(name)).query<Dom0State>(QUERIES.ledger);
  if (facts === undefined) throw new Error(`${name} is not registered`);
  return facts;
}

describe('a dom0', () => {
  it('takes its own machine back after a restart of the worker, and no other one while that lives: the second worker does not start', async () => {
    for (let round = 0; round < 2; round += 1) {
      const stop = new AbortController();
      const { ended, ready } = start('fence1', FIRST, stop.signal);
      await ready;
      await expect.poll(() => registered('fence1')).toBe(FIRST);
      stop.abort();
      await ended;
    }
    // The first machine's worker lives: it asks for work.
    const { nativeConnection: connection } = environment;
    const other = await Worker.create({
      connection,
      taskQueue: dom0Queue('fence1'),
      identity: workerIdentity('fence1', FIRST),
      activities: { domains: () => Promise.resolve([]) },
    });
    await other.runUntil(async () => {
      await expect(start('fence1', SECOND, new AbortController().signal).ended).rejects.toMatchObject({
        type: 'Busy',
        message: expect.stringContaining('is served by another machine') as string,
        details: { field: 'host', mend: expect.stringContaining('name of its own') as string },
      });
    });
    expect(await registered('fence1')).toBe(FIRST);
  });

  it('registers again when Temporal has lost what it knew of it', async () => {
    const stop = new AbortController();
    const { ended, ready } = start('lost1', FIRST, stop.signal);
    await ready;
    await expect.poll(() => registered('lost1')).toBe(FIRST);
    const ledger = environment.client.workflow.getHandle(dom0WorkflowId('lost1'));
    const { runId } = await ledger.describe();
    await ledger.terminate('as if the database were a new one');
    await expect.poll(async () => (await ledger.describe()).runId, { timeout: 20_000 }).not.toBe(runId);
    await expect.poll(() => registered('lost1'), { timeout: 20_000 }).toBe(FIRST);
    stop.abort();
    await ended;
  });

  it('is given to another machine when nobody of the former one asks for work, and then the former one does nothing any more', async () => {
    const stop = new AbortController();
    const first = start('fence2', FIRST, stop.signal);
    await first.ready;
    await expect.poll(() => registered('fence2')).toBe(FIRST);
    // As the second machine registers once the first has been silent for long enough.
    await environment.client.workflow
      .getHandle(dom0WorkflowId('fence2'))
      .executeUpdate(DOM0_UPDATES.register, { args: [{ ...(await factsOf('fence2')), machine: SECOND, replaces: FIRST }] });
    const look = (): Promise<unknown> =>
      environment.client.workflow.execute('dom0Task', {
        workflowId: `fence2-look-${String(Math.random())}`,
        taskQueue: CONTROL_QUEUE,
        args: [{ host: 'fence2', task: 'domains' }],
        workflowExecutionTimeout: 2_000,
      });
    // What it was told lately it believes for ten seconds; then it asks.
    const failures: unknown[] = [];
    await expect.poll(async () => look().catch((error: unknown) => failures.push(error)), { timeout: 30_000 }).toBeTypeOf('number');
    await expect(first.ended).rejects.toMatchObject({
      type: 'Busy',
      message: expect.stringContaining(`another one (${SECOND}) is registered`) as string,
    });
    stop.abort();
  });

  it('has one worker on a machine: the second one, started by mistake, refuses to start, and the first goes on', async () => {
    const stop = new AbortController();
    const { ended, ready } = start('fence5', FIRST, stop.signal);
    await ready;
    await expect(start('fence5', FIRST, new AbortController().signal).ended).rejects.toMatchObject({
      type: 'Busy',
      message: expect.stringContaining('runs on this machine already') as string,
      details: { mend: expect.stringContaining('systemctl stop guestflow-dom0') as string },
    });
    await expect.poll(() => registered('fence5')).toBe(FIRST);
    stop.abort();
    await ended;
  });

  it('is given to one of two machines that ask for the same place; an audit of its ledger does not forget which machine it is', async () => {
    const stop = new AbortController();
    const { ended, ready } = start('fence3', FIRST, stop.signal);
    await ready;
    await expect.poll(() => registered('fence3')).toBe(FIRST);
    const audit = await environment.client.workflow.getHandle(dom0WorkflowId('fence3')).executeUpdate<LedgerAudit, []>(DOM0_UPDATES.audit);
    expect(audit.problem).toBeUndefined();
    expect(await registered('fence3')).toBe(FIRST);
    stop.abort();
    await ended;
    const facts = await factsOf('fence3');
    const claims = [SECOND, 'cccccccccccccccc'].map((machine) =>
      environment.client.workflow
        .getHandle(dom0WorkflowId('fence3'))
        .executeUpdate(DOM0_UPDATES.register, { args: [{ ...facts, machine, replaces: FIRST }] }),
    );
    const outcomes = await Promise.allSettled(claims);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('whose worker says no machine, as older ones did, is registered as before', async () => {
    const facts = { ...(await factsOf('fence1')), host: 'fence4' };
    const { machine: _none, ...old } = facts;
    await registerDom0(environment.client, old);
    await registerDom0(environment.client, { ...old, machine: FIRST });
    expect(await registered('fence4')).toBe(FIRST);
  });
});
