/** Templates in a thin pool: volumes that guests' disks are cloned from, in a second or two, whatever their size. No guest has ever run on one. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { Template, Templates } from '../port.ts';
import { createThinVolume, devicePath, removeVolume, tagVolume } from './lvm.ts';
import { volumesIn, type Pool } from './pool.ts';
import type { Volume } from './reports.ts';
import { mustHaveRoom } from './room.ts';
import { GUESTFLOW_TAG, TEMPLATE_TAG, UNFINISHED_TAG } from './tags.ts';

const PREFIX = 'golden-';

function templateName(key: string): string {
  return `${PREFIX}${key}`;
}

/** The template of this key among these volumes, if it is whole. */
export function templateAmong(volumes: readonly Volume[], key: string | undefined): Volume | undefined {
  if (key === undefined) return undefined;
  return volumes.find((volume) => volume.name === templateName(key) && isTemplate(volume) && !volume.tags.includes(UNFINISHED_TAG));
}

export function isTemplate({ tags }: Volume): boolean {
  return tags.includes(TEMPLATE_TAG);
}

export class ThinTemplates implements Templates {
  private readonly pool: Pool;
  private readonly thinPool: string;

  constructor(pool: Pool, thinPool: string) {
    this.pool = pool;
    this.thinPool = thinPool;
  }

  async ensure(key: string, { bytes, fill }: { readonly bytes: number; readonly fill: (device: string) => Promise<void> }): Promise<void> {
    const { host, vg, settings } = this.pool;
    const name = templateName(key);
    const there = (await volumesIn(this.pool)).find((volume) => volume.name === name);
    if (there !== undefined && !isTemplate(there))
      throw new GuestflowError('NotOurs', `volume ${vg}/${name} exists, and is no template of guestflow's: rename or remove it`, {
        field: 'dist',
      });
    if (there !== undefined && !there.tags.includes(UNFINISHED_TAG)) return;
    if (there !== undefined) await removeVolume(host, vg, name);
    const { thinPool } = this;
    const reserveBytes = settings.policy.reserve.diskBytes;
    await mustHaveRoom(this.pool, { bytes, what: `a template of ${formatSize(bytes)}`, field: 'dist', thinPool, reserveBytes });
    await createThinVolume(host, { vg, name, bytes, tags: [GUESTFLOW_TAG, TEMPLATE_TAG, UNFINISHED_TAG] }, thinPool);
    await fill(devicePath(vg, name));
    await tagVolume(host, vg, name, { remove: [UNFINISHED_TAG] });
  }

  async list(): Promise<Template[]> {
    const { vg } = this.pool;
    return (await volumesIn(this.pool)).filter(isTemplate).map(({ name, tags }) => ({
      key: name.slice(PREFIX.length),
      where: `volume ${vg}/${name}`,
      isWhole: !tags.includes(UNFINISHED_TAG),
    }));
  }

  async remove(key: string): Promise<void> {
    const there = (await volumesIn(this.pool)).find(({ name }) => name === templateName(key));
    if (there !== undefined && isTemplate(there)) await removeVolume(this.pool.host, this.pool.vg, there.name);
  }
}
