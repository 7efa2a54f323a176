/** What every storage driver promises its steps. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Ref } from '../../activities/dom0/marks.ts';
import type { Disk, DiskRole, Storage } from '../../activities/dom0/storage/port.ts';
import { makeSwap } from '../../activities/dom0/tools/ext4.ts';
import { MiB, type ContractContext } from './contract-context.ts';
import { portsOf } from './port-env.ts';

const BYTES = 8 * MiB;

const ZEROS = { bytes: BYTES, field: 'disk', fill: (): Promise<void> => Promise.resolve() };

/** A storage driver, and what can be seen of its room. */
export interface StorageUnderTest {
  /** The driver, on a pool that is there. */
  readonly on: (context: ContractContext) => Storage;
  /** On one that is not there. */
  readonly nowhere: (context: ContractContext) => Storage;
  /** Whether a disk takes all of its room at once, as it is written to, or in a place that others write to, too. */
  readonly room: 'at once' | 'as written' | 'shared';
}

export const IN_VOLUME_GROUP: StorageUnderTest = {
  on: (context) => portsOf(context).storage,
  nowhere: (context) => portsOf({ ...context, vg: 'no-such-pool' }).storage,
  room: 'at once',
};

export const IN_THIN_POOL: StorageUnderTest = {
  on: (context) => portsOf(context, { thinPool: context.thinPool }).storage,
  nowhere: (context) => portsOf({ ...context, vg: 'no-such-pool' }, { thinPool: context.thinPool }).storage,
  room: 'as written',
};

/** The directory is made by who runs the suite. */
export const AS_FILES: StorageUnderTest = {
  on: (context) => portsOf(context, { diskDir: `${context.imageDir}/disks` }).storage,
  nowhere: (context) => portsOf(context, { diskDir: '/no/such/directory' }).storage,
  room: 'shared',
};

