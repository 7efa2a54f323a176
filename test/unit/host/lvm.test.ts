import { describe, expect, it } from 'vitest';
import {
  createSnapshot,
  createVolume,
  devicePath,
  listVolumes,
  parseVolumeGroup,
  parseVolumes,
  removeVolume,
  tagVolume,
  volumeGroup,
  zeroVolume,
} from '../../../activities/host/lvm.ts';
import { recorded, scriptedHost, type Answer } from './scripted-host.ts';

describe('reports', () => {
  it('of a volume group are read as LVM prints them', () => {
    expect(parseVolumeGroup(recorded('vgs'))).toEqual({
      name: 'vg01',
      sizeBytes: 25_765_609_472,
      freeBytes: 25_765_609_472,
      extentBytes: 4_194_304,
    });
  });

  it('of volumes tell a good snapshot, and call no origin invalid', () => {
    expect(parseVolumes(recorded('lvs'))).toEqual([
      { name: 'rec-backup', bytes: 4_194_304, tags: ['guestflow'], origin: 'rec-root', dataPercent: 0, invalid: false, open: false },
      { name: 'rec-root', bytes: 8_388_608, tags: ['guestflow', 'order.1'], invalid: false, open: false },
    ]);
    expect(parseVolumes(recorded('lvs-empty'))).toEqual([]);
  });

  it('of volumes tell a snapshot that overflowed', () => {
    const [snapshot, origin] = parseVolumes(recorded('lvs-overflown'));
    expect(snapshot).toMatchObject({ invalid: true, dataPercent: 100 });
    expect(origin).toMatchObject({ invalid: false, open: true });
  });
});

describe('a volume group', () => {
  it('that does not exist is undefined', async () => {
    const host = scriptedHost(() => ({ code: 5, stderr: recorded('vgs-unknown.stderr') }));
    expect(await volumeGroup(host, 'nope')).toBeUndefined();
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
