/** Backups of a guest of the fake dom0: what lies in the repository, and what is refused. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changed } from '../../../../an-order.ts';
import { createEnv } from '../../../../../activities/dom0/drivers.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { readRecord, recordText } from '../../../../../activities/dom0/backup/record.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { setProtected } from '../../../../../activities/dom0/steps/protect.ts';
import { listBackups, pruneBackups } from '../../../../../activities/dom0/steps/prune.ts';
import { going, retain } from '../../../../../workflows/backups/retention.ts';
import { MOST_PROTECTED, type BackupRecord, type StoredBackup } from '../../../../../contract/backup.ts';
import { bootGuest, pauseGuest, stopGuest, unpauseGuest } from '../../../../../activities/dom0/steps/boot.ts';
import type { PipelineOptions, PipelineStage } from '../../../../../system/run.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, dom0With, settings, spec } from '../steps/support.ts';

const PLACE = '/var/backups/guestflow/guest1';
const guest = spec();
let dom0: FakeDom0;
let env: StepEnv;
beforeEach(async () => {
  ({ dom0, env } = await dom0With(guest));
});
afterEach(() => closeKnowing(dom0));

function withDump(): StepEnv {
  return createEnv({ ...env, settings: { ...settings(), backupEngine: 'dump' } });
}

const files = async (): Promise<string[]> => (await env.host.files.list(PLACE)).sort();
const rootFs = () => dom0.machine.volume('guest1-root')!.content.fs!;

describe('a backup', () => {
  it('is read back, and its record says all that is needed to bring the guest back, without a secret', async () => {
    const cfg = '/etc/xen/guest1.cfg';
    const text = String(await env.host.files.read(cfg));
    await env.host.files.writeAtomic(cfg, `${text}\nvfb = [ 'vnc=1,vncpasswd=hunter2,vnclisten=0' ]\nvncpasswd = "hunter2"\n`);
    const backup = await takeBackup(env, changed(guest, { access: { sealedPassword: { dom0: 'x'.repeat(80) } } }));
    expect(backup).toMatchObject({ engine: 'blocks', state: 'verified', consistency: 'stopped', guest: 'guest1' });
    const { backups, damaged } = await env.repository.list('guest1');
    expect(damaged).toEqual([]);
    expect(backups).toMatchObject([
      {
        ...backup,
        format: 1,
        order: 'order-guest1',
        tools: ['e2fsprogs 1.0-fake', 'zstd 1.0-fake'],
        why: 'backupEngine is blocks',
        disks: { root: 2 ** 31, swap: 2 ** 28 },
        spec: { name: 'guest1', size: guest.size, network: guest.network },
        fileSystem: { uuid: rootFs().uuid, blockSize: 4096 },
      },
    ]);
    const record = String(await env.host.files.read(`${PLACE}/${backup.id}.json`));
    expect(record).toContain('memory');
    for (const secret of ['hunter2', 'sealedPassword', 'x'.repeat(80)]) expect(record).not.toContain(secret);
    expect(await files()).toEqual([`${backup.id}.img.zst`, `${backup.id}.json`, 'guestflow.json']);
    expect(dom0.snapshot().volumes.map(({ name }) => name)).toEqual(['guest1-root', 'guest1-swap']);
  });

  it('is read at the rate of dom0.yaml, if that has one', async () => {
    const { host } = env;
    const numbers: (readonly string[])[] = [];
    const spied = {
      ...env,
      host: {
        files: host.files,
        run: host.run.bind(host),
        pipeline: (stages: readonly PipelineStage[], options: PipelineOptions) => {
          numbers.push(stages.find(({ tool }) => tool === 'perl')?.args.slice(4) ?? []);
          return host.pipeline(stages, options);
        },
      },
    };
    await takeBackup(createEnv({ ...spied, settings: { ...settings(), backupRate: 2 ** 20 } }), guest);
    expect(numbers[0]).toEqual([...(numbers[0] ?? []).slice(0, 3), '1048576']);
    numbers.length = 0;
    await takeBackup(createEnv({ ...spied, settings: settings() }), guest);
    expect(numbers[0]).toHaveLength(3);
  });

  it('of a guest that runs says that it is as after a power cut, and holds what was only in the journal', async () => {
    await bootGuest(env, guest);
    Object.assign(rootFs(), { needsRecovery: true, journal: { '/root/fresh': 'x' } });
    const { key, consistency } = await takeBackup(env, guest);
    expect(consistency).toBe('crash');
    expect(String(await env.host.files.read(env.repository.container({ key }).title))).toContain('"/root/fresh"');
    expect(rootFs().needsRecovery).toBe(true);
    await stopGuest(env, guest);
  });

  describe('of a managed guest that runs', () => {
    const managed = changed(guest, { access: { managed: true } });

    it('is taken while the guest is frozen: what it has written is on its disk', async () => {
      await bootGuest(env, managed);
      Object.assign(rootFs(), { journal: { '/root/fresh': 'x' } });
      expect(await takeBackup(env, managed)).toMatchObject({ consistency: 'flushed' });
      expect(rootFs().files['/root/fresh']).toBe('x');
      await stopGuest(env, managed);
    });

    it('is taken all the same if a hook of it fails, and says so', async () => {
      await bootGuest(env, managed);
      rootFs().files['/etc/guestflow/freeze.d/fails'] = '';
      expect(await takeBackup(env, managed)).toMatchObject({
        consistency: 'crash',
        warnings: ['it was not frozen: its hook fails failed'],
      });
      await stopGuest(env, managed);
    });

    it('is taken all the same if it cannot be reached, or is paused', async () => {
      await bootGuest(env, managed);
      await pauseGuest(env, managed);
      expect(await takeBackup(env, managed)).toMatchObject({ consistency: 'crash' });
      await unpauseGuest(env, managed);
      await env.host.files.writeAtomic('/var/lib/guestflow/guests/guest1/provision_key', 'another');
      const { consistency, warnings } = await takeBackup(env, managed);
      expect([consistency, warnings?.[0]]).toEqual(['crash', expect.stringMatching(/^it was not frozen: /)]);
      await stopGuest(env, managed);
    });
  });

  it('is not taken of a file system that is damaged, at once and for good; nothing is left', async () => {
    rootFs().damaged = true;
    await expect(takeBackup(env, guest)).rejects.toMatchObject({ type: 'BackupUnusable', retryable: false });
    expect(await files()).toEqual(['guestflow.json']);
    expect(dom0.snapshot().volumes.map(({ name }) => name)).toEqual(['guest1-root', 'guest1-swap']);
  });

  it('is taken anew when its snapshot has filled up, whatever was said of the file system in it', async () => {
    dom0.faults.snapshotsOverflow = true;
    await expect(takeBackup(env, guest)).rejects.toMatchObject({ type: 'BackupUnusable', retryable: true });
    dom0.faults.add({
      match: ({ name, args }) => name === 'e2fsck' && args[1] === '-n',
      kind: 'fail',
      exitCode: 4,
    });
    for (const volume of dom0.state.volumes) volume.invalid = false;
    await expect(takeBackup(env, guest)).rejects.toThrow(/filled up/);
    expect(await files()).toEqual(['guestflow.json']);
  });

  it('that is not read back as it was written is none', async () => {
    dom0.faults.add({ match: ({ name }) => name === 'cat', kind: 'fail' });
    await expect(takeBackup(env, guest)).rejects.toThrow(/cat/);
    expect((await env.repository.list('guest1')).backups).toEqual([]);
    await env.repository.discardHalf(guest);
    // Nor the directory, in which there is no other.
    expect(await files()).toEqual([]);
  });

  it('is taken by dump where that is asked for and can be trusted, else by blocks with the reason', async () => {
    const asked = withDump();
    expect(await takeBackup(asked, guest)).toMatchObject({ engine: 'dump', state: 'verified' });
    rootFs().features.push('inline_data');
    const backup = await takeBackup(asked, guest);
    expect(backup).toMatchObject({ engine: 'blocks', warnings: [expect.stringMatching(/inline_data/)] });
    expect((await files()).filter((name) => name.endsWith('.zst')).map((name) => name.slice(17))).toEqual(['dump.zst', 'img.zst']);
  });

  it('is restored to a disk that holds zeros, and is the same there', async () => {
    const { key } = await takeBackup(env, guest);
    const saved = (await env.repository.list('guest1')).backups[0]!;
    const before = structuredClone(rootFs());
    const root = dom0.machine.volume('guest1-root')!;
    delete root.content.fs;
    const { device, bytes } = await env.storage.find(guest, 'root');
    await env.engines.named('blocks').restore!(env.repository.container({ key }), saved, { device, bytes });
    expect(root.content.fs).toEqual(before);
    await expect(
      env.engines.named('blocks').restore!(env.repository.container({ key }), { ...saved, dumpedBytes: bytes + 1 }, { device, bytes }),
    ).rejects.toMatchObject({ type: 'InvalidInput' });
  });
});

describe('a record', () => {
  it('of which one byte is another is no record, and what it is of stays', async () => {
    const { id } = await takeBackup(env, guest);
    const path = `${PLACE}/${id}.json`;
    const text = String(await env.host.files.read(path));
    expect(recordText(readRecord(text)!)).toBe(text);
    for (let at = 0; at < text.length; at += 7) {
      const other = text.charCodeAt(at) ^ 1;
      expect(readRecord(text.slice(0, at) + String.fromCharCode(other) + text.slice(at + 1)), `byte ${at}`).toBeUndefined();
    }
    await env.host.files.writeAtomic(path, text.replace('"verified"', '"proven"'));
    expect(await env.repository.list('guest1')).toEqual({ backups: [], damaged: [`${id}.json`] });
    await env.repository.discardHalf(guest);
    expect(await files()).toEqual([`${id}.img.zst`, `${id}.json`, 'guestflow.json']);
  });
});

async function taken(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) ids.push((await takeBackup(env, guest)).id);
  return ids;
}

function protect(id: string, isProtected = true): Promise<BackupRecord> {
  return setProtected(env, { ref: guest, id, isProtected });
}

/** What retention keeps of the guest's backups when it keeps the last one only. */
async function kept(): Promise<string[]> {
  const { backups } = await listBackups(env, guest);
  const ids = going(retain(backups, { last: 1 }, 'UTC'));
  if (ids.length > 0) await pruneBackups(env, { ref: guest, ids });
  return (await listBackups(env, guest)).backups.map(({ id }) => id);
}

