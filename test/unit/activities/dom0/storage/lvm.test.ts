import { describe, expect, it } from 'vitest';
import {
  activateVolume,
  closedVolumes,
  createSnapshot,
  createVolume,
  devicePath,
  removeVolume,
  tagVolume,
} from '../../../../../activities/dom0/storage/lvm/lvm.ts';
import { zeroVolume } from '../../../../../activities/dom0/storage/lvm/wipe.ts';
import {
  listVolumes,
  parseExtents,
  parseVolumeGroup,
  parseVolumes,
  volumeGroup,
} from '../../../../../activities/dom0/storage/lvm/reports.ts';
import type { Clock } from '../../../../../system/pace.ts';
import { recorded, scriptedHost, type Answer } from '../../../scripted-host.ts';

describe('reports', () => {
  it('of a volume group are read as LVM prints them', () => {
    expect(parseVolumeGroup(recorded('vgs'))).toEqual({
      name: 'vg01',
      sizeBytes: 25_765_609_472,
      freeBytes: 25_765_609_472,
      extentBytes: 4_194_304,
    });
  });

  it('says on which extents a volume lies, all segments of it; what is no range of extents is not believed', () => {
    const report = recorded('lvs-extents');
    expect(parseExtents(report, 'zz-growth')).toEqual(['/dev/loop1:4-5']);
    expect(parseExtents(report, 'zz-root')).toEqual(['/dev/loop1:0-1', '/dev/loop1:6-7']);
    expect(() => parseExtents(report, 'zz')).toThrow(/on which extents volume zz lies: none/);
    expect(() => parseExtents(report.replace('/dev/loop1:4-5', '--alloc'), 'zz-growth')).toThrow(/lies: --alloc/);
  });

  it('of Debian 13, which have a log behind the rows, are read, too', () => {
    expect(parseVolumeGroup(recorded('vgs-trixie'))).toMatchObject({ name: 'vg01', freeBytes: 24_691_867_648 });
    expect(parseVolumes(recorded('lvs-trixie'))).toMatchObject([{ name: 't1-root', bytes: 1_073_741_824, invalid: false, open: false }]);
  });

  it('of volumes tell a good snapshot, and call no origin invalid', () => {
    expect(parseVolumes(recorded('lvs'))).toEqual([
      {
        name: 'rec-backup',
        bytes: 4_194_304,
        tags: ['guestflow'],
        origin: 'rec-root',
        dataPercent: 0,
        invalid: false,
        open: false,
        state: 'active',
      },
      { name: 'rec-root', bytes: 8_388_608, tags: ['guestflow', 'order.1'], invalid: false, open: false, state: 'active' },
    ]);
    expect(parseVolumes(recorded('lvs-empty'))).toEqual([]);
  });

  it('of volumes tell a snapshot that overflowed', () => {
    const [snapshot, origin] = parseVolumes(recorded('lvs-overflown'));
    expect(snapshot).toMatchObject({ invalid: true, dataPercent: 100 });
    expect(origin).toMatchObject({ invalid: false, open: true });
  });
});

describe('the device of a volume', () => {
  const listed = (attributes: string): string =>
    JSON.stringify({ report: [{ lv: [{ lv_name: 'web1-root', lv_size: '4194304', lv_attr: attributes }] }] });

  it.each([
    ['-wi-a-----', 'active'],
    ['swi-I-s---', 'active'],
    ['-wi-------', 'inactive'],
    ['-wi-d-----', 'inactive'],
    ['owi-sos---', 'suspended'],
    ['swi-S-s---', 'suspended'],
  ])('with the attributes %s is %s', (attributes, state) => {
    expect(parseVolumes(listed(attributes))[0]?.state).toBe(state);
  });

  it('is made, or resumed, only when it needs that', async () => {
    const host = scriptedHost(() => ({}));
    for (const state of ['active', 'inactive', 'suspended'] as const) await activateVolume(host, 'vg01', { name: 'web1-root', state });
    expect(host.calls).toEqual(['lvchange -qq -ay vg01/web1-root', 'lvchange -qq --refresh vg01/web1-root']);
  });

  it('that udev has open for a moment is waited for', async () => {
    let looks = 0;
    const host = scriptedHost(() => ({ stdout: listed((looks += 1) === 1 ? '-wi-ao----' : '-wi-a-----') }));
    expect(await closedVolumes(host, 'vg01', () => true)).toMatchObject([{ name: 'web1-root', open: false }]);
    expect(looks).toBe(2);
  });
});

