/** Disks that are files, by the real tools, in a directory of this machine: the contract of a storage driver, and the room that they take. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ref } from '../../activities/dom0/marks.ts';
import { prepareDirectory } from '../../activities/dom0/storage/file/directory.ts';
import { DiskFiles } from '../../activities/dom0/storage/file/files.ts';
import type { DiskUser } from '../../activities/dom0/storage/file/place.ts';
import type { Storage } from '../../activities/dom0/storage/port.ts';
import { createHost } from '../../system/host.ts';
import type { ContractContext } from '../contract/contract-context.ts';
import { portsOf } from '../contract/port-env.ts';
import { describeStoragePortContract } from '../contract/storage-port-contract.ts';

const MiB = 2 ** 20;
const host = createHost();
let base: string;
let directory: string;
let names = 0;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'guestflow-disks-'));
  directory = join(base, 'disks');
  await prepareDirectory({ host, directory }, join(base, 'state'));
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

/** No guest is at work. */
const NOBODY: DiskUser = { find: () => Promise.resolve(undefined), stop: () => Promise.resolve(), goOn: () => Promise.resolve() };

function disks(at = directory, user = NOBODY): Storage {
  return new DiskFiles(portsOf({ host, vg: 'none', imageDir: base }), at, user);
}

const context = (): ContractContext => ({ host, vg: 'none', thinPool: 'none', imageDir: base, name: (what) => `g-${what}${(names += 1)}` });
describeStoragePortContract('files of this machine', context, {
  on: () => disks(),
  nowhere: () => disks('/no/such/directory'),
  room: 'shared',
});

function newRef(): Ref {
  const name = context().name('guest');
  return { name, order: `order-${name}` };
}

async function make(storage: Storage, ref: Ref, text = ''): Promise<string> {
  const fill = async (device: string): Promise<void> => await writeFile(device, text, { flag: 'r+' });
  await storage.ensure(ref, { role: 'root', bytes: 8 * MiB, field: 'disk', fill });
  return storage.device(ref.name, 'root');
}

describe('a disk that is a file', () => {
  it('takes all of its room at once, when it is made and when it grows, and nobody but root reads it', async () => {
    const storage = disks();
    const ref = newRef();
    const file = await make(storage, ref);
    expect(statSync(file).blocks * 512).toBeGreaterThanOrEqual(8 * MiB);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await storage.grow(await storage.find(ref, 'root'), 12 * MiB);
    expect(statSync(file).size).toBe(12 * MiB);
    expect(statSync(file).blocks * 512).toBeGreaterThanOrEqual(12 * MiB);
    await storage.release(ref);
  });

  it('counts with its whole size after its guest has discarded blocks', async () => {
    const storage = disks();
    const ref = newRef();
    const file = await make(storage, ref);
    execFileSync('fallocate', ['--punch-hole', '--offset', '0', '--length', String(8 * MiB), file]);
    const own = (await storage.list()).filter(({ owner }) => owner?.guest === ref.name);
    expect(own.map(({ bytes }) => bytes)).toEqual([8 * MiB]);
    const { sizeBytes = 0, freeBytes = 0 } = (await storage.facts()) ?? {};
    expect(sizeBytes - freeBytes).toBe(8 * MiB);
    await storage.release(ref);
  });

  it('reads as zeros where it was cut off and has grown again', async () => {
    const storage = disks();
    const ref = newRef();
    const file = await make(storage, ref);
    writeFileSync(file, Buffer.alloc(8 * MiB, 0x41), { flag: 'r+' });
    await storage.shrink(await storage.find(ref, 'root'), 4 * MiB);
    await storage.grow(await storage.find(ref, 'root'), 8 * MiB);
    const bytes = readFileSync(file);
    expect(bytes.subarray(4 * MiB).every((byte) => byte === 0)).toBe(true);
    expect(bytes[4 * MiB - 1]).toBe(0x41);
    await storage.release(ref);
  });

  it('is copied while its user stands still, who goes on also when the copy fails', async () => {
    const calls: string[] = [];
    const user: DiskUser = {
      find: () => Promise.resolve({ who: '7', isStill: false }),
      stop: (_ref, who) => Promise.resolve(void calls.push(`stop ${who}`)),
      goOn: (_ref, who) => Promise.resolve(void calls.push(`go on ${who}`)),
    };
    const storage = disks(directory, user);
    const ref = newRef();
    const file = await make(storage, ref, 'what the guest wrote');
    const snapshot = await storage.snapshot(ref);
    // Where blocks can be shared, nobody has to stand still.
    const isCopy = snapshot.stoodStillMs !== undefined;
    expect(calls).toEqual(isCopy ? ['stop 7', 'go on 7'] : []);
    expect(readFileSync(snapshot.device).equals(readFileSync(file))).toBe(true);
    expect(statSync(snapshot.device).mode & 0o777).toBe(0o600);
    await storage.dropSnapshot(ref);
    calls.length = 0;
    const failing: DiskUser = { ...user, stop: () => Promise.reject(new Error('it does not stand still')) };
    if (isCopy) await expect(disks(directory, failing).snapshot(ref)).rejects.toThrow('it does not stand still');
    if (isCopy) expect(calls).toEqual(['go on 7']);
    await storage.release(ref);
  });
});

describe('the directory of the disks', () => {
  it('is not reached over a link, and what lies there without a mark is left alone', async () => {
    const link = join(base, 'link');
    symlinkSync(directory, link);
    expect(await disks(link).facts()).toBeUndefined();
    await expect(disks(link).list()).rejects.toMatchObject({ type: 'HostNotReady', details: { field: 'diskDir' } });
    const ref = newRef();
    const theirs = join(directory, `${ref.name}-root`);
    mkdirSync(theirs);
    writeFileSync(join(theirs, 'disk.img'), 'theirs');
    await expect(make(disks(), ref)).rejects.toMatchObject({ type: 'NotOurs' });
    await disks().release(ref);
    mkdirSync(join(directory, `${ref.name}-backup`));
    writeFileSync(join(directory, `${ref.name}-backup`, 'disk.img'), 'theirs, too');
    await disks().dropSnapshot(ref);
    expect(readFileSync(join(theirs, 'disk.img'), 'utf8')).toBe('theirs');
    expect(readFileSync(join(directory, `${ref.name}-backup`, 'disk.img'), 'utf8')).toBe('theirs, too');
    rmSync(theirs, { recursive: true });
    rmSync(join(directory, `${ref.name}-backup`), { recursive: true });
  });

  it('is missing to the preflight until it is there and nobody else can look into it', async () => {
    const row = (at: string): Promise<unknown> => disks(at).preflight();
    expect(await row(join(base, 'nowhere'))).toMatchObject({ row: 'disk directory', state: 'missing' });
    expect(await row(directory)).toMatchObject({ state: 'ok' });
    chmodSync(directory, 0o755);
    expect(await row(directory)).toMatchObject({ state: 'missing', mend: `chmod 0700 ${directory}` });
    chmodSync(directory, 0o700);
  });
});