describe('a backup that is protected', () => {
  it('is left alone by retention, until it is left to it again', async () => {
    const [first = '', second = '', third = ''] = await taken(3);
    expect(await protect(first)).toMatchObject({ id: first, isProtected: true });
    expect(await protect(first)).toMatchObject({ id: first, isProtected: true });
    expect(await kept()).toEqual([first, third]);
    expect(await files()).not.toContain(`${second}.img.zst`);
    expect(await protect(first, false)).not.toHaveProperty('isProtected');
    expect(await kept()).toEqual([third]);
    expect(await files()).toEqual([`${third}.img.zst`, `${third}.json`, 'guestflow.json']);
  });

  it('is one because of a file beside its record, whatever is in that; a record that claims it protects nothing', async () => {
    const [first = '', second = '', third = ''] = await taken(3);
    await protect(first);
    await env.host.files.writeAtomic(`${PLACE}/${first}.protected.json`, '');
    const backup = (await env.repository.list('guest1')).backups.find(({ id }) => id === second)!;
    await env.repository.record({ ...backup, isProtected: true });
    expect(await kept()).toEqual([first, third]);
  });

  it('is one of at most ten of a guest; another one may be protected when one of them is not any more', async () => {
    const ids = await taken(MOST_PROTECTED + 1);
    for (const id of ids.slice(0, -1)) await protect(id);
    await expect(protect(ids.at(-1)!)).rejects.toMatchObject({ type: 'InvalidInput', details: { field: 'backup', value: ids.at(-1) } });
    await protect(ids[0]!);
    await protect(ids[0]!, false);
    await protect(ids.at(-1)!);
  });

  it("is this guest's, and there: any other is refused", async () => {
    const [first = ''] = await taken(1);
    await expect(protect('20260101T000000Z')).rejects.toMatchObject({ type: 'NotFound', details: { field: 'backup' } });
    await expect(setProtected(env, { ref: { ...guest, order: 'another' }, id: first, isProtected: true })).rejects.toMatchObject({
      type: 'NotFound',
    });
    expect(await files()).toEqual([`${first}.img.zst`, `${first}.json`, 'guestflow.json']);
  });

  it('may be read by whom its record may be read by', async () => {
    const [first = ''] = await taken(1);
    await protect(first);
    const modeOf = async (name: string): Promise<number | undefined> => (await env.host.files.info(`${PLACE}/${name}`))?.mode;
    expect(await modeOf(`${first}.protected.json`)).toBe(await modeOf(`${first}.json`));
  });
});