describe('a volume group', () => {
  it('that does not exist is undefined', async () => {
    const host = scriptedHost(() => ({ code: 5, stderr: recorded('vgs-unknown.stderr') }));
    expect(await volumeGroup(host, 'nope')).toBeUndefined();
  });

  it('that does not exist is undefined where LVM says so in its report, and its volumes cannot be listed, in words', async () => {
    const host = scriptedHost(() => ({ code: 5, stdout: recorded('vgs-unknown-trixie') }));
    expect(await volumeGroup(host, 'no-such-group')).toBeUndefined();
    await expect(listVolumes(host, 'no-such-group')).rejects.toMatchObject({
      code: 5,
      message: 'lvs ended with exit code 5:   Volume group "no-such-group" not found\n  Cannot process volume group no-such-group',
    });
  });

  it('that could not be looked at is an error', async () => {
    const host = scriptedHost(() => ({ code: 5, stderr: '  /dev/mapper/control: open failed: Permission denied\n' }));
    await expect(volumeGroup(host, 'vg01')).rejects.toThrow(/exit code 5/);
  });
});

describe('command lines', () => {
  it('give sizes in bytes and a tag each', async () => {
    const host = scriptedHost(() => ({}));
    await createVolume(host, { vg: 'vg01', name: 'web1-root', bytes: 8_388_608, tags: ['guestflow', 'order=o-1'] });
    await createSnapshot(host, { vg: 'vg01', origin: 'web1-root', name: 'web1-backup', bytes: 4_194_304, tags: ['guestflow'] });
    await tagVolume(host, 'vg01', 'web1-root', { add: ['a'], remove: ['b', 'c'] });
    await tagVolume(host, 'vg01', 'web1-root', {});
    expect(host.calls).toEqual([
      'lvcreate -qq -Wy --yes -L 8388608b -n web1-root --addtag guestflow --addtag order=o-1 vg01',
      'lvcreate -qq --yes -s -L 4194304b -n web1-backup --addtag guestflow vg01/web1-root',
      'lvchange -qq --addtag a --deltag b --deltag c vg01/web1-root',
    ]);
  });

  it('are never made of names that could be options, paths or something else', async () => {
    const host = scriptedHost(() => ({}));
    expect(() => devicePath('vg01', '../sda')).toThrow(/volume/);
    expect(() => devicePath('-vg', 'x')).toThrow(/volume group/);
    await expect(createVolume(host, { vg: 'vg01', name: 'x', bytes: 1.5, tags: [] })).rejects.toThrow(/size/);
    await expect(createVolume(host, { vg: 'vg01', name: 'x', bytes: 1, tags: ['a b'] })).rejects.toThrow(/tag/);
    await expect(listVolumes(host, 'a b')).rejects.toThrow(/volume group/);
    expect(host.calls).toEqual([]);
  });
});

describe('removing a volume', () => {
  const list = (...names: string[]): Answer => ({
    stdout: JSON.stringify({ report: [{ lv: names.map((name) => ({ lv_name: name, lv_size: '1', lv_attr: '-wi-a-----' })) }] }),
  });

  it('that is not there is fine, and removes nothing', async () => {
    const host = scriptedHost((command) => (command.startsWith('lvs') ? list('other') : {}));
    await removeVolume(host, 'vg01', 'web1-root');
    expect(host.calls.filter((command) => command.startsWith('lvremove'))).toEqual([]);
  });

  it('is tried again while udev looks at it', async () => {
    let attempts = 0;
    const host = scriptedHost((command) => {
      if (command.startsWith('lvs')) return attempts < 2 ? list('web1-root') : list();
      if (command.startsWith('lvremove') && ++attempts === 1) return { code: 5, stderr: '  Logical volume vg01/web1-root in use.\n' };
      return {};
    });
    await removeVolume(host, 'vg01', 'web1-root');
    expect(attempts).toBe(2);
  });

  it('passes on any other failure at once', async () => {
    const host = scriptedHost((command) =>
      command.startsWith('lvs') ? list('web1-root') : command.startsWith('lvremove') ? { code: 5, stderr: 'no space for metadata' } : {},
    );
    await expect(removeVolume(host, 'vg01', 'web1-root')).rejects.toThrow(/exit code 5/);
    expect(host.calls.filter((command) => command.startsWith('lvremove'))).toHaveLength(1);
  });
});

