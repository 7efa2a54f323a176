import { describe, expect, it } from 'vitest';
import { parseWipefs, whyNotEmpty, type BlockRow } from '../../../prepare/devices.ts';
import { volumeGroup } from '../../../prepare/volume-group.ts';
import { scriptedHost, type Answer } from '../scripted-host.ts';

const GiB = 2 ** 30;
const empty: BlockRow = { path: '/dev/sdb', type: 'disk', size: 20 * GiB, ro: false, fstype: null, pttype: null, mountpoints: [null] };
const part = (more: Partial<BlockRow>): BlockRow => ({ ...empty, path: '/dev/sdb1', type: 'part', ...more });

describe('a device for a volume group', () => {
  it('holds nothing', () => expect(whyNotEmpty(empty, [], [])).toBeUndefined());

  it.each<[string, Partial<BlockRow>, { type: string; offset: string }[], string[], RegExp]>([
    ['a partition table', { pttype: 'gpt' }, [], [], /partition table \(gpt\)/],
    ['a partition table that only wipefs sees', {}, [{ type: 'dos', offset: '0x1fe' }], [], /signature of dos at 0x1fe/],
    ['a partition', { children: [part({})] }, [], [], /it holds \/dev\/sdb1 \(part\)/],
    ['the root file system', { children: [part({ mountpoints: ['/'] })] }, [], [], /root file system/],
    ['a mount', { mountpoints: ['/srv'] }, [], [], /mounted at \/srv/],
    ['swap', { mountpoints: ['[SWAP]'] }, [], [], /swap/],
    ['a file system', { fstype: 'ext4' }, [], [], /holds ext4/],
    ['a member of RAID', {}, [{ type: 'linux_raid_member', offset: '0x1000' }], [], /linux_raid_member/],
    ['another group’s volume', {}, [{ type: 'LVM2_member', offset: '0x218' }], [], /LVM2_member/],
    ['a mapped device upon it', {}, [], ['dm-0'], /held by dm-0/],
    ['read-only', { ro: true }, [], [], /read-only/],
    ['a volume of LVM', { type: 'lvm' }, [], [], /of the type lvm/],
    ['an optical drive', { type: 'rom' }, [], [], /of the type rom/],
    ['too small', { size: GiB }, [], [], /too small/],
  ])('%s is refused', (_what, more, signatures, holders, reason) => {
    expect(whyNotEmpty({ ...empty, ...more }, signatures, holders)).toMatch(reason);
  });

  it('wipefs prints nothing for a device without signatures', () => expect(parseWipefs('')).toEqual([]));
});

/** A host with the empty disks sdb and sdc, and LVM as far as prepare asks it. */
function host(fails: (command: string) => boolean = () => false) {
  const volumes = new Map<string, string>();
  const answer = (command: string): Answer | undefined => {
    const [tool, ...args] = command.split(' ');
    const device = args.at(-1) ?? '';
    if (fails(command)) return { code: 5, stderr: 'no luck' };
    if (tool === 'realpath') return { stdout: `${device.replace('/dev/disk/by-id/one', '/dev/sdb')}\n` };
    if (tool === 'lsblk') return { stdout: JSON.stringify({ blockdevices: [{ ...empty, path: device }] }) };
    if (tool === 'wipefs')
      return volumes.has(device) ? { stdout: JSON.stringify({ signatures: [{ type: 'LVM2_member', offset: '0x218' }] }) } : {};
    if (tool === 'pvs')
      return { stdout: JSON.stringify({ report: [{ pv: [...volumes].map(([pv_name, vg_name]) => ({ pv_name, vg_name })) }] }) };
    if (tool === 'pvcreate') volumes.set(device, '');
    if (tool === 'pvremove') volumes.delete(device);
    if (tool === 'vgcreate') for (const name of args.slice(2)) volumes.set(name, args[1] ?? '');
    if (tool === 'vgremove') for (const name of volumes.keys()) volumes.set(name, '');
    return undefined;
  };
  return { ...scriptedHost(answer), volumes };
}
const wishes = { volumeGroup: { name: 'vg01', devices: ['/dev/disk/by-id/one', '/dev/sdc'] }, confirm: 'login' } as const;

async function run(its: ReturnType<typeof host>) {
  const undos: (() => Promise<void>)[] = [];
  const failure: unknown = await volumeGroup
    .do({ host: its, wishes, signal: new AbortController().signal, emit: () => undefined, onUndo: (_what, undo) => undos.push(undo) })
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  return { undos: undos.reverse(), failure };
}

describe('the volume group', () => {
  it('is made once, on the devices behind the names, without forcing anything', async () => {
    const its = host();
    expect((await volumeGroup.look({ host: its, wishes })).changes).toEqual([
      'pvcreate /dev/sdb (20 GiB, holds nothing)',
      'pvcreate /dev/sdc (20 GiB, holds nothing)',
      'vgcreate vg01 /dev/sdb /dev/sdc',
    ]);
    expect(its.calls.filter((call) => /^(pv|vg)(create|remove)/.test(call))).toEqual([]);
    expect((await run(its)).failure).toBeUndefined();
    expect(await volumeGroup.look({ host: its, wishes })).toMatchObject({ state: 'there' });
    expect(its.calls.filter((call) => /^(pv|vg)create/.test(call))).toEqual([
      'pvcreate -- /dev/sdb',
      'pvcreate -- /dev/sdc',
      'vgcreate -- vg01 /dev/sdb /dev/sdc',
    ]);
  });

  it.each(['pvcreate -- /dev/sdb', 'pvcreate -- /dev/sdc', 'vgcreate -- vg01'])(
    'when %s fails, the undos leave the devices as they were',
    async (at) => {
      const its = host((command) => command.startsWith(at));
      const { undos, failure } = await run(its);
      expect(failure).toBeInstanceOf(Error);
      for (const undo of undos) await undo();
      expect([...its.volumes]).toEqual([]);
      expect(await its.files.info('/var/lib/guestflow/prepare-volumes.json')).toBeUndefined();
    },
  );

  it('goes on with what a killed run has begun', async () => {
    const its = host();
    its.volumes.set('/dev/sdb', '');
    await its.files.makeDirectory('/var/lib/guestflow');
    await its.files.writeAtomic('/var/lib/guestflow/prepare-volumes.json', '["/dev/sdb","/dev/sdc"]');
    expect((await run(its)).failure).toBeUndefined();
    expect([...its.volumes.values()]).toEqual(['vg01', 'vg01']);
  });

  it('a physical volume that nobody of ours has begun is refused', async () => {
    const its = host();
    its.volumes.set('/dev/sdb', '');
    await expect(volumeGroup.look({ host: its, wishes })).rejects.toMatchObject({
      type: 'NotOurs',
      details: { value: '/dev/disk/by-id/one' },
    });
  });

  it('a group of that name on another device is refused, not extended', async () => {
    const its = host();
    its.volumes.set('/dev/sdz', 'vg01');
    await expect(volumeGroup.look({ host: its, wishes })).rejects.toThrow(/vg01 is there already, on \/dev\/sdz/);
  });

  it('a device that is named twice, by different names, is refused', async () => {
    const twice = { ...wishes, volumeGroup: { name: 'vg01', devices: ['/dev/disk/by-id/one', '/dev/sdb'] } };
    await expect(volumeGroup.look({ host: host(), wishes: twice })).rejects.toThrow(/named twice/);
  });
});
