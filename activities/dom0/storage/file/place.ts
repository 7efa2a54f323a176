/**
 * What the parts of the file driver share: the directory of the disks, and what lies in it. Each disk is a directory of its own, with its file and its mark:
 * one rename gives both another name.
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import { MiB } from '../../../../contract/sizes.ts';
import { until } from '../../../../system/until.ts';
import { mustOwn, type Owner, type Ref } from '../../marks.ts';
import { listLoopDevices } from '../../tools/loop.ts';
import type { Work } from '../../work.ts';
import type { Disk, DiskRole } from '../port.ts';
import { isReleasedName } from '../released.ts';
import { mendDirectory, whyNoDirectory } from './directory.ts';
import { readMark, type DiskMark } from './record.ts';

/** Whoever writes to a guest's disk, as far as they can be stopped while it is copied. */
export interface DiskUser {
  /** Who uses it, as a word by which they are found again, and whether they stand still already. Undefined: nobody. */
  find(ref: Ref): Promise<{ readonly who: string; readonly isStill: boolean } | undefined>;
  /** Returns when nothing more is written. @throws ToolFailed when they do not stand still, or have gone */
  stop(ref: Ref, who: string): Promise<void>;
  /** Undo of `stop`. It does nothing if they are not there any more, or do not stand still. */
  goOn(ref: Ref, who: string): Promise<void>;
}

/** The directory of the disks, and the work that is done in it. */
export interface Place extends Work {
  readonly directory: string;
  readonly user: DiskUser;
}

/** A disk that is a file, or what somebody else keeps in the directory. */
export interface FileDisk extends Disk {
  /** Its own directory. */
  readonly directory: string;
  /** Undefined: it is somebody else's. */
  readonly mark: DiskMark | undefined;
  /** What its file system has given it. */
  readonly allocatedBytes: number;
}

/** Names of these things are no disks: an ext4 file system has the one, guestflow's staging directory is the other. */
const NO_DISKS = ['lost+found', '.guestflow'];
const OPEN_LIMIT_MS = 5_000;
const OPEN_PAUSE_MS = 500;

export function diskName(guest: string, role: DiskRole | 'backup'): string {
  return `${guest}-${role}`;
}

/** Whether a disk is a copy that a backup is read from. */
export function isCopy({ name, owner }: Pick<Disk, 'name' | 'owner'>): boolean {
  return owner !== undefined && name === diskName(owner.guest, 'backup');
}

export function directoryOf({ directory }: Pick<Place, 'directory'>, name: string): string {
  return `${directory}/${name}`;
}

/** The file of a disk. */
export function fileOf(place: Pick<Place, 'directory'>, name: string): string {
  return `${directoryOf(place, name)}/disk.img`;
}

/** Sizes are whole MiB: a kernel takes whole sectors of a file only, an ext4 whole blocks. */
export function inWholeMiB(bytes: number): number {
  return Math.ceil(bytes / MiB) * MiB;
}

async function mustBeThere(place: Place): Promise<void> {
  const why = await whyNoDirectory(place);
  if (why === undefined) return;
  throw new GuestflowError('HostNotReady', `the directory of the guests' disks cannot be used on ${place.settings.host}: ${why}`, {
    field: 'diskDir',
    mend: mendDirectory(place.directory, place.settings),
  });
}

/** All that lies in the directory. @throws HostNotReady when it is not there: it may be on a file system that is not mounted */
export async function disksIn(place: Place): Promise<FileDisk[]> {
  const { host, directory } = place;
  await mustBeThere(place);
  const open = new Set((await listLoopDevices(host)).map(({ file }) => file));
  const found: FileDisk[] = [];
  for (const name of (await host.files.list(directory)).sort()) {
    const disk = NO_DISKS.includes(name) ? undefined : await lookAt(place, name, open);
    if (disk !== undefined) found.push(disk);
  }
  return found;
}

/** Undefined: it has gone meanwhile. */
async function lookAt(place: Place, name: string, open: ReadonlySet<string>): Promise<FileDisk | undefined> {
  const { files } = place.host;
  const at = directoryOf(place, name);
  const info = await files.info(at);
  if (info === undefined) return undefined;
  const mark = info.kind === 'directory' ? await readMark(files, at) : undefined;
  const device = fileOf(place, name);
  const file = mark === undefined ? info : await files.info(device);
  const allocatedBytes = file?.kind === 'file' ? file.allocatedBytes : 0;
  const owner = mark?.owner;
  // A copy grows no more; what is somebody else's counts with what it has.
  const bytes = file?.kind !== 'file' ? 0 : owner === undefined || isCopy({ name, owner }) ? allocatedBytes : file.bytes;
  return {
    ...{ name, owner, bytes, allocatedBytes, device, mark },
    where: mark === undefined ? at : `disk ${at}`,
    directory: at,
    pool: place.directory,
    state: stateOf(name, mark, file?.kind === 'file'),
    open: open.has(device),
    ...(mark?.grownFrom === undefined ? {} : { grownFrom: mark.grownFrom }),
  };
}

function stateOf(name: string, mark: DiskMark | undefined, hasFile: boolean): Disk['state'] {
  if (mark?.isGoing === true) return 'wiping';
  if (mark !== undefined && (mark.isWhole !== true || !hasFile)) return 'unfinished';
  return isReleasedName(name) && mark !== undefined ? 'set aside' : 'whole';
}

/** The disk of this name among these. */
export function named(name: string, disks: readonly FileDisk[]): FileDisk | undefined {
  return disks.find((disk) => disk.name === name);
}

/** @throws NotFound, NotOurs */
export function mustOwnDisk(place: Place, ref: Ref, role: DiskRole, disks: readonly FileDisk[]): FileDisk & { readonly mark: DiskMark } {
  const name = diskName(ref.name, role);
  const disk = named(name, disks);
  if (disk === undefined) throw new GuestflowError('NotFound', `${ref.name} has no disk ${directoryOf(place, name)}`);
  mustOwn(disk.owner, ref, disk.where);
  return disk as typeof disk & { readonly mark: DiskMark };
}

/** A mark's owner, as it is written. */
export function refOf({ guest, order }: Owner): Ref {
  return { name: guest, order };
}

/**
 * The disks that are asked for, if none of them is open; else it throws ToolFailed. A domain's backend lets a loop device go a moment after the domain has
 * gone, so it looks again for five seconds.
 */
export async function closedDisks(place: Place, isMeant: (disk: FileDisk) => boolean): Promise<FileDisk[]> {
  let open: string[] = [];
  const look = async (): Promise<FileDisk[] | undefined> => {
    const disks = (await disksIn(place)).filter(isMeant);
    open = disks.filter((disk) => disk.open).map(({ where }) => where);
    return open.length === 0 ? disks : undefined;
  };
  const closed = await until(look, { everyMs: OPEN_PAUSE_MS, limitMs: OPEN_LIMIT_MS });
  if (closed !== undefined) return closed;
  throw new GuestflowError('ToolFailed', `${open.join(', ')} is open: a domain or a mount uses it; it stays as it is until that has ended`);
}
