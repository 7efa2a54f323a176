/** Keys that do not fit together: whoever is asked says so, and nobody waits without a word. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findEndpoint } from '../../client/config.ts';
import { registerDom0, runDom0Task } from '../../client/dom0.ts';
import { openSession, type Session } from '../../client/session.ts';
import type { Dom0Facts } from '../../contract/types.ts';
import { createFakeDom0 } from '../../fake/index.ts';
import { runControlWorker } from '../../worker/control.ts';
import { parseDom0Settings } from '../../worker/dom0-settings.ts';
import { runDom0Worker } from '../../worker/dom0.ts';
import { startServer } from './temporal.ts';

const SOON_MS = 15_000;
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
  environment = await startServer();
}, 60_000);
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
    ...{ volumeGroup: 'vg01', volumeGroupBytes: bytes, volumeGroupFreeBytes: bytes, imageDirFreeBytes: bytes, addresses: [], domains: [] },
    network: { ...NETWORK, bridge: 'xenbr0' },
  };
}

/** With a control worker that has this key, and a client that has that one. */
async function withKeys<T>(worker: string | undefined, client: string | undefined, work: (session: Session) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  let ready = (): void => undefined;
  const polls = new Promise<void>((resolve) => (ready = resolve));
  const running = runControlWorker({
    address: environment.address,
    codecKeyFile: worker,
    signal: stop.signal,
    logger,
    onReady: () => ready(),
  });
  await Promise.race([polls, running]);
  const session = await openSession(await findEndpoint({ address: environment.address, codecKeyFile: client }));
  try {
    return await work(session);
  } finally {
    await session.close();
    stop.abort();
    await running;
  }
}

const register = (session: Session, host: string): Promise<unknown> =>
  session.call(`dom0 ${host}`, () => registerDom0(session.client, factsOf(host)), SOON_MS).catch((error: unknown) => error);

describe('codec keys that do not fit together', () => {
  it('a control worker without key: the client that waits for it is told that, and what to do', async () => {
    const error = await withKeys(undefined, keys.ours, (session) => register(session, 'keyless1'));
    expect(error).toMatchObject({
      type: 'Unreachable',
      message: expect.stringMatching(/encrypted with codec key [0-9a-f]{16}, and this process has no codec key/) as string,
      details: { mend: expect.stringContaining('same file of codec keys') as string },
    });
  });

  it('a control worker with another key: likewise', async () => {
    const error = await withKeys(keys.other, keys.ours, (session) => register(session, 'other1'));
    expect(error).toMatchObject({
      message: expect.stringMatching(/encrypted with codec key [0-9a-f]{16}, and this process has [0-9a-f]{16}/) as string,
    });
  });

  it('a client without key reads what was never encrypted, and of the rest is told which key it lacks', async () => {
    await withKeys(keys.ours, keys.ours, (session) => register(session, 'lacks1'));
    const error = await withKeys(keys.ours, undefined, (session) =>
      session
        .call('dom0 lacks1', () => session.client.workflow.getHandle('dom0/lacks1').query('ledger'), SOON_MS)
        .catch((caught: unknown) => caught),
    );
    expect(error).toMatchObject({ type: 'InvalidInput', message: expect.stringMatching(/this process has no codec key/) as string });
  });

  it('a history that began without a key goes on with one', async () => {
    expect(await withKeys(undefined, undefined, (session) => register(session, 'migrates1'))).toBeUndefined();
    const state = await withKeys(keys.ours, keys.ours, (session) => session.client.workflow.getHandle('dom0/migrates1').query('ledger'));
    expect(state).toMatchObject({ facts: { host: 'migrates1' } });
  });

  it('a dom0 worker without key: what was asked of it fails with the reason', async () => {
    const fake = await createFakeDom0({ network: { ...NETWORK, bridge: 'xenbr0' } });
    const host = `lost-${randomBytes(4).toString('hex')}`;
    const settings = parseDom0Settings(
      { host, network: NETWORK, kernel: '/boot/vmlinuz-6.1.0-49-amd64', initrd: '/boot/initrd.img-6.1.0-49-amd64' },
      'the test',
    );
    const stop = new AbortController();
    const worker = runDom0Worker({
      settings: { ...settings, shutdownGraceSeconds: 1 },
      ...{ address: environment.address, signal: stop.signal, logger, host: fake.host(), watchesDomains: false },
      onConnected: () => Promise.resolve(),
    });
    try {
      const error = await withKeys(keys.ours, keys.ours, (session) =>
        runDom0Task(session, host, 'inspect', { guest: { name: 'a', order: 'o', dom0: host } }).catch((caught: unknown) => caught),
      );
      expect(String(error)).toMatch(/encrypted with codec key [0-9a-f]{16}, and this process has no codec key/);
    } finally {
      stop.abort();
      await worker;
      fake.close();
    }
  });
});
