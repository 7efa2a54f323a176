/** What engines and repositories promise their steps. The suite makes no file system: what is saved of one is held by the host tests, on real ones. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Container, Saved } from '../../activities/dom0/backup/port.ts';
import type { StepEnv } from '../../activities/dom0/env.ts';
import type { Ref } from '../../activities/dom0/marks.ts';
import type { StoredBackup } from '../../contract/backup.ts';
import { MiB, type ContractContext } from './contract-context.ts';
import { portsOf } from './port-env.ts';

const ID = '20260101T020000Z';
const SAVED: Saved = { bytes: 1, dumpedBytes: 1, sha256: '0' };

export function describeBackupPortContract(context: () => ContractContext): void {
  describe('backups', () => {
    const made: { readonly env: StepEnv; readonly ref: Ref }[] = [];
    const newGuest = (what: string): { env: StepEnv; ref: Ref } => {
      const name = context().name(what);
      const guest = { env: portsOf(context()), ref: { name, order: `order-${name}` } };
      made.push(guest);
      return guest;
    };
    afterEach(async () => {
      for (const { env, ref } of made.splice(0)) {
        await env.repository.removeAll(ref);
        await env.storage.release(ref);
      }
    });
    /** A record of a file that holds no more than a word. */
    const put = async ({ repository }: StepEnv, { name }: Ref, id = ID): Promise<Container> => {
      const kept = repository.keptAs(name, id, 'blocks');
      const container = repository.container(kept);
      await context().host.files.writeAtomic(container.title, 'no backup');
      // What else a record says is nothing to a repository.
      const backup = { id, guest: name, ...kept, takenAt: '2026-01-01T02:00:00.000Z', state: 'verified' } as StoredBackup;
      await repository.record(backup);
      return container;
    };

    test('a disk without a file system is refused by every engine, for good', async () => {
      const { env, ref } = newGuest('nofs');
      await env.storage.ensure(ref, { role: 'root', bytes: 8 * MiB, field: 'disk', fill: () => Promise.resolve() });
      const { device } = await env.storage.find(ref, 'root');
      await expect(env.engines.choose(device)).rejects.toMatchObject({ type: 'BackupUnusable', retryable: false });
    });

    test('what is no backup is not read back, and not restored', async () => {
      const { env, ref } = newGuest('nobackup');
      await env.storage.ensure(ref, { role: 'root', bytes: 8 * MiB, field: 'disk', fill: () => Promise.resolve() });
      const disk = await env.storage.find(ref, 'root');
      await env.repository.open(ref);
      const container = await put(env, ref);
      for (const name of ['blocks', 'dump'] as const) await expect(env.engines.named(name).check(container, SAVED)).rejects.toThrow();
      await expect(env.engines.named('blocks').restore?.(container, SAVED, disk)).rejects.toThrow();
    });

    test('an engine names the packages of its tools', async () => {
      const { env } = newGuest('tools');
      const container = env.repository.container(env.repository.keptAs('web1', ID, 'blocks'));
      expect(await env.engines.named('blocks').tools(container)).toEqual([
        expect.stringMatching(/^e2fsprogs \S+$/),
        expect.stringMatching(/^zstd \S+$/),
      ]);
    });

    test('a record is listed as it was written, one that was changed is damaged, and what has none is half and goes, with its directory', async () => {
      const { env, ref } = newGuest('records');
      const { repository } = env;
      await repository.open(ref);
      expect(await repository.list(ref.name)).toEqual({ backups: [], damaged: [] });
      await put(env, ref);
      const record = `${repository.name}/${ref.name}/${ID}.json`;
      const text = String(await context().host.files.read(record));
      expect((await repository.list(ref.name)).backups).toMatchObject([{ id: ID, guest: ref.name }]);
      await context().host.files.writeAtomic(record, text.replace('02:00', '03:00'));
      expect(await repository.list(ref.name)).toEqual({ backups: [], damaged: [`${ID}.json`] });
      await repository.discardHalf(ref);
      expect((await repository.list(ref.name)).damaged).toHaveLength(1);
      await context().host.files.remove(record);
      await repository.discardHalf(ref);
      expect(await context().host.files.list(repository.name)).not.toContain(ref.name);
    });

    test('a backup is removed by its id, the others stay, and nobody removes those of another order', async () => {
      const { env, ref } = newGuest('remove');
      const { repository } = env;
      await repository.open(ref);
      await put(env, ref);
      await put(env, ref, '20260102T020000Z');
      await expect(repository.remove({ ...ref, order: 'another' }, [ID])).rejects.toMatchObject({ type: 'NotOurs' });
      expect(await repository.remove(ref, [ID, '20250101T020000Z'])).toBeGreaterThan(0);
      expect((await repository.list(ref.name)).backups.map(({ id }) => id)).toEqual(['20260102T020000Z']);
      expect(await repository.remove(ref, [ID])).toBe(0);
    });
  });
}
