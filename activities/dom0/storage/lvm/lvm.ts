/** Makes, changes and removes logical volumes and snapshots. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { checkedBytes, checkedTag, checkedVolume } from '../../tools/arguments.ts';
import type { Host } from '../../../../system/host.ts';
import { ToolError } from '../../../../system/run.ts';
import { until } from '../../../../system/until.ts';
import { listVolumes, type Volume } from './reports.ts';

/** What a volume is made of. Bytes are rounded up to whole extents by LVM. */
export interface NewVolume {
  readonly vg: string;
  readonly name: string;
  readonly bytes: number;
  readonly tags: readonly string[];
}

const REMOVE_LIMIT_MS = 10_000;
const REMOVE_PAUSE_MS = 500;
const OPEN_LIMIT_MS = 5_000;
const OPEN_PAUSE_MS = 500;

/** The device of a volume. */
export function devicePath(vg: string, name: string): string {
  return `/dev/${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`;
}

/**
 * The volumes that are asked for, if none of them is open; else it throws ToolFailed.
 *
 * The kernel does not prevent a wipe of an open volume: xen-blkback opens a guest's disk without excluding others, and only lvremove would refuse, after
 * the wipe. udev opens devices for a moment, so it looks again for five seconds.
 */
export async function closedVolumes(host: Host, vg: string, isMeant: (volume: Volume) => boolean): Promise<Volume[]> {
  let open: string[] = [];
  const look = async (): Promise<Volume[] | undefined> => {
    const volumes = (await listVolumes(host, vg)).filter(isMeant);
    open = volumes.filter((volume) => volume.open).map(({ name }) => `${vg}/${name}`);
    return open.length === 0 ? volumes : undefined;
  };
  const closed = await until(look, { everyMs: OPEN_PAUSE_MS, limitMs: OPEN_LIMIT_MS });
  if (closed !== undefined) return closed;
  throw new GuestflowError(
    'ToolFailed',
    `${open.join(', ')} is open: a domain, a mount or a tool uses it; it stays as it is until that has ended`,
  );
}

/**
 * Makes sure that a volume has a device that answers. LVM's tools change metadata and device one after the other: lvcreate makes the device last,
 * lvremove removes it first, and a snapshot suspends its origin in between. If a tool is killed there, the next attempt repairs it by this.
 */
export async function activateVolume(host: Host, vg: string, { name, state }: Pick<Volume, 'name' | 'state'>): Promise<void> {
  if (state === 'active') return;
  const place = `${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`;
  await host.run('lvchange', ['-qq', state === 'suspended' ? '--refresh' : '-ay', place]);
}

function creation({ name, bytes, tags }: NewVolume): string[] {
  return ['-L', `${String(checkedBytes('size', bytes))}b`, ...named(name, tags)];
}

function named(name: string, tags: readonly string[]): string[] {
  return ['-n', checkedVolume('volume', name), ...tags.flatMap((tag) => ['--addtag', checkedTag(tag)])];
}

/** Makes a volume. Old signatures at its start are wiped; the rest of its content is not: see `zeroVolume`. */
export async function createVolume(host: Host, volume: NewVolume): Promise<void> {
  await host.run('lvcreate', ['-qq', '-Wy', '--yes', ...creation(volume), checkedVolume('volume group', volume.vg)]);
}

/** Makes a volume in a thin pool. It takes room as it is written to, and reads as zeros where it was not, if the pool zeroes what it gives out. */
export async function createThinVolume(host: Host, { vg, name, bytes, tags }: NewVolume, thinPool: string): Promise<void> {
  const size = `${String(checkedBytes('size', bytes))}b`;
  const place = `${checkedVolume('volume group', vg)}/${checkedVolume('thin pool', thinPool)}`;
  await host.run('lvcreate', ['-qq', '--yes', '-V', size, '-T', place, ...named(name, tags)]);
}

