import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { copyImage } from '../../../../../activities/dom0/tools/copy.ts';
import { dumpToFile, listDumpOn } from '../../../../dump-to-file.ts';
import { checkFs, fsInfo, growFs, makeSwap, newUuid, replayJournal, shrinkFs } from '../../../../../activities/dom0/tools/ext4.ts';
import {
  createSnapshot,
  createVolume,
  removeVolume,
  renameVolume,
  extendVolume,
  reduceVolume,
} from '../../../../../activities/dom0/storage/lvm/lvm.ts';
import { zeroVolume } from '../../../../../activities/dom0/storage/lvm/wipe.ts';
import { listVolumes } from '../../../../../activities/dom0/storage/lvm/reports.ts';
import type { FakeDom0, FakeHost } from '../../../../../fake/index.ts';
import type { Content } from '../../../../../fake/model.ts';
import { fakeDom0 } from './support.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
let dom0: FakeDom0;
let host: FakeHost;
beforeEach(async () => {
  dom0 = await fakeDom0();
  host = dom0.host();
});
afterEach(() => {
  dom0.close();
});

function tenant(label: string, bytes = GiB): Content {
  return {
    residue: [],
    fs: {
      uuid: 'u-1',
      type: 'ext4',
      bytes,
      usedBytes: 300 * MiB,
      features: ['has_journal', 'extent'],
      label,
      files: { '/etc/passwd': 'root\n' },
      journal: {},
      needsRecovery: false,
      damaged: false,
    },
  };
}

const volume = (name: string, bytes = 2 * GiB): Promise<void> => createVolume(host, { vg: 'vg01', name, bytes, tags: [] });
const contentOf = (name: string): Content => {
  const found = dom0.machine.volume(name)?.content;
  if (found === undefined) throw new Error(`no volume ${name}`);
  return found;
};

describe('bytes of a former tenant', () => {
  beforeEach(async () => {
    await volume('a-root');
    Object.assign(contentOf('a-root'), tenant('a'));
  });

  test('they can be read on a new volume when the old one was removed without a wipe', async () => {
    await removeVolume(host, 'vg01', 'a-root');
    await volume('b-root');
    expect(dom0.snapshot().volumes).toMatchObject([{ name: 'b-root', holds: 'nothing', residue: ['a'] }]);
  });

  test('they are gone when it was wiped first', async () => {
    await zeroVolume(host, '/dev/vg01/a-root', { bytes: 2 * GiB });
    await removeVolume(host, 'vg01', 'a-root');
    await volume('b-root');
    expect(dom0.snapshot()).toMatchObject({ freeResidue: [], volumes: [{ name: 'b-root', residue: [] }] });
  });

  test('they are gone when it was wiped in parts, and not before the last one', async () => {
    const pace = { bytesPerSecond: 200 * 2 ** 20, clock: { nowMs: () => 0, sleep: () => Promise.resolve() } };
    dom0.faults.add({ match: (call) => call.args.includes('1048576000'), kind: 'fail' });
    await expect(zeroVolume(host, '/dev/vg01/a-root', { bytes: 2 * GiB, pace })).rejects.toThrow();
    expect(dom0.snapshot().volumes).toMatchObject([{ residue: ['a'] }]);
    await zeroVolume(host, '/dev/vg01/a-root', { bytes: 2 * GiB, pace });
    expect(dom0.snapshot().volumes).toMatchObject([{ holds: 'nothing', residue: [] }]);
  });

  test('a snapshot leaves copies of its origin’s blocks behind', async () => {
    await createSnapshot(host, { vg: 'vg01', origin: 'a-root', name: 'a-backup', bytes: GiB, tags: [] });
    await removeVolume(host, 'vg01', 'a-backup');
    expect(dom0.snapshot().freeResidue).toEqual(['a']);
  });

  test('a copy of a smaller image leaves what is behind its end, and holes that are not written, too', async () => {
    dom0.machine.makeImage('/home/xen/b.img', GiB, tenant('b'));
    await removeVolume(host, 'vg01', 'a-root');
    for (const [name, targetIsZero] of [
      ['b-root', false],
      ['c-root', true],
    ] as const) {
      await volume(name);
      await copyImage(host, { source: '/home/xen/b.img', device: `/dev/vg01/${name}`, bytes: GiB, targetIsZero });
      expect(contentOf(name)).toMatchObject({ fs: { label: 'b' }, residue: ['a'] });
    }
  });

  test('a copy without that promise over the whole device leaves nothing', async () => {
    dom0.machine.makeImage('/home/xen/b.img', 2 * GiB, tenant('b', 2 * GiB));
    await copyImage(host, { source: '/home/xen/b.img', device: '/dev/vg01/a-root', bytes: 2 * GiB, targetIsZero: false });
    expect(contentOf('a-root').residue).toEqual([]);
  });

  test('a wipe that was killed in the middle is none', async () => {
    dom0.faults.add({ match: (call) => call.name === 'blkdiscard', kind: 'kill-middle' });
    await zeroVolume(host, '/dev/vg01/a-root', { bytes: 2 * GiB }).catch(() => undefined);
    expect(contentOf('a-root').residue).toEqual(['a']);
    const { code } = await dom0
      .host()
      .run('cmp', ['--silent', '--bytes=1048576', '--ignore-initial=0:0', '/dev/vg01/a-root', '/dev/zero'], { okCodes: [0, 1] });
    expect(code).toBe(1);
  });
});