describe('what retention wants gone', () => {
  const change = async (id: string, how: Partial<StoredBackup>): Promise<void> => {
    const backup = (await env.repository.list('guest1')).backups.find((each) => each.id === id)!;
    await env.repository.record({ ...backup, ...how });
  };

  it('goes by its id, and what of it an attempt that was killed has left goes with it', async () => {
    const [first = '', second = '', third = ''] = await taken(3);
    dom0.faults.add({ match: ({ tool, args }) => tool === 'file.remove' && String(args[0]).endsWith('.zst'), kind: 'fail' });
    await expect(pruneBackups(env, { ref: guest, ids: [first, second] })).rejects.toThrow();
    expect(await files()).toContain(`${first}.img.zst`);
    expect(await pruneBackups(env, { ref: guest, ids: [first, second] })).toMatchObject({ removed: [first, second] });
    expect(await files()).toEqual([`${third}.img.zst`, `${third}.json`, 'guestflow.json']);
    expect(await listBackups(env, guest)).toMatchObject({ backups: [{ id: third }], damaged: [] });
  });

  it.each<[string, (ids: string[]) => Promise<string[]>]>([
    ['the last one', async (ids) => Promise.resolve(ids)],
    ['the last one that is verified', async (ids) => change(ids[2]!, { state: 'taken' }).then(() => ids.slice(0, 2))],
    ['the last one that was proven', async (ids) => change(ids[0]!, { state: 'proven' }).then(() => [ids[0]!])],
    ['one that is protected', async (ids) => protect(ids[0]!).then(() => [ids[0]!])],
  ])('is refused when it is %s, whoever asks', async (_, which) => {
    const ids = await taken(3);
    const before = await which(ids).then(async (gone) => ({ gone, files: await files() }));
    await expect(pruneBackups(env, { ref: guest, ids: before.gone })).rejects.toMatchObject({ type: 'InvalidInput' });
    expect(await files()).toEqual(before.files);
  });

  it('stays when its record is damaged, and is told', async () => {
    const [first = ''] = await taken(2);
    await env.host.files.writeAtomic(`${PLACE}/${first}.json`, '{}');
    expect(await listBackups(env, guest)).toMatchObject({ damaged: [`${first}.json`] });
    await pruneBackups(env, { ref: guest, ids: [first] });
    expect(await files()).toContain(`${first}.img.zst`);
  });
});

