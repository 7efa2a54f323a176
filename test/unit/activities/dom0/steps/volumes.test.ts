/** A guest's volumes, from when they are made until they are wiped: what is left by tools that were killed, and what is not ours to touch. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createSnapshot, createVolume, tagVolume } from '../../../../../activities/dom0/storage/lvm/lvm.ts';
import { listVolumes } from '../../../../../activities/dom0/storage/lvm/reports.ts';
import { UNFINISHED_TAG, volumeTags } from '../../../../../activities/dom0/storage/lvm/tags.ts';
import { removeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { makeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { setAsideVolumes, bringBackVolumes } from '../../../../../activities/dom0/steps/set-aside.ts';
import type { GuestRef } from '../../../../../contract/guest.ts';
import type { FakeDom0, FaultKind } from '../../../../../fake/index.ts';
import type { Content } from '../../../../../fake/model.ts';
import { fakeDom0, spec, stepEnv } from './support.ts';

const GiB = 2 ** 30;
const VG = 'vg01';
const guest = spec('g');
const ref: GuestRef = { name: 'g', order: guest.order, dom0: 'dom0' };
const TAGS = volumeTags({ guest: ref.name, order: ref.order });

let dom0: FakeDom0;
let env: StepEnv;
beforeEach(async () => {
  dom0 = await fakeDom0();
  env = stepEnv(dom0.host());
});
afterEach(() => {
  expect(dom0.unknown).toEqual([]);
  dom0.close();
});

function fileSystem(label: string): Content {
  return {
    residue: [],
    fs: {
      uuid: 'u-1',
      type: 'ext4',
      bytes: 2 * GiB,
      usedBytes: GiB / 4,
      features: ['has_journal', 'extent'],
      label,
      files: { '/etc/passwd': 'root\n', '/etc/hostname': `${label}\n` },
      journal: {},
      needsRecovery: false,
      damaged: false,
    },
  };
}

async function volume(name: string, bytes = 2 * GiB, tags: readonly string[] = TAGS): Promise<void> {
  await createVolume(env.host, { vg: VG, name, bytes, tags });
  Object.assign(dom0.machine.volume(name)?.content ?? {}, fileSystem('g'));
}

async function bothVolumes(rootBytes = 2 * GiB): Promise<void> {
  await volume('g-root', rootBytes);
  await volume('g-swap', GiB);
}

const names = (): string[] => dom0.snapshot().volumes.map(({ name }) => name);

/** The worker goes in the middle of the `nth` call of a tool; another one takes its place. */
async function killedIn(tool: string, nth: number, work: () => Promise<unknown>, kind: FaultKind = 'kill-middle'): Promise<void> {
  let count = 0;
  dom0.faults.add({ kind, match: (call) => call.name === tool && (count += 1) === nth });
  await expect(work()).rejects.toThrow();
  expect(dom0.faults.fired.length).toBeGreaterThan(0);
  dom0.faults.restart();
  env = stepEnv(dom0.host());
}

function domain(name: string, device: string): void {
  dom0.state.domains.push({
    id: 7,
    name,
    cfgPath: '',
    memoryMiB: 128,
    vcpus: 1,
    disks: [{ vdev: 'xvda', source: device, writable: true }],
    kernel: '',
    bridges: [],
    onCrash: 'destroy',
    state: 'dying',
    startedAt: 0,
    looksLeft: 99,
    booted: true,
    liveSysctl: {},
  });
}

