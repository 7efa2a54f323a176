/** A disk from a backup, beside the one that the guest has, on the fake dom0. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEnv } from '../../../../../activities/dom0/drivers.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { bootGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { makeTrial } from '../../../../../activities/dom0/steps/prove.ts';
import { dropDisk, exchangeDisks, fillRestored, settleDisks } from '../../../../../activities/dom0/steps/restore.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, dom0With, settings, spec } from './support.ts';

const guest = spec();
let dom0: FakeDom0;
let env: StepEnv;
beforeEach(async () => {
  ({ dom0, env } = await dom0With(guest));
});
afterEach(() => closeKnowing(dom0));

const fsOf = (volume: string) => dom0.machine.volume(volume)?.content.fs;
const names = (): string[] =>
  dom0
    .snapshot()
    .volumes.map(({ name }) => name)
    .sort();

describe('a disk from a backup', () => {
  it('is made while the guest runs, and is what was saved, as large as its root disk', async () => {
    const { id } = await takeBackup(env, guest);
    const saved = structuredClone(fsOf('guest1-root'));
    fsOf('guest1-root')!.files['/root/later'] = 'x';
    await bootGuest(env, guest);
    const { bytes } = await fillRestored(env, { ref: guest, id });
    expect(bytes).toBe(guest.size.diskBytes);
    expect(fsOf('guest1-restored')).toEqual(saved);
    expect(fsOf('guest1-root')?.files['/root/later']).toBe('x');
    expect(await env.toolstack.find('guest1')).toMatchObject({ state: 'running' });
  });

  it('is made at once, since somebody waits for it; what is done for backups and proofs gives way to the guests', async () => {
    const tools = new Map<string, Set<boolean>>();
    const note = (tool: string, isInBackground = false): unknown => tools.set(tool, (tools.get(tool) ?? new Set()).add(isInBackground));
    const { host } = env;
    const spied = createEnv({
      ...env,
      host: {
        files: host.files,
        run: (tool, args, options) => (note(tool, options?.isInBackground), host.run(tool, args, options)),
        pipeline: (stages, options) => (stages.forEach(({ tool }) => note(tool, options.isInBackground)), host.pipeline(stages, options)),
      },
    });
    const { id } = await takeBackup(spied, guest);
    for (const tool of ['e2fsck', 'dumpe2fs', 'perl', 'zstd', 'cat', 'dd'])
      expect([tool, ...(tools.get(tool) ?? [])]).toEqual([tool, true]);
    tools.clear();
    await makeTrial(spied, { spec: guest, id });
    expect([...(tools.get('dd') ?? []), ...(tools.get('perl') ?? [])]).toEqual([true, true]);
    tools.clear();
    await fillRestored(spied, { ref: guest, id });
    for (const seen of tools.values()) expect([...seen]).toEqual([false]);
  });

  it('takes the place of the root disk, which is kept; the guest is off then; and back', async () => {
    const { id } = await takeBackup(env, guest);
    fsOf('guest1-root')!.files['/root/later'] = 'x';
    await bootGuest(env, guest);
    await fillRestored(env, { ref: guest, id });
    await exchangeDisks(env, { ref: guest, spare: 'restored' });
    expect(await env.toolstack.find('guest1')).toBeUndefined();
    expect([fsOf('guest1-root')?.files['/root/later'], fsOf('guest1-former')?.files['/root/later']]).toEqual([undefined, 'x']);
    await exchangeDisks(env, { ref: guest, spare: 'former' });
    expect(fsOf('guest1-root')?.files['/root/later']).toBe('x');
    await dropDisk(env, { ref: guest, role: 'restored' });
    expect(names()).toEqual(['guest1-root', 'guest1-swap']);
  });

  it('that a restore has left which could not be undone goes, and the guest has its own again', async () => {
    const { id } = await takeBackup(env, guest);
    fsOf('guest1-root')!.files['/root/later'] = 'x';
    expect(await settleDisks(env, guest)).toEqual({ wasLeft: false });
    await fillRestored(env, { ref: guest, id });
    await exchangeDisks(env, { ref: guest, spare: 'restored' });
    expect(await settleDisks(env, guest)).toEqual({ wasLeft: true });
    expect(fsOf('guest1-root')?.files['/root/later']).toBe('x');
  });

  it.each(['20200101T000000Z', ''])('is not made of a backup that is not there, or is another order’s', async (id) => {
    const { id: own } = await takeBackup(env, guest);
    const ref = id === '' ? { ...guest, order: 'another' } : guest;
    await expect(fillRestored(env, { ref, id: id === '' ? own : id })).rejects.toMatchObject({ type: 'NotFound' });
    expect(names()).toEqual(['guest1-root', 'guest1-swap']);
  });

  it('is not made of a backup of which the record or a byte was changed; the guest’s disk stays as it is', async () => {
    const { id, key } = await takeBackup(env, guest);
    const path = env.repository.container({ key }).title;
    const whole = (await env.host.files.read(path))!;
    const other = Buffer.from(whole);
    other[20] = (other[20] ?? 0) ^ 1;
    await env.host.files.writeAtomic(path, other);
    await expect(fillRestored(env, { ref: guest, id })).rejects.toMatchObject({ type: 'BackupUnusable' });
    expect((await env.storage.find(guest, 'restored')).state).toBe('unfinished');
    await env.host.files.writeAtomic(path, whole);
    const record = path.replace('.img.zst', '.json');
    await env.host.files.writeAtomic(record, String(await env.host.files.read(record)).replace('verified', 'proven'));
    await expect(fillRestored(env, { ref: guest, id })).rejects.toMatchObject({ type: 'BackupUnusable', retryable: false });
  });

  it('is not made of a dump, which is restored by hand', async () => {
    const { id } = await takeBackup(createEnv({ ...env, settings: { ...settings(), backupEngine: 'dump' } }), guest);
    await expect(fillRestored(env, { ref: guest, id })).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  it('grows with the guest’s disk, if that has become larger since', async () => {
    const { id } = await takeBackup(env, guest);
    const disk = await env.storage.find(guest, 'root');
    await env.storage.grow(disk, disk.bytes + 2 ** 30);
    await env.storage.settle(disk);
    await fillRestored(env, { ref: guest, id });
    const restored = fsOf('guest1-restored')!;
    expect(restored.bytes).toBe(guest.size.diskBytes + 2 ** 30);
  });
});
