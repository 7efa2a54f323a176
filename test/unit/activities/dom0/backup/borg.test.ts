/** Backups of a guest of the fake dom0 in a borg repository: what a step leaves when something goes wrong, what is told of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEnv } from '../../../../../activities/dom0/drivers.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { takeBackup, undoBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { preflight, prepare } from '../../../../../activities/dom0/steps/preflight.ts';
import { listBackups, pruneBackups } from '../../../../../activities/dom0/steps/prune.ts';
import { fillRestored } from '../../../../../activities/dom0/steps/restore.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, dom0With, settings, spec } from '../steps/support.ts';

const PLACE = '/var/backups/guestflow/guest1';
const SECRET = '/var/lib/guestflow/backup-passphrase';
const guest = spec();
let dom0: FakeDom0;
let env: StepEnv;
beforeEach(async () => {
  const made = await dom0With(guest);
  dom0 = made.dom0;
  env = createEnv({ ...made.env, settings: { ...settings(), backupRepository: 'borg' } });
  await prepare(env);
});
afterEach(() => closeKnowing(dom0));

const files = async (below = ''): Promise<string[]> => (await env.host.files.list(`${PLACE}${below}`)).sort();
const archives = async (): Promise<string[]> => (await files('/borg/data/0')).filter((name) => !name.startsWith('deleted-'));
const rootFs = () => dom0.machine.volume('guest1-root')!.content.fs!;
const rowsOf = async (): Promise<unknown[]> =>
  (await preflight(env)).rows.filter(({ row }) => row === 'borg' || row === 'backup passphrase');

describe('a backup in a borg repository', () => {
  it('is recorded beside the repository, with the sum of its content, and restored from there', async () => {
    const before = structuredClone(rootFs());
    const backup = await takeBackup(env, guest);
    expect(backup).toMatchObject({ state: 'verified', repository: '/var/backups/guestflow', key: `guest1/borg::${backup.id}` });
    expect(backup.dumpedBytes).toBe(before.bytes);
    expect((await env.repository.list('guest1')).backups).toMatchObject([
      { keptBy: 'borg', tools: ['e2fsprogs 1.0-fake', 'borgbackup 1.0-fake'], why: 'backupEngine is blocks' },
    ]);
    expect(await files()).toEqual([`${backup.id}.json`, 'borg', 'borg.key', 'guestflow.json']);
    await fillRestored(env, { ref: guest, id: backup.id });
    expect(dom0.machine.volume('guest1-restored')!.content.fs).toEqual(before);
  });

  it('lies beside those that were taken into files before, and all of them are listed, restored and pruned by either setting', async () => {
    const toFiles = createEnv({ ...env, settings: settings() });
    const [first, second, third] = [await takeBackup(toFiles, guest), await takeBackup(env, guest), await takeBackup(toFiles, guest)];
    for (const each of [env, toFiles])
      expect((await listBackups(each, guest)).backups.map(({ id }) => id)).toEqual([first.id, second.id, third.id]);
    await fillRestored(env, { ref: guest, id: first.id });
    await env.storage.release(guest, 'restored');
    await fillRestored(toFiles, { ref: guest, id: second.id });
    const pruned = await pruneBackups(toFiles, { ref: guest, ids: [first.id, second.id] });
    expect(pruned.freedBytes).toBeGreaterThan(0);
    expect([await archives(), (await listBackups(env, guest)).backups.map(({ id }) => id)]).toEqual([[], [third.id]]);
    // What was deleted is not only hidden.
    expect(await files('/borg/data/0')).toEqual([]);
  });

  it('that is not what was written when it is read back is none, and is not restored', async () => {
    const { id } = await takeBackup(env, guest);
    const path = `${PLACE}/borg/data/0/${id}`;
    const { bytes, content } = JSON.parse(String(await env.host.files.read(path))) as { bytes: number; content: string };
    const other = Buffer.from(content, 'base64').toString('latin1').replace('guest1', 'guest2');
    await env.host.files.writeAtomic(path, JSON.stringify({ bytes, content: Buffer.from(other, 'latin1').toString('base64') }));
    await expect(fillRestored(env, { ref: guest, id })).rejects.toMatchObject({ type: 'BackupUnusable' });
    await env.host.files.writeAtomic(path, 'nothing of borg');
    await expect(fillRestored(env, { ref: guest, id })).rejects.toMatchObject({
      type: 'BackupUnusable',
      message: expect.stringMatching(/cannot be read.*does not exist/) as string,
    });
  });

  it.each(['kill-middle', 'kill-after', 'fail', 'fail-middle'] as const)(
    'of which %s cuts any call short leaves no half one',
    async (kind) => {
      await takeBackup(env, guest);
      const calls = dom0.calls.length;
      await takeBackup(env, guest);
      const count = dom0.calls.length - calls;
      let cut = 0;
      for (let at = 0; at < count; at += 1) {
        const worker = createEnv({ ...env, host: dom0.host() });
        let seen = 0;
        dom0.faults.add({ match: () => (seen += 1) === at + 1, kind });
        const took = await takeBackup(worker, guest).then(
          () => true,
          () => false,
        );
        dom0.faults.restart();
        if (!took) cut += 1;
        await undoBackup(env, guest);
        const listed = (await env.repository.list('guest1')).backups.map((backup) => backup.id);
        expect(await archives(), `call ${at}, ${String(took)}`).toEqual(listed);
        expect(dom0.snapshot().volumes.map(({ name }) => name)).toEqual(['guest1-root', 'guest1-swap']);
      }
      expect(cut).toBeGreaterThan(count / 2);
    },
  );

  it('is refused while somebody else works on the repository, and nothing of theirs is broken', async () => {
    await takeBackup(env, guest);
    await env.host.files.makeDirectory(`${PLACE}/borg/lock.exclusive`);
    await env.host.files.writeAtomic(`${PLACE}/borg/lock.exclusive/xen2@1.4711-0`, '');
    await expect(takeBackup(env, guest)).rejects.toMatchObject({
      type: 'Busy',
      message: expect.stringContaining('xen2@1.4711') as string,
      details: { mend: expect.stringContaining('break-lock') as string },
    });
    expect(await files('/borg/lock.exclusive')).toEqual(['xen2@1.4711-0']);
    expect((await env.repository.list('guest1')).backups).toHaveLength(1);
  });

  it('goes with the guest, repository, key and all', async () => {
    await takeBackup(env, guest);
    await env.repository.removeAll(guest);
    expect(await env.host.files.list('/var/backups/guestflow')).toEqual(['.guestflow']);
    expect(await env.host.files.info(SECRET)).toBeDefined();
  });
});

describe('dom0 check and prepare of a dom0 with borg repositories', () => {
  it('has rows for borg and for the passphrase, which prepare makes once', async () => {
    expect(await rowsOf()).toEqual([
      { row: 'borg', state: 'ok', found: 'borg 1.2.4' },
      { row: 'backup passphrase', state: 'ok', found: SECRET },
    ]);
    const text = String(await env.host.files.read(SECRET));
    expect(text).toMatch(/^[a-z2-9]{32}\n$/);
    await prepare(env);
    expect(String(await env.host.files.read(SECRET))).toBe(text);
    expect((await env.host.files.info(SECRET))?.mode).toBe(0o600);
  });

  it('says what is missing, and how to mend it', async () => {
    dom0.machine.conditions.missingTools.add('borg');
    await env.host.files.remove(SECRET);
    expect(await rowsOf()).toMatchObject([
      { row: 'borg', state: 'missing', found: 'borg is not installed', mend: 'apt-get install borgbackup openssl' },
      { row: 'backup passphrase', state: 'missing', found: expect.stringContaining('is not there') as string },
    ]);
    await expect(takeBackup(env, guest)).rejects.toMatchObject({ type: 'HostNotReady', details: { field: 'backupPassphraseFile' } });
    dom0.machine.conditions.missingTools.delete('borg');
  });

  it('makes no passphrase where a repository was made with another', async () => {
    await takeBackup(env, guest);
    await env.host.files.remove(SECRET);
    await prepare(env);
    expect(await env.host.files.info(SECRET)).toBeUndefined();
  });

  it('asks nothing of a dom0 without', async () => {
    env = createEnv({ ...env, settings: settings() });
    expect(await rowsOf()).toEqual([]);
  });
});