/** Makes a writable snapshot of a volume of a thin pool, in the same pool. It is a volume like any other: it outlives its origin, and does not overflow. */
export async function createThinSnapshot(
  host: Host,
  { vg, name, tags, origin }: Omit<NewVolume, 'bytes'> & { readonly origin: string },
): Promise<void> {
  const source = `${checkedVolume('volume group', vg)}/${checkedVolume('origin', origin)}`;
  // Without -kn LVM leaves it out when it activates volumes at the start of the dom0.
  await host.run('lvcreate', ['-qq', '--yes', '-kn', '-ay', '-s', ...named(name, tags), source]);
}

/** Makes a writable snapshot of `origin`; `bytes` is what may change on either until it overflows. */
export async function createSnapshot(host: Host, snapshot: NewVolume & { readonly origin: string }): Promise<void> {
  const source = `${checkedVolume('volume group', snapshot.vg)}/${checkedVolume('origin', snapshot.origin)}`;
  await host.run('lvcreate', ['-qq', '--yes', '-s', ...creation(snapshot), source]);
}

export async function renameVolume(host: Host, vg: string, from: string, to: string): Promise<void> {
  await host.run('lvrename', ['-qq', checkedVolume('volume group', vg), checkedVolume('volume', from), checkedVolume('volume', to)]);
}

/** Changes a volume's tags in one step. It is no error if a tag to add exists, or one to remove does not. */
export async function tagVolume(
  host: Host,
  vg: string,
  name: string,
  tags: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
): Promise<void> {
  const options = [
    ...(tags.add ?? []).flatMap((tag) => ['--addtag', checkedTag(tag)]),
    ...(tags.remove ?? []).flatMap((tag) => ['--deltag', checkedTag(tag)]),
  ];
  if (options.length === 0) return;
  await host.run('lvchange', ['-qq', ...options, `${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`]);
}

/**
 * Grows a volume to `bytes`. LVM refuses a size that is not larger.
 *
 * @param extents it takes these, and no others: LVM refuses when one of them is not free. Default: any that are free.
 */
export async function extendVolume(host: Host, vg: string, name: string, bytes: number, extents: readonly string[] = []): Promise<void> {
  const size = `${String(checkedBytes('size', bytes))}b`;
  const volume = `${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`;
  await host.run('lvextend', ['-qq', '-L', size, volume, ...extents]);
}

/** Takes space off a volume's end. What is there must have been moved and wiped before. */
export async function reduceVolume(host: Host, vg: string, name: string, bytes: number): Promise<void> {
  const size = `${String(checkedBytes('size', bytes))}b`;
  await host.run('lvreduce', ['-qq', '--yes', '-L', size, `${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`]);
}

/**
 * Removes a volume, without wiping its content. If there is none of that name, it does nothing.
 *
 * udev opens a device for a moment after it was closed, and lvremove then says that it is in use: so it tries again for ten seconds.
 */
export async function removeVolume(host: Host, vg: string, name: string): Promise<void> {
  const device = devicePath(vg, name);
  const deviceStays = new GuestflowError('ToolFailed', `volume ${vg}/${name} was removed, but its device ${device} is still there`);
  let reason: Error = deviceStays;
  const isListed = async (): Promise<boolean> => {
    await host.run('udevadm', ['settle', '--timeout=10'], { okCodes: [0, 1], timeoutMs: 30_000 });
    return (await listVolumes(host, vg)).some((volume) => volume.name === name);
  };
  const isRemoved = async (): Promise<boolean> => {
    try {
      if (await isListed()) await host.run('lvremove', ['-qq', '--yes', `${vg}/${name}`]);
      else return true;
    } catch (error) {
      if (!(error instanceof ToolError) || !/in use|contains a filesystem/i.test(error.stderr)) throw error;
      reason = error;
      return false;
    }
    reason = deviceStays;
    return !(await isListed());
  };
  const isGone = async (): Promise<boolean> => (await isRemoved()) && (await host.files.info(device)) === undefined;
  if (!(await until(isGone, { everyMs: REMOVE_PAUSE_MS, limitMs: REMOVE_LIMIT_MS }))) throw reason;
}