describe('a tool of LVM that was killed in the middle', () => {
  test('lvremove leaves a volume without a device: it is wiped and removed', async () => {
    await bothVolumes();
    await killedIn('lvremove', 1, () => removeVolumes(env, ref));
    expect(dom0.snapshot().volumes).toMatchObject([{ name: 'del-g-root', state: 'inactive' }, { name: 'del-g-swap' }]);
    await removeVolumes(env, ref);
    expect(dom0.snapshot()).toMatchObject({ volumes: [], freeResidue: [] });
  });

  test('lvcreate leaves a volume without a device: it is filled, or removed', async () => {
    dom0.machine.makeImage('/home/xen/domains/g/disk.img', 2 * GiB, fileSystem('g'));
    await killedIn('lvcreate', 1, () => makeVolumes(env, guest));
    expect(dom0.snapshot().volumes).toMatchObject([{ name: 'g-root', state: 'inactive' }]);
    await makeVolumes(env, guest);
    expect(dom0.snapshot().volumes).toMatchObject([
      { name: 'g-root', holds: 'ext4' },
      { name: 'g-swap', holds: 'swap' },
    ]);
    dom0.state.volumes.length = 0;
    await killedIn('lvcreate', 1, () => makeVolumes(env, guest));
    await removeVolumes(env, ref);
    expect(names()).toEqual([]);
  });

  test('lvcreate of a snapshot leaves the origin suspended: the undo resumes it, and so do the next attempt and the next worker', async () => {
    await bothVolumes();
    await killedIn('lvcreate', 1, () => takeBackup(env, guest));
    expect(dom0.snapshot().volumes).toMatchObject([
      { name: 'g-backup', state: 'inactive' },
      { name: 'g-root', state: 'suspended' },
      { name: 'g-swap' },
    ]);
    await env.storage.dropSnapshot(ref);
    expect((await listVolumes(env.host, VG)).map(({ name, state }) => [name, state])).toEqual([
      ['g-root', 'active'],
      ['g-swap', 'active'],
    ]);
    await killedIn('lvcreate', 1, () => takeBackup(env, guest));
    await env.storage.wake();
    expect(dom0.snapshot().volumes.map(({ name, state }) => [name, state])).toEqual([
      ['g-backup', 'inactive'],
      ['g-root', undefined],
      ['g-swap', undefined],
    ]);
    await killedIn('lvremove', 1, () => takeBackup(env, guest));
    expect((await takeBackup(env, guest)).bytes).toBeGreaterThan(0);
    expect(dom0.snapshot().volumes.filter(({ state }) => state !== undefined)).toEqual([]);
  });

  test('a backup never takes the place of another, though dom0 has the same time again, as after its clock was set back', async () => {
    await bothVolumes();
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-03-01T02:00:00.700Z') });
    try {
      const ids: string[] = [];
      for (let taken = 0; taken < 3; taken += 1) ids.push((await takeBackup(env, guest)).id);
      expect(ids).toEqual(['20260301T020000Z', '20260301T020001Z', '20260301T020002Z']);
      expect((await env.repository.list('g')).backups.map(({ id }) => id)).toEqual(ids);
    } finally {
      vi.useRealTimers();
    }
  });

  test('an origin is resumed even when nothing of its snapshot is left', async () => {
    await bothVolumes();
    Object.assign(dom0.machine.volume('g-root') ?? {}, { suspended: true });
    await removeVolumes(env, ref);
    expect(names()).toEqual([]);
  });
});

describe('somebody’s snapshot of the guest’s volume', () => {
  beforeEach(async () => {
    await bothVolumes();
    await createSnapshot(env.host, { vg: VG, origin: 'g-root', name: 'keep', bytes: GiB, tags: [] });
  });

  test.each([
    ['removing', removeVolumes],
    ['setting aside', setAsideVolumes],
  ])('stops %s the volumes before anything is changed', async (_what, work) => {
    const before = dom0.snapshot();
    await expect(work(env, ref)).rejects.toMatchObject({
      type: 'NotOurs',
      retryable: false,
      message: expect.stringMatching(/vg01\/keep is a snapshot of vg01\/g-root .*lvremove vg01\/keep/) as string,
    });
    expect(dom0.snapshot()).toEqual(before);
  });
});

describe('a volume that something has open', () => {
  test('keeps its name and its bytes: a domain that is dying has lost its own name, and holds its disk all the same', async () => {
    await bothVolumes();
    domain('(null)', '/dev/vg01/g-swap');
    const before = dom0.snapshot();
    await expect(removeVolumes(env, ref)).rejects.toMatchObject({ type: 'ToolFailed', retryable: true, message: /vg01\/g-swap is open/ });
    expect(dom0.snapshot().volumes).toEqual(before.volumes);
    dom0.state.domains.length = 0;
    await removeVolumes(env, ref);
    expect(names()).toEqual([]);
  }, 20_000);

  test('is not filled again while it is unfinished', async () => {
    dom0.machine.makeImage('/home/xen/domains/g/disk.img', 2 * GiB, fileSystem('g'));
    await volume('g-root', 2 * GiB, [...TAGS, UNFINISHED_TAG]);
    domain('(null)', '/dev/vg01/g-root');
    const before = dom0.snapshot();
    await expect(makeVolumes(env, guest)).rejects.toMatchObject({ type: 'ToolFailed', retryable: true, message: /vg01\/g-root is open/ });
    expect(dom0.snapshot().volumes).toEqual(before.volumes);
  }, 20_000);
});