describe('file systems', () => {
  beforeEach(async () => {
    dom0.machine.makeImage('/home/xen/a.img', GiB, tenant('a'));
    await volume('a-root');
    await zeroVolume(host, '/dev/vg01/a-root', { bytes: 2 * GiB });
  });
  const copy = (): Promise<void> =>
    copyImage(host, { source: '/home/xen/a.img', device: '/dev/vg01/a-root', bytes: GiB, targetIsZero: true });

  test('a copy has the identity of its source until it is given its own, and grows to its volume', async () => {
    await copy();
    expect((await fsInfo(host, '/dev/vg01/a-root')).uuid).toBe('u-1');
    await newUuid(host, '/dev/vg01/a-root');
    await checkFs(host, '/dev/vg01/a-root');
    await growFs(host, '/dev/vg01/a-root');
    const info = await fsInfo(host, '/dev/vg01/a-root');
    expect(info.uuid).not.toBe('u-1');
    expect(info.blocks * info.blockSize).toBe(2 * GiB);
  });

  test('half a copy does not pass the check', async () => {
    dom0.faults.add({ match: (call) => call.name === 'qemu-img', kind: 'fail-middle' });
    await expect(copy()).rejects.toMatchObject({ code: 1 });
    expect(dom0.snapshot().volumes).toMatchObject([{ holds: 'ext4', damaged: true }]);
    await expect(checkFs(host, '/dev/vg01/a-root')).rejects.toMatchObject({ code: 4 });
  });

  test('an image keeps its content when its directory is renamed', async () => {
    await host.files.makeDirectory('/home/xen/made');
    await host.files.rename('/home/xen/a.img', '/home/xen/made/disk.img');
    await host.files.rename('/home/xen/made', '/home/xen/domains/a');
    expect((await fsInfo(host, '/home/xen/domains/a/disk.img')).uuid).toBe('u-1');
    expect(await host.files.info('/home/xen/domains/a/disk.img')).toMatchObject({ bytes: GiB, allocatedBytes: 300 * MiB });
  });

  test('swap takes the place of what was there', async () => {
    await copy();
    await makeSwap(host, '/dev/vg01/a-root');
    expect(dom0.snapshot().volumes).toMatchObject([{ holds: 'swap', residue: ['a'] }]);
  });

  test('a dump misses what only the journal holds until it is replayed, and says nothing', async () => {
    await copy();
    Object.assign(contentOf('a-root').fs ?? {}, { needsRecovery: true, journal: { '/root/fresh': 'x' } });
    const listed = async (path: string): Promise<string[]> => {
      const dump = await dumpToFile(host, { device: '/dev/vg01/a-root', path });
      await dump.commit();
      return listDumpOn(host, path, /./);
    };
    expect(await listed('/var/backups/one.dump.zst')).not.toContain('./root/fresh');
    await replayJournal(host, '/dev/vg01/a-root');
    expect(await listed('/var/backups/two.dump.zst')).toEqual(expect.arrayContaining(['./etc/passwd', './root/fresh']));
  });

  test('a dump that was cut off cannot be listed', async () => {
    await copy();
    const dump = await dumpToFile(host, { device: '/dev/vg01/a-root', path: '/var/backups/a.dump.zst' });
    await dump.commit();
    const whole = await host.files.read('/var/backups/a.dump.zst');
    await host.files.writeAtomic('/var/backups/a.dump.zst', whole?.subarray(0, whole.length / 2) ?? '');
    await expect(listDumpOn(host, '/var/backups/a.dump.zst')).rejects.toMatchObject({ tool: 'setpriv', code: 1 });
  });

  test('a snapshot that fills up during a dump is invalid, and dump does not notice', async () => {
    await copy();
    await createSnapshot(host, { vg: 'vg01', origin: 'a-root', name: 'a-backup', bytes: GiB, tags: [] });
    dom0.faults.snapshotsOverflow = true;
    await (await dumpToFile(host, { device: '/dev/vg01/a-backup', path: '/var/backups/a.dump.zst' })).abort();
    expect((await listVolumes(host, 'vg01')).find(({ name }) => name === 'a-backup')).toMatchObject({ invalid: true, dataPercent: 100 });
  });
});

