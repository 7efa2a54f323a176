/** The control worker as a function: from its package, in fresh processes, with no other control worker. Temporal starts it by the stand-in for AWS. */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findEndpoint } from '../../client/config.ts';
import { connect, resolveOrder, type Guestflow } from '../../client/index.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import { rollBack, rollOut } from '../../client/serverless/roll-out.ts';
import { Deployments } from '../../client/serverless/versions.ts';
import { openSession, type Session } from '../../client/session.ts';
import type { Dom0Facts } from '../../contract/dom0.ts';
import { functionFiles } from '../../deploy/serverless/files.ts';
import { createFakeDom0 } from '../../fake/index.ts';
import { STAND_IN_ACCOUNT, STAND_IN_REGION, startStandIn, type StandIn } from '../../lab/aws/stand-in.ts';
import { loadPlans } from '../../order/plans.ts';
import { freePort } from '../../system/ports.ts';
import { until } from '../../system/until.ts';
import { runControlWorker } from '../../worker/control.ts';
import { runDom0Worker } from '../../worker/dom0.ts';
import { parseDom0Settings } from '../../worker/dom0-settings.ts';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../worker/embedded-temporal.ts';
import { installRuntime } from '../../worker/logger.ts';

const NETWORK = { cidr: '192.168.77.0/24', gateway: '192.168.77.1' };
const KERNEL = { kernel: '/boot/vmlinuz-6.1.0-49-amd64', initrd: '/boot/initrd.img-6.1.0-49-amd64' };
const logger = pino({ level: 'silent' });
const [stop, stopResident] = [new AbortController(), new AbortController()];
/** As it is on the wire. */
const AUTO_UPGRADE = 2;
const ended: Promise<unknown>[] = [];

let directory: string;
let buildId: string;
let standIn: StandIn;
let temporal: EmbeddedTemporal;
let session: Session;
let deployments: Deployments;
let flow: Guestflow;

/** The same package under another build id. */
const NEXT = 'fedcba987654';

const functionArn = (build = buildId): string =>
  `arn:aws:lambda:${STAND_IN_REGION}:${STAND_IN_ACCOUNT}:function:guestflow-control:build-${build}`;
const compute = (other: { functionArn?: string; roleArn?: string } = {}) => ({
  ...{ functionArn: functionArn(), roleArn: standIn.role.arn, externalId: standIn.role.externalId },
  ...other,
});
const rollOutOf = (build: string, other: { functionArn?: string; roleArn?: string } = {}, serveMs = 60_000) =>
  rollOut(deployments, { buildId: build, compute: compute(other), say: () => undefined, serveMs });

beforeAll(async () => {
  installRuntime(logger);
  directory = mkdtempSync(join(tmpdir(), 'guestflow-serverless-'));
  const made = await functionFiles('control');
  buildId = made.buildId;
  for (const build of [buildId, NEXT]) {
    mkdirSync(join(directory, build));
    for (const [name, content] of Object.entries(made.files))
      if (build === buildId) writeFileSync(join(directory, build, name), content);
      else if (name !== 'package.json') linkSync(join(directory, buildId, name), join(directory, build, name));
  }
  writeFileSync(join(directory, NEXT, 'package.json'), String(made.files['package.json']).replace(buildId, NEXT));
  const port = await freePort(0);
  standIn = await startStandIn({
    functions: [buildId, NEXT].map((build) => ({
      ...{ arn: functionArn(build), name: 'guestflow-control', taskRoot: join(directory, build), handler: 'control.handler' },
      ...{ memoryMiB: 512, timeoutSeconds: 30, concurrency: 2, environment: { TEMPORAL_ADDRESS: `127.0.0.1:${port}` } },
    })),
    externalId: randomBytes(8).toString('hex'),
    logFile: join(directory, 'functions.log'),
    log: logger,
  });
  const server = { isDisposable: true, endsWithUs: true, workerController: standIn.environment };
  temporal = await startEmbeddedTemporal({ stateDir: directory, port, ...server });
  session = await openSession(await findEndpoint({ address: temporal.address }));
  deployments = new Deployments(session, 'guestflow');
  flow = await connect({ address: temporal.address });
}, 120_000);

afterAll(async () => {
  stop.abort();
  stopResident.abort();
  await Promise.all(ended);
  await standIn.stop();
  await flow.close();
  await session.close();
  await temporal.stop();
  rmSync(directory, { recursive: true });
}, 60_000);

/** Processes of the function. */
function processes(): number[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.filter((id) => readCommand(id).includes(':function:guestflow-control:')).map(Number);
}

function readCommand(id: string): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'latin1');
  } catch {
    // It has ended.
    return '';
  }
}

/** Until it polls; it ends with the tests. */
async function begun(run: (onReady: () => void) => Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const running = run(resolve);
    running.catch(reject);
    ended.push(running);
  });
}

function factsOf(host: string): Dom0Facts {
  const bytes = 2 ** 34;
  return {
    ...{ host, seenAt: '2026-01-01T00:00:00Z', xenVersion: '4.17', workerVersion: 'test', cpus: 4 },
    ...{ memoryBytes: bytes, memoryFreeBytes: bytes, imageDirFreeBytes: bytes, addresses: [], domains: [] },
    pools: [{ name: 'vg01', sizeBytes: bytes, freeBytes: bytes }],
    network: { ...NETWORK, bridge: 'xenbr0' },
  };
}