describe('a wipe', () => {
  const offsets = (): (string | undefined)[] =>
    dom0.calls.filter(({ name }) => name === 'blkdiscard').map(({ args }) => /--offset (\d+)/.exec(args.join(' '))?.[1]);

  test('that is cut short goes on where it was, by parts that are on the disk', async () => {
    await bothVolumes(14 * GiB);
    await killedIn('blkdiscard', 3, () => removeVolumes(env, ref));
    await killedIn('blkdiscard', 2, () => removeVolumes(env, ref));
    expect(dom0.snapshot().volumes[0]?.tags).toContain(`guestflow.wiped-to=${String(12 * GiB)}`);
    expect(dom0.snapshot().volumes[0]?.tags.filter((tag) => tag.includes('wiped-to'))).toHaveLength(1);
    await removeVolumes(env, ref);
    expect(offsets()).toEqual(['0', ...[4, 8, 8, 12, 12].map((gib) => String(gib * GiB)), undefined]);
    expect(dom0.snapshot()).toMatchObject({ volumes: [], freeResidue: [] });
  });

  test('whose tag claims what is not true is found out, and the next attempt begins at the start', async () => {
    await bothVolumes(14 * GiB);
    await tagVolume(env.host, VG, 'g-root', { add: [`guestflow.wiped-to=${String(8 * GiB)}`] });
    await expect(removeVolumes(env, ref)).rejects.toThrow(/is not zero at byte/);
    expect(names()).toEqual(['del-g-root', 'del-g-swap']);
    await removeVolumes(env, ref);
    expect(dom0.snapshot()).toMatchObject({ volumes: [], freeResidue: [] });
  });

  test.each(['nonsense', '-4194304', '1000', String(64 * GiB)])('with the tag %s begins at the start', async (value) => {
    await bothVolumes();
    await tagVolume(env.host, VG, 'g-root', { add: [`guestflow.wiped-to=${value}`] });
    await removeVolumes(env, ref);
    expect(dom0.snapshot()).toMatchObject({ volumes: [], freeResidue: [] });
  });

  test('that has begun is never taken back, not even in part', async () => {
    await bothVolumes();
    await killedIn('blkdiscard', 1, () => removeVolumes(env, ref), 'kill-before');
    await expect(bringBackVolumes(env, ref)).rejects.toMatchObject({ type: 'NotFound', message: /del-g-root has begun/ });
    expect(names()).toEqual(['del-g-root', 'del-g-swap']);
  });

  test('begins when all names are free', async () => {
    await bothVolumes();
    await killedIn('blkdiscard', 1, () => removeVolumes(env, ref), 'kill-before');
    expect(names()).toEqual(['del-g-root', 'del-g-swap']);
  });
});

describe('a released volume of an earlier order', () => {
  const OTHERS = volumeTags({ guest: 'g', order: 'earlier' });
  beforeEach(async () => {
    await volume('del-g-root', GiB, OTHERS);
    await volume('del-g-root.2', GiB, OTHERS);
    await bothVolumes();
  });

  test('does not stand in the way of the next one', async () => {
    await killedIn('blkdiscard', 1, () => removeVolumes(env, ref), 'kill-before');
    expect(names()).toEqual(['del-g-root', 'del-g-root.2', 'del-g-root.3', 'del-g-swap']);
    await removeVolumes(env, ref);
    expect(names()).toEqual(['del-g-root', 'del-g-root.2']);
  });

  test('is not taken for the guest’s own when that comes back', async () => {
    await setAsideVolumes(env, ref);
    await setAsideVolumes(env, ref);
    expect(names()).toEqual(['del-g-root', 'del-g-root.2', 'del-g-root.3', 'del-g-swap']);
    await bringBackVolumes(env, ref);
    await bringBackVolumes(env, ref);
    expect(names()).toEqual(['del-g-root', 'del-g-root.2', 'g-root', 'g-swap']);
  });

  test('of the same order makes it unclear which one is meant', async () => {
    await volume('del-g-swap', GiB);
    await setAsideVolumes(env, ref);
    await expect(bringBackVolumes(env, ref)).rejects.toMatchObject({
      retryable: false,
      message: /several volumes that were g-swap: vg01\/del-g-swap, vg01\/del-g-swap\.2/,
    });
    expect(names()).toContain('del-g-root.3');
  });
});
