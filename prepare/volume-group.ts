/** The volume group for guests' disks, on devices that the operator names and that hold nothing. */
import { GuestflowError } from '../contract/errors.ts';
import { formatSize } from '../contract/sizes.ts';
import { checkedVolume } from '../activities/dom0/tools/arguments.ts';
import type { Host } from '../system/host.ts';
import { ToolError } from '../system/run.ts';
import { emptyDevice, findDevice } from './devices.ts';
import { change, notAsked, there, type Finding, type Job, type Verb, type Wishes } from './types.ts';

/** Devices on which a physical volume was begun, of which no group was made yet. */
const BEGUN = '/var/lib/guestflow/prepare-volumes.json';
const LVM_LIMIT_MS = 5 * 60_000;

interface PhysicalVolume {
  readonly path: string;
  /** Empty: it belongs to none. */
  readonly group: string;
}

/** `pvs --reportformat json`. */
export function parsePhysicalVolumes(text: string): PhysicalVolume[] {
  const { report } = JSON.parse(text) as { report: { pv: { pv_name: string; vg_name: string }[] }[] };
  return (report[0]?.pv ?? []).map(({ pv_name, vg_name }) => ({ path: pv_name, group: vg_name }));
}

/** None where LVM is not installed yet. */
async function physicalVolumes(host: Host): Promise<PhysicalVolume[]> {
  try {
    return parsePhysicalVolumes((await host.run('pvs', ['--reportformat', 'json', '--options', 'pv_name,vg_name'])).stdout);
  } catch (error) {
    if (error instanceof ToolError && error.notFound) return [];
    throw error;
  }
}

async function begun(host: Host): Promise<string[]> {
  const text = await host.files.read(BEGUN);
  return text === undefined ? [] : (JSON.parse(text.toString('utf8')) as string[]);
}

interface Found {
  /** All named devices are of the group, and no other is. */
  readonly whole: boolean;
  /** Of devices that hold nothing, or what an earlier run has begun on them. */
  readonly toMake: readonly { readonly path: string; readonly bytes: number; readonly isBegun: boolean }[];
}

async function inspectDevices(host: Host, { name, devices }: NonNullable<Wishes['volumeGroup']>): Promise<Found> {
  checkedVolume('--volume-group', name);
  const volumes = await physicalVolumes(host);
  const ours = await begun(host);
  const toMake: { path: string; bytes: number; isBegun: boolean }[] = [];
  const inGroup: string[] = [];
  const seen = new Set<string>();
  for (const named of devices) {
    const { device } = await findDevice(host, named);
    if (seen.has(device.path))
      throw new GuestflowError('InvalidInput', `device ${named} is named twice`, { field: '--volume-group', value: named });
    seen.add(device.path);
    const volume = volumes.find(({ path }) => path === device.path);
    if (volume?.group === name) inGroup.push(device.path);
    else if (volume?.group === '' && ours.includes(device.path)) toMake.push({ ...device, isBegun: true });
    else toMake.push({ ...(await emptyDevice(host, named)), isBegun: false });
  }
  const members = volumes.filter(({ group }) => group === name).map(({ path }) => path);
  const others = members.filter((path) => !seen.has(path));
  if (others.length > 0 || (members.length > 0 && toMake.length > 0))
    throw new GuestflowError('NotOurs', `volume group ${name} is there already, on ${members.join(', ')}`, {
      field: '--volume-group',
      value: name,
      mend: `leave --volume-group out, or extend the group yourself (vgextend ${name} DEVICE), or choose another name`,
    });
  return { whole: inGroup.length === devices.length, toMake };
}

async function look({ host, wishes }: Pick<Job, 'host' | 'wishes'>): Promise<Finding> {
  const wish = wishes.volumeGroup;
  if (wish === undefined) return notAsked('no --volume-group');
  const { whole, toMake } = await inspectDevices(host, wish);
  if (whole) return there(`${wish.name} on ${wish.devices.join(', ')}`);
  return change(`no volume group ${wish.name}`, [
    ...toMake.map(
      ({ path, bytes, isBegun }) => `pvcreate ${path} (${formatSize(bytes)}, ${isBegun ? 'begun by an earlier run' : 'holds nothing'})`,
    ),
    `vgcreate ${wish.name} ${toMake.map(({ path }) => path).join(' ')}`,
  ]);
}

async function make({ host, wishes, onUndo }: Job): Promise<void> {
  const wish = wishes.volumeGroup;
  if (wish === undefined) return;
  const { toMake } = await inspectDevices(host, wish);
  const paths = toMake.map(({ path }) => path);
  await host.files.makeDirectory('/var/lib/guestflow', 0o700);
  onUndo('forget the volumes that were begun', () => host.files.remove(BEGUN));
  await host.files.writeAtomic(BEGUN, JSON.stringify(paths));
  const options = { timeoutMs: LVM_LIMIT_MS };
  for (const { path, isBegun } of toMake) {
    onUndo(`remove the physical volume on ${path}`, () => removePhysical(host, path));
    // Without --yes: if a signature has come up since the look, it asks, and fails because nobody answers.
    if (!isBegun) await host.run('pvcreate', ['--', path], options);
  }
  onUndo(`remove volume group ${wish.name}`, () => removeGroup(host, wish.name));
  await host.run('vgcreate', ['--', wish.name, ...paths], options);
  await host.files.remove(BEGUN);
}

async function removePhysical(host: Host, path: string): Promise<void> {
  if ((await physicalVolumes(host)).some((volume) => volume.path === path && volume.group === ''))
    await host.run('pvremove', ['--', path], { timeoutMs: LVM_LIMIT_MS });
}

/** Fails when somebody has made volumes in it meanwhile. */
async function removeGroup(host: Host, name: string): Promise<void> {
  if ((await physicalVolumes(host)).some(({ group }) => group === name))
    await host.run('vgremove', ['--', name], { timeoutMs: LVM_LIMIT_MS });
}

export const volumeGroup: Verb = { name: 'volume group', look, do: make };
