/** The driver `file`: a guest's disks are files in one directory of dom0, which take all of their room at once. */
import type { PoolFacts } from '../../../../contract/capacity.ts';
import type { PreflightRow } from '../../../../contract/dom0.ts';
import type { SpareRole } from '../../../../contract/guest.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { Ref } from '../../marks.ts';
import { missing, ok, warning } from '../../preflight-rows.ts';
import type { Work } from '../../work.ts';
import type { Disk, DiskRole, NewDisk, SideRole, Snapshot, Storage } from '../port.ts';
import { mendDirectory, whyNoDirectory } from './directory.ts';
import { growDiskFile, growFileInUse, makeDisk, settleDiskFile, shrinkDiskFile } from './make.ts';
import { diskName, disksIn, fileOf, inWholeMiB, mustOwnDisk, refOf, type DiskUser, type Place } from './place.ts';
import { bringDisksBack, exchangeDisks, releaseDisks, ROLES, setDisksAside } from './release.ts';
import { roomOf } from './room.ts';
import { dropSnapshot, mustBeSound, takeSnapshot } from './snapshots.ts';

const ROW = 'disk directory';

export class DiskFiles implements Storage {
  private readonly place: Place;

  /** @param user whoever writes to the guests' disks */
  constructor(work: Work, directory: string, user: DiskUser) {
    this.place = { ...work, directory, user };
  }

  get pool(): string {
    return this.place.directory;
  }

  async facts(): Promise<PoolFacts | undefined> {
    return (await whyNoDirectory(this.place)) === undefined ? await roomOf(this.place) : undefined;
  }

  async preflight(): Promise<PreflightRow> {
    const { host, settings, directory } = this.place;
    const why = await whyNoDirectory(this.place);
    if (why !== undefined) return missing(ROW, why, mendDirectory(directory, settings));
    if (((await host.files.info(directory))?.mode ?? 0) % 0o100 !== 0)
      return missing(ROW, `${directory} is open to others than root`, `chmod 0700 ${directory}`);
    const { freeBytes, sizeBytes } = await roomOf(this.place);
    const fill = `${directory}, ${formatSize(freeBytes)} of ${formatSize(sizeBytes)} free`;
    if (settings.policy.oversell.disk <= 1) return ok(ROW, fill);
    const found = `${fill}; policy.oversell.disk sells it more than once, and each disk takes all of its room at once`;
    return warning(ROW, found, 'set policy.oversell.disk to 1 in /etc/guestflow/dom0.yaml');
  }

  async list(): Promise<Disk[]> {
    return await disksIn(this.place);
  }

  names(guest: string): readonly string[] {
    return ROLES.map((role) => diskName(guest, role));
  }

  device(guest: string, role: DiskRole): string {
    return fileOf(this.place, diskName(guest, role));
  }

  attachment(guest: string, role: DiskRole): string {
    return `file:${this.device(guest, role)}`;
  }

  async find(ref: Ref, role: DiskRole): Promise<Disk> {
    return mustOwnDisk(this.place, ref, role, await disksIn(this.place));
  }

  async ensure(ref: Ref, disk: NewDisk): Promise<void> {
    await makeDisk(this.place, ref, disk);
  }

  roundUp(bytes: number): Promise<number> {
    return Promise.resolve(inWholeMiB(bytes));
  }

  async grow(disk: Disk, bytes: number): Promise<void> {
    await growDiskFile(this.place, disk, bytes);
  }

  async growInUse(ref: Ref, bytes: number): Promise<void> {
    await growFileInUse(this.place, ref, bytes);
  }

  async finishGrowing(disk: Disk): Promise<void> {
    await settleDiskFile(this.place, disk);
  }

  async shrink(disk: Disk, bytes: number): Promise<void> {
    await shrinkDiskFile(this.place, disk, bytes);
  }

  async settle(disk: Disk): Promise<void> {
    await settleDiskFile(this.place, disk);
  }

  async snapshot(ref: Ref): Promise<Snapshot> {
    return await takeSnapshot(this.place, ref);
  }

  async mustBeSound(snapshot: Snapshot): Promise<void> {
    await mustBeSound(this.place, snapshot);
  }

  async dropSnapshot(ref: Ref): Promise<void> {
    await dropSnapshot(this.place, ref);
  }

  async wake(): Promise<void> {
    for (const { mark } of await disksIn(this.place)) if (mark?.stopped !== undefined) await dropSnapshot(this.place, refOf(mark.owner));
  }

  /** Nothing of somebody else's goes with a file. */
  mustBeReleasable(): Promise<void> {
    return Promise.resolve();
  }

  async setAside(ref: Ref, roles: readonly DiskRole[]): Promise<void> {
    await setDisksAside(this.place, ref, roles);
  }

  async bringBack(ref: Ref, roles: readonly DiskRole[]): Promise<void> {
    await bringDisksBack(this.place, ref, roles);
  }

  async exchange(ref: Ref, spare: SpareRole): Promise<void> {
    await dropSnapshot(this.place, ref);
    await exchangeDisks(this.place, ref, spare);
  }

  async release(ref: Ref, role?: SideRole): Promise<void> {
    await releaseDisks(this.place, ref, role);
  }
}