describe('a backup that is removed', () => {
  it('goes with its record, tells how much room it gives back, and others stay', async () => {
    const ids: string[] = [];
    for (let taken = 0; taken < 3; taken += 1) ids.push((await takeBackup(env, guest)).id);
    expect(await env.repository.remove(guest, [ids[0]!, 'guestflow', '20200101T000000Z'])).toBeGreaterThan(0);
    expect((await env.repository.list('guest1')).backups.map(({ id }) => id)).toEqual(ids.slice(1));
    expect(await env.repository.remove(guest, [ids[0]!])).toBe(0);
    await expect(env.repository.remove({ ...guest, order: 'another' }, [ids[1]!])).rejects.toMatchObject({ type: 'NotOurs' });
    expect(await files()).toContain('guestflow.json');
  });

  it('is no backup any more when that is cut short, and the next attempt removes the rest', async () => {
    const { id } = await takeBackup(env, guest);
    dom0.faults.add({ match: ({ tool, args }) => tool === 'file.remove' && String(args[0]).endsWith('.zst'), kind: 'fail' });
    await expect(env.repository.remove(guest, [id])).rejects.toThrow();
    expect((await env.repository.list('guest1')).backups).toEqual([]);
    await env.repository.discardHalf(guest);
    // Nor the directory, in which there is no other.
    expect(await files()).toEqual([]);
  });
});