async function startDom0(): Promise<void> {
  const fake = await createFakeDom0({ network: { ...NETWORK, bridge: 'xenbr0' } });
  const settings = parseDom0Settings({ host: 'xen1', network: NETWORK, ...KERNEL, shutdownGraceSeconds: 1 }, 'the test');
  const options = { address: temporal.address, settings, signal: stop.signal, logger, host: fake.host(), watchesDomains: false };
  await begun((onReady) => runDom0Worker({ ...options, onReady }).finally(() => fake.close()));
}

it('the control worker’s package is smaller than it may be, even unpacked', () => {
  const bytes = readdirSync(join(directory, buildId)).map((name) => statSync(join(directory, buildId, name)).size);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(45_000_000);
});

describe('a roll-out', () => {
  it.each([
    [
      'of a function that is not there',
      { functionArn: `arn:aws:lambda:us-east-1:${STAND_IN_ACCOUNT}:function:other:1` },
      'there is no function',
    ],
    ['in another region', { functionArn: `arn:aws:lambda:eu-west-1:${STAND_IN_ACCOUNT}:function:other:1` }, 'there is no function'],
    ['with a role that Temporal may not take on', { roleArn: `arn:aws:iam::${STAND_IN_ACCOUNT}:role/other` }, 'may not take on the role'],
    ['of whatever is newest', { functionArn: `arn:aws:lambda:us-east-1:${STAND_IN_ACCOUNT}:function:other` }, 'names no published version'],
    ['of what is no function', { functionArn: 'guestflow-control' }, 'is no ARN of a function'],
  ])('%s is refused, and makes nothing', async (_what, other, message) => {
    await expect(rollOutOf(buildId, other)).rejects.toThrow(message);
    expect((await deployments.look()).versions).toEqual([]);
  });

  it('under another build id than the package’s says so, and makes nothing current', async () => {
    await expect(rollOutOf('0123456789ab', {}, 10_000)).rejects.toThrow(`the function is of build ${buildId}, not 0123456789ab`);
    expect((await deployments.look()).current).toBeUndefined();
    await expect(rollBack(deployments, '0123456789ab', () => undefined)).rejects.toThrow('has ever polled');
  });

  it('makes a build current when its worker has polled, and may be made again', async () => {
    for (let time = 0; time < 2; time += 1) {
      const { current, versions } = await rollOutOf(buildId);
      expect(current).toBe(buildId);
      expect(versions.find((version) => version.buildId === buildId)).toMatchObject({ serves: true, functionArn: functionArn() });
    }
  });
});

describe('with no resident control worker', { timeout: 120_000 }, () => {
  it('a guest is made, and the function that is killed in the middle only delays that', async () => {
    await startDom0();
    const begunBefore = standIn.invocations();
    await flow.order(resolveOrder({ name: 'a', plan: 'small' }, { plans: await loadPlans(), defaults: { dom0: 'xen1' } }));
    const killed = processes();
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    expect(killed.length).toBeGreaterThan(0);
    const status = await flow.waitFor('a');
    expect(status.phase).toBe('running');
    expect(standIn.invocations()).toBeGreaterThan(begunBefore);
  });

  it('a roll-out in the middle of an order, and a roll-back, lose nothing', async () => {
    await flow.order(resolveOrder({ name: 'b', plan: 'small' }, { plans: await loadPlans(), defaults: { dom0: 'xen1' } }));
    const provision = (await flow.status('b')).operation?.workflowId ?? '';
    await rollOutOf(NEXT, { functionArn: functionArn(NEXT) });
    expect((await flow.waitFor('b')).phase).toBe('running');
    const { raw } = await session.client.workflow.getHandle(provision).describe();
    expect(raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion).toMatchObject({ buildId });
    expect((await rollBack(deployments, undefined, () => undefined)).current).toBe(buildId);
    await flow.operate('b', 'stop');
    expect((await flow.status('b')).phase).toBe('stopped');
  });

  it('a resident worker without a version takes over what the function has begun', async () => {
    await begun((onReady) => runControlWorker({ address: temporal.address, signal: stopResident.signal, logger, onReady }));
    await deployments.setCurrent(undefined);
    for (const pid of processes()) process.kill(pid, 'SIGKILL');
    const begunBefore = standIn.invocations();
    await flow.operate('a', 'stop');
    expect((await flow.status('a')).phase).toBe('stopped');
    expect(standIn.invocations()).toBe(begunBefore);
  });

  it('the function takes over what a resident worker without a version has begun, and does not pin it to its build', async () => {
    await registerDom0(session.client, factsOf('xen2'));
    stopResident.abort();
    await rollOutOf(buildId);
    await flow.drain('xen2', true);
    const { raw } = await session.client.workflow.getHandle('dom0/xen2').describe();
    expect(raw.workflowExecutionInfo?.versioningInfo).toMatchObject({ behavior: AUTO_UPGRADE, deploymentVersion: { buildId } });
  });

  it('ends with its stand-in: no process is left', async () => {
    await standIn.stop();
    expect(await until(() => processes().length === 0, { everyMs: 50, limitMs: 5_000 })).toBe(true);
  });
});