/** @param isWhole also what only renames disks, wherever they lie. Default: it is */
export function describeStoragePortContract(
  what: string,
  context: () => ContractContext,
  { on, nowhere, room }: StorageUnderTest,
  isWhole = true,
): void {
  describe(`storage: ${what}`, () => {
    const ports = (): { readonly storage: Storage } => ({ storage: on(context()) });
    const made: { readonly storage: Storage; readonly ref: Ref }[] = [];
    const newGuest = (what: string): { storage: Storage; ref: Ref } => {
      const { storage } = ports();
      const name = context().name(what);
      made.push({ storage, ref: { name, order: `order-${name}` } });
      return { storage, ref: { name, order: `order-${name}` } };
    };
    afterEach(async () => {
      for (const { storage, ref } of made.splice(0)) await storage.release(ref);
    });

    const isZero = async (device: string, from = 0, bytes = BYTES - from): Promise<boolean> => {
      const range = [`--bytes=${String(bytes)}`, `--ignore-initial=${String(from)}:0`];
      return (await context().host.run('cmp', ['--silent', ...range, device, '/dev/zero'], { okCodes: [0, 1] })).code === 0;
    };
    /** Bytes that nobody may read later. */
    const plant = (device: string): Promise<void> => makeSwap(context().host, device);
    const make = async (storage: Storage, ref: Ref, fill = plant): Promise<Disk> => {
      await storage.ensure(ref, { role: 'root', bytes: BYTES, field: 'disk', fill });
      return await storage.find(ref, 'root');
    };

    test('a pool that is there tells its size, and one that is not there is undefined', async () => {
      const { storage } = ports();
      const facts = await storage.facts();
      expect(facts?.name).toBe(storage.pool);
      expect(facts?.freeBytes).toBeLessThanOrEqual(facts?.sizeBytes ?? 0);
      expect(await nowhere(context()).facts()).toBeUndefined();
    });

    test('a disk that is made reads as zeros when it is filled, is whole and the guest’s, and is not filled twice', async () => {
      const { storage, ref } = newGuest('make');
      const seen: boolean[] = [];
      const disk = await make(storage, ref, async (device) => {
        seen.push(await isZero(device));
        await plant(device);
      });
      expect(disk).toMatchObject({ owner: { guest: ref.name, order: ref.order }, bytes: BYTES, state: 'whole', open: false });
      expect(disk.device).toBe(storage.device(ref.name, 'root'));
      await make(storage, ref, () => Promise.reject(new Error('filled again')));
      expect(seen).toEqual([true]);
      expect(await isZero(disk.device)).toBe(false);
    });

    test('a disk whose filling was cut short is unfinished, and is wiped before it is filled again', async () => {
      const { storage, ref } = newGuest('half');
      const cut = make(storage, ref, async (device) => {
        await plant(device);
        throw new Error('cut short');
      });
      await expect(cut).rejects.toThrow('cut short');
      expect((await storage.find(ref, 'root')).state).toBe('unfinished');
      const seen: boolean[] = [];
      const disk = await make(storage, ref, async (device) => void seen.push(await isZero(device)));
      expect([seen, disk.state]).toEqual([[true], 'whole']);
    });

    describe.runIf(isWhole)('with a spare disk', () => {
      /** The root disk holds something, the restored one zeros. */
      const holds = async (device: string): Promise<string> => ((await isZero(device)) ? 'restored' : 'root');
      const both = async (what: string): Promise<{ storage: Storage; ref: Ref }> => {
        const { storage, ref } = newGuest(what);
        await make(storage, ref);
        await storage.ensure(ref, { ...ZEROS, role: 'restored' });
        return { storage, ref };
      };
      const at = async (storage: Storage, ref: Ref, role: DiskRole): Promise<string> => holds((await storage.find(ref, role)).device);
      const none = (storage: Storage, ref: Ref, role: DiskRole): Promise<void> =>
        expect(storage.find(ref, role)).rejects.toMatchObject({ type: 'NotFound' });

      test('the two change places, and back; and again is nothing', async () => {
        const { storage, ref } = await both('exchange');
        for (let time = 0; time < 2; time += 1) await storage.exchange(ref, 'restored');
        expect([await at(storage, ref, 'root'), await at(storage, ref, 'former')]).toEqual(['restored', 'root']);
        await none(storage, ref, 'restored');
        for (let time = 0; time < 2; time += 1) await storage.exchange(ref, 'former');
        expect([await at(storage, ref, 'root'), await at(storage, ref, 'restored')]).toEqual(['root', 'restored']);
        await none(storage, ref, 'former');
      });

      test('a second restored one does not take the former one’s place', async () => {
        const { storage, ref } = await both('third');
        await storage.exchange(ref, 'restored');
        await storage.ensure(ref, { ...ZEROS, role: 'restored' });
        await storage.exchange(ref, 'restored');
        expect([await at(storage, ref, 'root'), await at(storage, ref, 'former')]).toEqual(['restored', 'root']);
        await storage.release(ref, 'restored');
        expect((await storage.list()).filter(({ owner }) => owner?.guest === ref.name)).toHaveLength(2);
      });

      test('one of them is released alone, and the other stays as it is', async () => {
        const { storage, ref } = await both('alone');
        await storage.release(ref, 'former');
        await storage.release(ref, 'restored');
        await none(storage, ref, 'restored');
        expect(await at(storage, ref, 'root')).toBe('root');
      });

      test('nobody exchanges those of another order', async () => {
        const { storage, ref } = await both('others');
        await expect(storage.exchange({ ...ref, order: 'another' }, 'restored')).rejects.toMatchObject({ type: 'NotOurs' });
        expect(await at(storage, ref, 'root')).toBe('root');
      });
    });

    test('what another order has under that name is left alone', async () => {
      const { storage, ref } = newGuest('taken');
      await make(storage, ref);
      const other = { name: ref.name, order: 'another' };
      await expect(make(storage, other)).rejects.toMatchObject({ type: 'NotOurs' });
      await expect(storage.find(other, 'root')).rejects.toMatchObject({ type: 'NotOurs' });
      await storage.dropSnapshot(other);
      await storage.release(other);
      expect((await storage.find(ref, 'root')).state).toBe('whole');
    });

    test('a disk that does not fit is refused before anything is made', async () => {
      const { storage, ref } = newGuest('large');
      const bytes = ((await storage.facts())?.freeBytes ?? 0) + BYTES;
      const made_ = storage.ensure(ref, { role: 'root', bytes, field: 'disk', fill: () => Promise.resolve() });
      await expect(made_).rejects.toMatchObject({ type: 'NoCapacity', details: { field: 'disk' } });
      await expect(storage.find(ref, 'root')).rejects.toMatchObject({ type: 'NotFound' });
    });

    test('a snapshot is sound, is no disk of the guest, and goes twice as well as once; one that was left makes room for the next', async () => {
      const { storage, ref } = newGuest('snap');
      await make(storage, ref);
      await storage.snapshot(ref);
      const snapshot = await storage.snapshot(ref);
      await storage.mustBeSound(snapshot);
      expect(await isZero(snapshot.device, 0, MiB)).toBe(false);
      await storage.dropSnapshot(ref);
      await storage.dropSnapshot(ref);
      await expect(storage.mustBeSound(snapshot)).rejects.toMatchObject({ type: 'BackupUnusable' });
      expect((await storage.find(ref, 'root')).state).toBe('whole');
    });

    test('the new part of a disk that grows says that it is not wiped until it is; and it is wiped before it is given back', async () => {
      const { storage, ref } = newGuest('grow');
      const disk = await make(storage, ref);
      await storage.grow(disk, 2 * BYTES);
      const grown = await storage.find(ref, 'root');
      expect(grown).toMatchObject({ bytes: 2 * BYTES, grownFrom: BYTES });
      await storage.finishGrowing(grown, BYTES, 2 * BYTES);
      const whole = await storage.find(ref, 'root');
      expect(whole.grownFrom).toBeUndefined();
      expect(await isZero(whole.device, BYTES, BYTES)).toBe(true);
      await storage.shrink(whole, BYTES);
      expect(await storage.find(ref, 'root')).toMatchObject({ bytes: BYTES, state: 'whole' });
      expect(await isZero(whole.device, 0, MiB)).toBe(false);
    });

    test('a disk that grows in use has a new part that reads as zeros, keeps its content, and leaves nothing beside it; and again is nothing', async () => {
      const { storage, ref } = newGuest('growing');
      await make(storage, ref);
      const before = (await storage.facts())?.freeBytes ?? 0;
      await storage.growInUse(ref, 2 * BYTES);
      await storage.growInUse(ref, 2 * BYTES);
      const grown = await storage.find(ref, 'root');
      expect(grown).toMatchObject({ bytes: 2 * BYTES, state: 'whole' });
      expect(grown.grownFrom).toBeUndefined();
      expect(await isZero(grown.device, BYTES, BYTES)).toBe(true);
      expect(await isZero(grown.device, 0, MiB)).toBe(false);
      expect((await storage.list()).filter(({ owner }) => owner?.guest === ref.name)).toHaveLength(1);
      if (room !== 'shared') expect((await storage.facts())?.freeBytes).toBe(room === 'at once' ? before - BYTES : before);
    });

    test('what a growth that was given up has left is used by the next one, or goes with it, and nobody else’s is', async () => {
      const { storage, ref } = newGuest('given-up');
      await make(storage, ref);
      await storage.ensure(ref, { ...ZEROS, role: 'growth' });
      await storage.growInUse(ref, 2 * BYTES);
      await storage.ensure(ref, { ...ZEROS, role: 'growth' });
      await storage.growInUse(ref, 4 * BYTES);
      expect((await storage.find(ref, 'root')).bytes).toBe(4 * BYTES);
      await expect(storage.find(ref, 'growth')).rejects.toMatchObject({ type: 'NotFound' });
      await expect(storage.growInUse({ ...ref, order: 'another' }, 5 * BYTES)).rejects.toMatchObject({ type: 'NotOurs' });
      const free = (await storage.facts())?.freeBytes ?? 0;
      await expect(storage.growInUse(ref, 5 * BYTES + free)).rejects.toMatchObject({ type: 'NoCapacity', details: { field: 'disk' } });
      expect((await storage.find(ref, 'root')).bytes).toBe(4 * BYTES);
    });

    test.runIf(isWhole)('a disk that is set aside leaves its name, and comes back whole', async () => {
      const { storage, ref } = newGuest('retire');
      await make(storage, ref);
      await storage.setAside(ref, ['root']);
      await storage.setAside(ref, ['root']);
      const [aside] = (await storage.list()).filter(({ owner }) => owner?.guest === ref.name);
      expect(aside?.state).toBe('set aside');
      expect(storage.names(ref.name)).not.toContain(aside?.name);
      await storage.bringBack(ref, ['root']);
      await storage.bringBack(ref, ['root']);
      expect(await isZero((await storage.find(ref, 'root')).device)).toBe(false);
    });

    test.runIf(isWhole)('nothing comes back unless all of it can', async () => {
      const { storage, ref } = newGuest('revive');
      await make(storage, ref);
      await storage.setAside(ref, ['root']);
      await expect(storage.bringBack(ref, ['root', 'swap'])).rejects.toMatchObject({ type: 'NotFound' });
      await expect(storage.find(ref, 'root')).rejects.toMatchObject({ type: 'NotFound' });
    });

    test('what is released is gone, and whoever gets its room reads none of its bytes', async () => {
      const { storage, ref } = newGuest('release');
      await make(storage, ref);
      const before = (await storage.facts())?.freeBytes ?? 0;
      await storage.release(ref);
      await storage.release(ref);
      expect((await storage.list()).filter(({ owner }) => owner?.guest === ref.name)).toEqual([]);
      if (room === 'at once') expect((await storage.facts())?.freeBytes).toBe(before + BYTES);
      if (room === 'as written') expect((await storage.facts())?.freeBytes).toBeGreaterThanOrEqual(before);
      const next = newGuest('next');
      const seen: boolean[] = [];
      await make(next.storage, next.ref, async (device) => void seen.push(await isZero(device)));
      expect(seen).toEqual([true]);
    });
  });
}