describe('a volume that changes its size', () => {
  beforeEach(async () => {
    await volume('a-root');
    Object.assign(contentOf('a-root'), tenant('a', 2 * GiB));
  });

  test('reads a former tenant in its new part until that is wiped, and keeps its file system', async () => {
    dom0.state.freeResidue.push('former');
    await extendVolume(host, 'vg01', 'a-root', 3 * GiB);
    expect(contentOf('a-root').residue).toEqual(['former']);
    await zeroVolume(host, '/dev/vg01/a-root', { bytes: 3 * GiB, offset: 2 * GiB });
    expect(contentOf('a-root')).toMatchObject({ fs: { label: 'a', damaged: false }, residue: [] });
  });

  test('loses its end when it shrinks, and leaves what was not wiped to the next one', async () => {
    await shrinkFs(host, '/dev/vg01/a-root', GiB);
    await reduceVolume(host, 'vg01', 'a-root', GiB);
    expect(dom0.snapshot()).toMatchObject({ freeResidue: ['a'], volumes: [{ bytes: GiB, damaged: false }] });
  });

  test('is damaged when it is made smaller than its file system, or wiped within it', async () => {
    await reduceVolume(host, 'vg01', 'a-root', GiB);
    await expect(checkFs(host, '/dev/vg01/a-root')).rejects.toMatchObject({ code: 4 });
    await volume('b-root');
    Object.assign(contentOf('b-root'), tenant('b', 2 * GiB));
    await zeroVolume(host, '/dev/vg01/b-root', { bytes: 2 * GiB, offset: GiB });
    expect(contentOf('b-root').fs?.damaged).toBe(true);
  });

  test('keeps a file system that does not fit into the smaller size', async () => {
    await expect(shrinkFs(host, '/dev/vg01/a-root', 100 * MiB)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/smaller than minimum/) as string,
    });
  });
});

test('a renamed origin keeps its snapshots', async () => {
  await volume('a-root');
  await createSnapshot(host, { vg: 'vg01', origin: 'a-root', name: 'a-backup', bytes: GiB, tags: [] });
  await renameVolume(host, 'vg01', 'a-root', 'del-a-root');
  expect((await listVolumes(host, 'vg01')).find(({ name }) => name === 'a-backup')?.origin).toBe('del-a-root');
});