it('wiping tells how far it is, in the words of the real tool', async () => {
  const done: number[] = [];
  const host = scriptedHost((_, options) => {
    options.onOutput?.(recorded('blkdiscard'), 'stdout');
    return {};
  });
  await zeroVolume(host, '/dev/vg01/del-web1-root', { bytes: 67_108_864, onProgress: (bytes) => done.push(bytes) });
  expect(done).toEqual([67_108_864]);
  expect(host.calls).toEqual(['blkdiscard --zeroout --verbose --step 268435456 /dev/vg01/del-web1-root']);
});

it('wiping says where it may go on once that is on the disk, and goes on there', async () => {
  const GiB = 2 ** 30;
  const host = scriptedHost(() => ({}));
  const reached = (bytes: number): Promise<void> => {
    host.calls.push(`reached ${String(bytes / GiB)}`);
    return Promise.resolve();
  };
  const checkpoint = { everyBytes: 4 * GiB, reached };
  await zeroVolume(host, '/dev/vg01/v', { bytes: 9 * GiB, offset: 0, checkpoint });
  await zeroVolume(host, '/dev/vg01/v', { bytes: 9 * GiB, offset: 4 * GiB, checkpoint });
  await zeroVolume(host, '/dev/vg01/v', { bytes: 4 * GiB, offset: 0, checkpoint });
  const how = 'blkdiscard --zeroout --verbose --step 268435456';
  const second = [
    `${how} --offset ${String(4 * GiB)} --length ${String(4 * GiB)} /dev/vg01/v`,
    'sync -- /dev/vg01/v',
    'reached 8',
    `${how} --offset ${String(8 * GiB)} /dev/vg01/v`,
  ];
  expect(host.calls).toEqual([
    `${how} --offset 0 --length ${String(4 * GiB)} /dev/vg01/v`,
    'sync -- /dev/vg01/v',
    'reached 4',
    ...second,
    ...second,
    `${how} /dev/vg01/v`,
  ]);
});

describe('wiping at a bounded rate', () => {
  const GiB = 2 ** 30;
  const RATE = 200 * 2 ** 20;

  /** A device that zeroes this fast, and time that goes by only when it does, or when somebody rests. */
  function slowHost(bytesPerSecond: number): { host: ReturnType<typeof scriptedHost>; clock: Clock; rests: number[]; now: () => number } {
    const rests: number[] = [];
    let nowMs = 0;
    const host = scriptedHost((command) => {
      const [, at = '0', length] = /--offset (\d+)(?: --length (\d+))?/.exec(command) ?? [];
      nowMs += ((length === undefined ? GiB - Number(at) : Number(length)) / bytesPerSecond) * 1000;
      return {};
    });
    const clock: Clock = {
      nowMs: () => nowMs,
      sleep: (ms, signal) => {
        signal?.throwIfAborted();
        rests.push(ms);
        nowMs += ms;
        return Promise.resolve();
      },
    };
    return { host, clock, rests, now: () => nowMs };
  }

  it('rests after each part, so that no second sees more than the rate, and wipes the whole device without a gap', async () => {
    const { host, clock, rests, now } = slowHost(10 * RATE);
    await zeroVolume(host, '/dev/vg01/v', { bytes: GiB, pace: { bytesPerSecond: RATE, clock } });
    expect(now()).toBeCloseTo((GiB / RATE) * 1000, 3);
    expect(rests.slice(0, -1).every((ms) => Math.abs(ms - 900) < 1)).toBe(true);
    const parts = host.calls.map((command) => /--offset (\d+)(?: --length (\d+))? \/dev/.exec(command)?.slice(1).map(Number));
    expect(parts).toEqual([
      [0, RATE],
      [RATE, RATE],
      [2 * RATE, RATE],
      [3 * RATE, RATE],
      [4 * RATE, RATE],
      [5 * RATE, NaN],
    ]);
  });

  it('never rests where the disks are slower than the rate', async () => {
    const { host, clock, rests } = slowHost(RATE / 2);
    await zeroVolume(host, '/dev/vg01/v', { bytes: GiB, pace: { bytesPerSecond: RATE, clock } });
    expect(rests).toEqual([]);
  });

  it('ends in a rest when it is cancelled', async () => {
    const { host, clock } = slowHost(10 * RATE);
    const cancelled = new AbortController();
    const resting: Clock = {
      ...clock,
      sleep: (ms, signal) => {
        cancelled.abort(new Error('cancelled'));
        return clock.sleep(ms, signal);
      },
    };
    const wiping = zeroVolume(host, '/dev/vg01/v', {
      bytes: GiB,
      pace: { bytesPerSecond: RATE, clock: resting },
      signal: cancelled.signal,
    });
    await expect(wiping).rejects.toThrow('cancelled');
    expect(host.calls).toHaveLength(1);
  });
});
