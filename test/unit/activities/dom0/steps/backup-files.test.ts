/** Which backups a dom0 opens for a gateway: its guest's own, by a token that was sealed for just that. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSessions } from '../../../../../activities/dom0/browser-sessions.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ensurePasswordKey, passwordPublicKey } from '../../../../../activities/dom0/password-key.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { openFiles, removeOpenedBackups, type Opener } from '../../../../../activities/dom0/steps/backup-files.ts';
import { filesContext } from '../../../../../contract/backup-files.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { sealBox } from '../../../../../system/sealed-box.ts';
import { closeKnowing, dom0With, settings, spec } from './support.ts';

const guest = spec();
const REF = { name: guest.name, order: guest.order, dom0: 'dom0' };
const TOKEN = 'a-token-of-this-test';

let dom0: FakeDom0;
let env: StepEnv;
let backup: string;
let ended: string[];
let opened: Parameters<Opener['attach']>[0][];
const opener: Opener = {
  attach: (request) => Promise.resolve(void opened.push(request)),
  end: (guest) => Promise.resolve(void ended.push(guest)),
};
beforeEach(async () => {
  ({ dom0, env } = await dom0With(guest));
  await ensurePasswordKey(env);
  ({ id: backup } = await takeBackup(env, guest));
  opened = [];
  ended = [];
});
afterEach(() => closeKnowing(dom0));

const sealed = async (context = filesContext('f1', guest.name, backup)): Promise<string> =>
  sealBox(TOKEN, (await passwordPublicKey(env)) ?? '', context);
const open = async (changes: { ref?: typeof REF; backup?: string; token?: string } = {}): Promise<void> => {
  const { ref = REF, ...files } = changes;
  await openFiles(env, opener, { ref, files: { id: 'f1', backup, token: await sealed(), ...files } });
};

describe('a backup', () => {
  it('is opened by its token', async () => {
    await open();
    expect(opened).toEqual([{ id: 'f1', token: TOKEN, backup: expect.objectContaining({ id: backup, guest: guest.name }) as unknown }]);
  });

  it('is not opened for another order of the same name, and one that is not there is not found', async () => {
    await expect(open({ ref: { ...REF, order: 'another' } })).rejects.toMatchObject({ type: 'NotFound' });
    await expect(open({ backup: '20200101T000000Z' })).rejects.toMatchObject({ type: 'NotFound' });
    expect(opened).toEqual([]);
  });

  it('is not opened by a token that was sealed for another backup, guest or connection', async () => {
    for (const context of [
      filesContext('f2', guest.name, backup),
      filesContext('f1', 'other', backup),
      filesContext('f1', guest.name, 'x'),
    ])
      await expect(open({ token: await sealed(context) })).rejects.toMatchObject({ type: 'HostNotReady' });
    expect(opened).toEqual([]);
  });

  it('that is open ends before the backups of its guest are removed', async () => {
    await removeOpenedBackups(env, opener, REF);
    expect(ended).toEqual([guest.name]);
    expect((await env.repository.list(guest.name)).backups).toEqual([]);
  });

  it('that was found to be unusable is not opened', async () => {
    const [found] = (await env.repository.list(guest.name)).backups;
    await env.repository.prove(found!, { at: '2026-01-01T00:00:00.000Z', seconds: 1, outcome: 'unusable', what: 'no login' });
    await expect(open()).rejects.toMatchObject({ type: 'BackupUnusable' });
  });

  it('is refused where the settings name no gateway, where the worker has no reader, and of an engine that keeps no files', async () => {
    const host = dom0.host();
    const log = { info: () => undefined, warn: () => undefined };
    const attach = async (engine: 'blocks' | 'dump', options: object = {}, gateway = {}): Promise<void> => {
      const [found] = (await env.repository.list(guest.name)).backups;
      const sessions = createSessions({ host, settings: { ...settings(), ...gateway }, log, ...options });
      await sessions.backups.attach({ id: 'f1', token: TOKEN, backup: { ...found!, engine } });
    };
    const reader = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array());
    const set = { consoleGateway: 'http://127.0.0.1:9' };
    await expect(attach('blocks', { reader })).rejects.toMatchObject({ type: 'HostNotReady', details: { field: 'consoleGateway' } });
    await expect(attach('blocks', {}, set)).rejects.toMatchObject({ type: 'HostNotReady' });
    await expect(attach('dump', { reader }, set)).rejects.toMatchObject({ type: 'InvalidInput', details: { field: 'backup' } });
    await expect(attach('blocks', { reader }, set)).rejects.toMatchObject({ type: 'Unreachable', details: { field: 'consoleGateway' } });
  });
});
