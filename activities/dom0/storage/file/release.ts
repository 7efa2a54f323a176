/** Removes a guest's disks, sets them aside and brings them back, and puts one in the place of another: all by renames of their directories. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { SpareRole } from '../../../../contract/guest.ts';
import { isOwner, mustOwn, type Ref } from '../../marks.ts';
import { removeMarkedDirectory, stagingIn } from '../../staging.ts';
import type { DiskRole, SideRole } from '../port.ts';
import { hasReleasedName, isReleasedName, releasedName } from '../released.ts';
import { closedDisks, directoryOf, diskName, disksIn, fileOf, mustOwnDisk, named, type FileDisk, type Place } from './place.ts';
import { writeMark } from './record.ts';

/** All names that disks of a guest have. */
export const ROLES = ['root', 'swap', 'restored', 'former', 'trial', 'trialswap', 'rescue', 'growth', 'backup'] as const;

const OTHER: Readonly<Record<SpareRole, SpareRole>> = { restored: 'former', former: 'restored' };

async function renameDisk(place: Place, from: string, to: string): Promise<void> {
  await place.host.files.rename(directoryOf(place, from), directoryOf(place, to));
}

/** Removes one disk that is the guest's: its file, then its directory, which loses its name before its mark. */
export async function removeDisk(place: Place, ref: Ref, name: string): Promise<void> {
  const { files } = place.host;
  await files.remove(fileOf(place, name));
  await removeMarkedDirectory(files, directoryOf(place, name), ref);
}

/**
 * Gives disks back: renames all of them first, which frees their names, then removes each. Nothing is wiped. The blocks go to the file system of dom0, which
 * gives none to another file without zeros in it; only root of dom0, who reads the device beneath, could see what lay there.
 */
export async function releaseDisks(place: Place, ref: Ref, role?: SideRole): Promise<void> {
  const { files } = place.host;
  const own = (role === undefined ? ROLES : [role]).map((each) => diskName(ref.name, each));
  const all = await disksIn(place);
  const isMeant = (disk: FileDisk): boolean =>
    isOwner(disk.owner, ref) && (role === undefined || own.some((name) => disk.name === name || hasReleasedName(disk, name)));
  const going: string[] = [];
  for (const { name } of await closedDisks(place, isMeant)) {
    const to = isReleasedName(name) ? name : releasedName(name, all);
    if (to !== name) await renameDisk(place, name, to);
    going.push(to);
  }
  for (const name of going) {
    // Looked at again, since the removal of the disk before may have taken a while.
    await closedDisks(place, (disk) => disk.name === name);
    // Marked before its file goes: from then on the disk cannot be brought back.
    await writeMark(files, directoryOf(place, name), ref, { isGoing: true });
    await removeDisk(place, ref, name);
  }
  await removeLeft(place, own);
}

/** Removes what a killed removal of disks of these names has left: their directories, without their files. */
export async function removeLeft({ host: { files }, directory }: Place, own: readonly string[]): Promise<void> {
  const staging = stagingIn(directory);
  for (const name of await files.list(staging))
    if (own.some((each) => name === each || hasReleasedName({ name }, each))) await files.removeTree(`${staging}/${name}`);
}

/** Renames the guest's disks, so that nothing finds them by their names. Their data stays. */
export async function setDisksAside(place: Place, ref: Ref, roles: readonly DiskRole[]): Promise<void> {
  const all = await disksIn(place);
  const own = all.filter(({ owner }) => isOwner(owner, ref));
  for (const name of roles.map((role) => diskName(ref.name, role))) {
    if (named(name, own) !== undefined) await renameDisk(place, name, releasedName(name, all));
    else if (!own.some((disk) => hasReleasedName(disk, name))) throw noDisk(place, ref, name);
  }
}

/** Undo of `setDisksAside`. A disk whose removal has begun cannot be brought back. */
export async function bringDisksBack(place: Place, ref: Ref, roles: readonly DiskRole[]): Promise<void> {
  const own = (await disksIn(place)).filter(({ owner }) => isOwner(owner, ref));
  // All disks are looked at before any is renamed.
  const found = roles.map((role) => diskName(ref.name, role)).map((name) => [name, oneToBringBack(place, ref, name, own)] as const);
  for (const [name, disk] of found) if (disk.name !== name) await renameDisk(place, disk.name, name);
}

function oneToBringBack(place: Place, ref: Ref, name: string, own: readonly FileDisk[]): FileDisk {
  const back = named(name, own);
  const meant = back === undefined ? own.filter((disk) => hasReleasedName(disk, name)) : [back];
  const [disk, ...more] = meant;
  if (disk === undefined) throw noDisk(place, ref, name);
  const all = meant.map(({ where }) => where).join(', ');
  if (meant.some(({ state }) => state === 'wiping'))
    throw new GuestflowError('NotFound', `${ref.name} cannot be taken back: the removal of ${all} has begun; nothing was renamed`);
  if (more.length === 0) return disk;
  const message = `${ref.name} has several disks that were ${name}: ${all}; remove the wrong ones, then try again`;
  throw new GuestflowError('ToolFailed', message, {}, false);
}

function noDisk(place: Place, ref: Ref, name: string): GuestflowError {
  return new GuestflowError('NotFound', `${ref.name} has no disk ${directoryOf(place, name)}, released or not: nothing was renamed`);
}

/** Puts a spare disk in the place of the root disk, by two renames. Each state that a kill can leave in between is gone on from. */
export async function exchangeDisks(place: Place, ref: Ref, spare: SpareRole): Promise<void> {
  const [root, coming, going] = [diskName(ref.name, 'root'), diskName(ref.name, spare), diskName(ref.name, OTHER[spare])];
  const all = await disksIn(place);
  if (named(coming, all) === undefined) {
    mustOwnDisk(place, ref, 'root', all);
    return;
  }
  for (const disk of all.filter(({ name }) => name === root || name === coming)) mustOwn(disk.owner, ref, disk.where);
  await closedDisks(place, ({ name }) => [root, coming, going].includes(name));
  // A restore that could not be undone has left the root disk, which is a restored one, beside the former one.
  const to = named(going, all) === undefined ? going : releasedName(diskName(ref.name, 'restored'), all);
  if (named(root, all) !== undefined) await renameDisk(place, root, to);
  await renameDisk(place, coming, root);
}
