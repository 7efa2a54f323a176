/** A console, and the files of a backup, are asked of a dom0 through Temporal, whose histories keep no token of it. */
import { generateKeyPairSync } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findEndpoint } from '../../client/config.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import { openBackupFiles } from '../../client/guests/backup-files.ts';
import { openConsole } from '../../client/guests/console.ts';
import { readStatus } from '../../client/guests/look.ts';
import { operate } from '../../client/guests/operate.ts';
import { orderGuest } from '../../client/guests/order.ts';
import { openSession, type Session } from '../../client/session.ts';
import { filesContext, type FilesWish } from '../../contract/backup-files.ts';
import { consoleContext, type ConsoleWish } from '../../contract/console.ts';
import type { GuestRef } from '../../contract/guest.ts';
import { openBox, publicKeyText } from '../../system/sealed-box.ts';
import { order, scripted, until } from './scripted.ts';
import { DOM0, startServer, withKeptWorkers } from './temporal.ts';

const TOKEN = 'a-token-that-no-history-may-hold';
const KEYS = generateKeyPairSync('x25519');

let environment: TestWorkflowEnvironment;
let session: Session;
beforeAll(async () => {
  environment = await startServer();
  session = await openSession(await findEndpoint({ address: environment.address }));
});
afterAll(async () => {
  await session.close();
  await environment.teardown();
});

async function register(): Promise<void> {
  await registerDom0(environment.client, {
    host: DOM0,
    seenAt: '2026-01-01T00:00:00.000Z',
    xenVersion: '4.17.7',
    memoryBytes: 2 ** 34,
    memoryFreeBytes: 2 ** 33,
    cpus: 8,
    pools: [{ name: 'vg01', sizeBytes: 2 ** 40, freeBytes: 2 ** 39 }],
    imageDirFreeBytes: 2 ** 36,
    network: { cidr: '192.0.2.0/24', gateway: '192.0.2.1', bridge: 'xenbr0' },
    addresses: [],
    workerVersion: '0.1.0',
    domains: [],
    passwordKey: publicKeyText(KEYS.publicKey),
  });
}

/** All texts in a value, bytes among them. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString()];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** All that Temporal keeps of the tasks of dom0s. */
async function histories(): Promise<string> {
  const texts: string[] = [];
  for await (const { workflowId } of session.client.workflow.list({ query: 'WorkflowType = "dom0Task"' }))
    texts.push(...textsIn(await session.client.workflow.getHandle(workflowId).fetchHistory()));
  return texts.join('\n');
}

it('a console is asked of the dom0 of a guest that runs, once, with a token that this dom0 alone can open', async () => {
  const asked: { readonly ref: GuestRef; readonly console: ConsoleWish }[] = [];
  let answer = (): Promise<void> => Promise.resolve();
  const open = (input: (typeof asked)[number]): Promise<void> => {
    asked.push(input);
    return answer();
  };
  await withKeptWorkers(environment, scripted([], { openConsole: open }), async () => {
    const { name, order: id } = order();
    const wanted = { id: 'c1', token: TOKEN };
    await expect(openConsole(session, name, wanted)).rejects.toMatchObject({ type: 'NotFound' });
    await orderGuest(session, { ...order(), name, order: id });
    await until(
      () => readStatus(session, name),
      ({ phase, operation }) => phase === 'running' && operation === undefined,
    );
    await expect(openConsole(session, name, wanted)).rejects.toMatchObject({ type: 'HostNotReady' });
    await register();
    await openConsole(session, name, wanted);
    expect(asked).toEqual([{ ref: { name, order: id, dom0: DOM0 }, console: { id: 'c1', token: expect.any(String) as string } }]);
    const box = asked[0]!.console.token;
    expect(await openBox(box, KEYS.privateKey, consoleContext('c1', name))).toBe(TOKEN);
    expect(await openBox(box, KEYS.privateKey, consoleContext('c1', 'another'))).toBeUndefined();
    // What the search knows of a task comes a moment later.
    await until(histories, (text) => text.includes(box));
    expect(await histories()).not.toContain(TOKEN);
    // What failed for good is not tried again, and says which setting it lacks.
    answer = () =>
      Promise.reject(
        ApplicationFailure.create({ type: 'HostNotReady', nonRetryable: true, message: 'no', details: [{ field: 'consoleGateway' }] }),
      );
    await expect(openConsole(session, name, wanted)).rejects.toMatchObject({ type: 'HostNotReady', details: { field: 'consoleGateway' } });
    expect(asked).toHaveLength(2);
    await operate(session, name, 'stop');
    await expect(openConsole(session, name, wanted)).rejects.toMatchObject({ type: 'Busy', details: { field: 'phase' } });
    expect(asked).toHaveLength(2);
  });
});

it('the files of a backup are asked of the dom0 of its guest, running or off, with a token that this dom0 alone can open', async () => {
  const asked: { readonly ref: GuestRef; readonly files: FilesWish }[] = [];
  const open = (input: (typeof asked)[number]): Promise<void> => Promise.resolve(void asked.push(input));
  await withKeptWorkers(environment, scripted([], { openFiles: open }), async () => {
    await register();
    const { name, order: id } = order();
    const wanted = { id: 'f1', token: TOKEN, backup: '20260101T020000Z' };
    await expect(openBackupFiles(session, name, wanted)).rejects.toMatchObject({ type: 'NotFound' });
    await orderGuest(session, { ...order(), name, order: id });
    await until(
      () => readStatus(session, name),
      ({ phase, operation }) => phase === 'running' && operation === undefined,
    );
    await openBackupFiles(session, name, wanted);
    const { files, ...of } = asked[0]!;
    expect(of).toEqual({ ref: { name, order: id, dom0: DOM0 } });
    expect(files).toEqual({ id: 'f1', backup: wanted.backup, token: expect.any(String) as string });
    expect(await openBox(files.token, KEYS.privateKey, filesContext('f1', name, wanted.backup))).toBe(TOKEN);
    // A box of one backup opens no other.
    expect(await openBox(files.token, KEYS.privateKey, filesContext('f1', name, '20260102T020000Z'))).toBeUndefined();
    await until(histories, (text) => text.includes(files.token));
    expect(await histories()).not.toContain(TOKEN);
    await operate(session, name, 'stop');
    await openBackupFiles(session, name, wanted);
    await operate(session, name, 'suspend');
    await expect(openBackupFiles(session, name, wanted)).rejects.toMatchObject({ type: 'Busy', details: { field: 'phase' } });
    expect(asked).toHaveLength(2);
  });
});
