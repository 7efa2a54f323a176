/** Keys that do not fit together: whoever is asked says so, and nobody waits without a word. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadCodecKeys } from '../../client/codec/keys.ts';
import { findEndpoint } from '../../client/config.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import { runDom0Task } from '../../client/dom0s/tasks.ts';
import { openSession, type Session } from '../../client/session.ts';
import type { Dom0Facts } from '../../contract/dom0.ts';
import { createFakeDom0 } from '../../fake/index.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { controlOptions } from '../../worker/control-options.ts';
import { runControlWorker } from '../../worker/control.ts';
import { parseDom0Settings } from '../../worker/dom0-settings.ts';
import { runDom0Worker } from '../../worker/dom0.ts';
import { installRuntime } from '../../worker/logger.ts';
import { startServer } from './temporal.ts';

const SOON_MS = 15_000;
/** For an answer that never comes: by then the server has long been told why. */
const IN_VAIN_MS = 6_000;
const NETWORK = { cidr: '10.72.0.0/24', gateway: '10.72.0.1' };
const logger = pino({ level: 'silent' });

let directory: string;
let environment: TestWorkflowEnvironment;
const keys = { ours: '', other: '' };
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-codec-'));
  for (const name of ['ours', 'other'] as const) {
    keys[name] = join(directory, name);
    writeFileSync(keys[name], `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  }
  // The server's own would take no second one.
  installRuntime(logger);
  [environment] = await Promise.all([startServer(), bundleWorkflows(undefined, { encodesFailures: true })]);
}, 300_000);
afterAll(async () => {
  await environment.teardown();
  rmSync(directory, { recursive: true });
});

function factsOf(host: string): Dom0Facts {
  const bytes = 2 ** 34;
  return {
    ...{
      host,
      seenAt: '2026-01-01T00:00:00Z',
      xenVersion: '4.17',
      memoryBytes: bytes,
      memoryFreeBytes: bytes,
      cpus: 4,
      workerVersion: 'test',
    },
    ...{ pools: [{ name: 'vg01', sizeBytes: bytes, freeBytes: bytes }], imageDirFreeBytes: bytes, addresses: [], domains: [] },
    network: { ...NETWORK, bridge: 'xenbr0' },
  };
}

/** With a control worker that has this key, or none. */
async function withControlWorker(codecKeyFile: string | undefined, work: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  let ready = (): void => undefined;
  const polls = new Promise<void>((resolve) => (ready = resolve));
  const running = runControlWorker({
    ...{ address: environment.address, codecKeyFile, signal: stop.signal, logger },
    onReady: () => ready(),
  });
  await Promise.race([polls, running]);
  try {
    await work();
  } finally {
    stop.abort();
    await running;
  }
}

/** What a client with this key, or none, is answered: a value or an error. */
async function asked(codecKeyFile: string | undefined, work: (session: Session) => Promise<unknown>): Promise<unknown> {
  const session = await openSession(await findEndpoint({ address: environment.address, codecKeyFile }));
  try {
    return await work(session).catch((error: unknown) => error);
  } finally {
    await session.close();
  }
}

const registering =
  (host: string, limitMs = SOON_MS) =>
  (session: Session): Promise<unknown> =>
    session.call(`dom0 ${host}`, () => registerDom0(session.client, factsOf(host)), limitMs);
const asking =
  (host: string) =>
  (session: Session): Promise<unknown> =>
    session.call(`dom0 ${host}`, () => session.client.workflow.getHandle(`dom0/${host}`).query('ledger'), SOON_MS);

/** What a dom0 worker without a key answers to a client with one. */
async function askedOfKeylessDom0(): Promise<unknown> {
  const fake = await createFakeDom0({ network: { ...NETWORK, bridge: 'xenbr0' } });
  const host = `lost-${randomBytes(4).toString('hex')}`;
  const kernel = { kernel: '/boot/vmlinuz-6.1.0-49-amd64', initrd: '/boot/initrd.img-6.1.0-49-amd64' };
  const settings = parseDom0Settings({ host, network: NETWORK, ...kernel, shutdownGraceSeconds: 1 }, 'the test');
  const stop = new AbortController();
  let onReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  const address = { address: environment.address, watchesDomains: false };
  const worker = runDom0Worker({ ...address, settings, signal: stop.signal, logger, host: fake.host(), onReady });
  try {
    await Promise.race([ready, worker]);
    const guest = { name: 'a', order: 'o', dom0: host };
    return await asked(keys.ours, (session) => runDom0Task(session, host, 'inspect', { guest }));
  } finally {
    stop.abort();
    await worker;
    fake.close();
  }
}

describe('a workflow bundle that the environment names', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('must encode failures where there is a codec key, or the worker does not start', async () => {
    const [plain, encoding] = [await bundleWorkflows(), await bundleWorkflows(undefined, { encodesFailures: true })];
    const open = await findEndpoint({ address: 'temporal.example:7233' });
    const closed = { ...open, codecKeys: await loadCodecKeys(keys.ours, {}) };
    vi.stubEnv('GUESTFLOW_WORKFLOW_BUNDLE', encoding.codePath);
    expect(controlOptions(closed).workflowBundle).toEqual({ codePath: encoding.codePath });
    vi.stubEnv('GUESTFLOW_WORKFLOW_BUNDLE', plain.codePath);
    expect(controlOptions(open).workflowBundle).toEqual({ codePath: plain.codePath });
    expect(() => controlOptions(closed)).toThrow(/would leave the messages of failures readable/);
  });
});

describe('codec keys that do not fit together', { timeout: 180_000 }, () => {
  it('a control worker without key: the client that waits for it is told that, and what to do', async () => {
    await withControlWorker(undefined, async () => {
      expect(await asked(undefined, registering('migrates1'))).toBeUndefined();
      expect(await asked(keys.ours, registering('keyless1', IN_VAIN_MS))).toMatchObject({
        type: 'Unreachable',
        message: expect.stringMatching(/encrypted with codec key [0-9a-f]{16}, and this process has no codec key/) as string,
        details: { mend: expect.stringContaining('same file of codec keys') as string },
      });
    });
  });

  it('a control worker with another key: likewise', async () => {
    await withControlWorker(keys.other, async () => {
      expect(await asked(keys.ours, registering('other1', IN_VAIN_MS))).toMatchObject({
        message: expect.stringMatching(/encrypted with codec key [0-9a-f]{16}, and this process has [0-9a-f]{16}/) as string,
      });
    });
  });

  it('a client or a dom0 worker without key says which one it lacks; a history that began without a key goes on', async () => {
    await withControlWorker(keys.ours, async () => {
      expect(await asked(keys.ours, asking('migrates1'))).toMatchObject({ facts: { host: 'migrates1' } });
      expect(await asked(undefined, asking('migrates1'))).toMatchObject({
        type: 'InvalidInput',
        message: expect.stringMatching(/this process has no codec key/) as string,
      });
      expect(String(await askedOfKeylessDom0())).toMatch(/encrypted with codec key [0-9a-f]{16}, and this process has no codec key/);
    });
  });
});
