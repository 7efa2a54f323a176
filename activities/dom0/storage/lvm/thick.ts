/** The driver `lvm-thick`: a guest's disks are logical volumes of one volume group, which take all of their room at once. */
import type { PoolFacts } from '../../../../contract/capacity.ts';
import type { PreflightRow } from '../../../../contract/dom0.ts';
import type { SpareRole } from '../../../../contract/guest.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { Ref } from '../../marks.ts';
import { missing, ok, warning } from '../../preflight-rows.ts';
import type { Work } from '../../work.ts';
import type { Disk, DiskRole, NewDisk, SideRole, Snapshot, Storage } from '../port.ts';
import { exchangeVolumes } from './exchange.ts';
import { growVolume, inExtents, settleVolume, shrinkVolume, wipeGrown } from './grow.ts';
import { growInUse } from './grow-in-use.ts';
import { activateVolume, devicePath } from './lvm.ts';
import { volumeGroup } from './reports.ts';
import { makeVolume } from './make.ts';
import { diskOf, mustOwnVolume, poolNameOf, volumeName, volumesIn, type Pool } from './pool.ts';
import { releaseVolumes } from './release.ts';
import { setAsideVolumes, bringBackVolumes } from './set-aside.ts';
import { dropSnapshot, mustBeSound, mustHaveOwnSnapshotsOnly, takeSnapshot } from './snapshots.ts';
import { volumeOwner } from './tags.ts';

const ROW = 'volume group';

export class LvmThick implements Storage {
  protected readonly group: Pool;

  constructor(work: Work) {
    this.group = { ...work, vg: work.settings.volumeGroup, thinPool: work.settings.thinPool };
  }

  private get vg(): string {
    return this.group.vg;
  }

  get pool(): string {
    return poolNameOf(this.group.vg, this.group.thinPool);
  }

  async facts(): Promise<PoolFacts | undefined> {
    const found = await volumeGroup(this.group.host, this.vg);
    return found === undefined ? undefined : { name: found.name, sizeBytes: found.sizeBytes, freeBytes: found.freeBytes };
  }

  async preflight(): Promise<PreflightRow> {
    const found = await this.facts();
    if (found === undefined)
      return missing(ROW, `no volume group ${this.vg}`, `pvcreate DEVICE && vgcreate ${this.vg} DEVICE (a device that holds nothing)`);
    const fill = `${this.vg}, ${formatSize(found.freeBytes)} of ${formatSize(found.sizeBytes)} free`;
    return this.group.settings.policy.oversell.disk > 1
      ? warning(
          ROW,
          `${fill}; policy.oversell.disk sells it more than once, and each disk takes all of its room at once`,
          'set policy.oversell.disk to 1, or thinPool, in /etc/guestflow/dom0.yaml',
        )
      : ok(ROW, fill);
  }

  async list(): Promise<Disk[]> {
    const { thinPool } = this.group;
    // The thin pool of this dom0 is where disks lie, and is none itself.
    return (await volumesIn(this.group)).filter(({ name }) => name !== thinPool).map((volume) => diskOf(this.vg, volume));
  }

  names(guest: string): readonly string[] {
    const roles = ['root', 'swap', 'restored', 'former', 'trial', 'trialswap', 'rescue', 'growth', 'backup'] as const;
    return roles.map((role) => volumeName(guest, role));
  }

  device(guest: string, role: DiskRole): string {
    return devicePath(this.vg, volumeName(guest, role));
  }

  attachment(guest: string, role: DiskRole): string {
    return `phy:${this.device(guest, role)}`;
  }

  async find(ref: Ref, role: DiskRole): Promise<Disk> {
    return diskOf(this.vg, mustOwnVolume(this.vg, ref, role, await volumesIn(this.group)));
  }

  async ensure(ref: Ref, disk: NewDisk): Promise<void> {
    await makeVolume(this.group, ref, disk);
  }

  async roundUp(bytes: number): Promise<number> {
    return await inExtents(this.group, bytes);
  }

  async grow(disk: Disk, bytes: number): Promise<void> {
    await growVolume(this.group, disk, bytes);
  }

  async growInUse(ref: Ref, bytes: number): Promise<void> {
    await growInUse(this.group, ref, bytes);
  }

  async finishGrowing(disk: Disk, from: number, bytes: number): Promise<void> {
    await wipeGrown(this.group, disk, from, bytes);
  }

  async shrink(disk: Disk, bytes: number): Promise<void> {
    await shrinkVolume(this.group, disk, bytes);
  }

  async settle(disk: Disk): Promise<void> {
    await settleVolume(this.group, disk);
  }

  async snapshot(ref: Ref): Promise<Snapshot> {
    return await takeSnapshot(this.group, ref);
  }

  async mustBeSound(snapshot: Snapshot): Promise<void> {
    await mustBeSound(this.group, snapshot);
  }

  async dropSnapshot(ref: Ref): Promise<void> {
    await dropSnapshot(this.group, ref);
  }

  async wake(): Promise<void> {
    for (const volume of await volumesIn(this.group))
      if (volume.state === 'suspended' && volumeOwner(volume) !== undefined) await activateVolume(this.group.host, this.vg, volume);
  }

  async mustBeReleasable(ref: Ref): Promise<void> {
    mustHaveOwnSnapshotsOnly(this.vg, ref, await volumesIn(this.group));
  }

  async setAside(ref: Ref, roles: readonly DiskRole[]): Promise<void> {
    await setAsideVolumes(this.group, ref, roles);
  }

  async bringBack(ref: Ref, roles: readonly DiskRole[]): Promise<void> {
    await bringBackVolumes(this.group, ref, roles);
  }

  async exchange(ref: Ref, spare: SpareRole): Promise<void> {
    await exchangeVolumes(this.group, ref, spare);
  }

  async release(ref: Ref, role?: SideRole): Promise<void> {
    await releaseVolumes(this.group, ref, role);
  }
}
