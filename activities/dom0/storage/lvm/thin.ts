/**
 * The driver `lvm-thin`: new disks of guests are volumes of a thin pool. They take room as they are written to, and a snapshot takes none at first. Disks that
 * a guest has had before its dom0 got the pool stay as they are: each part of the LVM driver goes by where a volume lies.
 */
import type { PoolFacts } from '../../../../contract/capacity.ts';
import type { PreflightRow } from '../../../../contract/dom0.ts';
import { missing, ok, warning } from '../../preflight-rows.ts';
import { volumeGroup } from './reports.ts';
import { fillOf, howToMake } from './room.ts';
import type { Work } from '../../work.ts';
import type { Templates } from '../port.ts';
import { ThinTemplates } from './templates.ts';
import { LvmThick } from './thick.ts';
import { thinPoolOf, type ThinPool } from './thin-pool.ts';

const ROW = 'thin pool';

export class LvmThin extends LvmThick {
  readonly templates: Templates;

  constructor(work: Work, thinPool: string) {
    super(work);
    this.templates = new ThinTemplates(this.group, thinPool);
  }

  override async facts(): Promise<PoolFacts | undefined> {
    const found = await this.thinPool();
    if (found === undefined) return undefined;
    const { sizeBytes, freeBytes, metadataShare } = found;
    return { name: this.pool, sizeBytes, freeBytes, thin: { metadataShare } };
  }

  override async preflight(): Promise<PreflightRow> {
    const { host, vg, thinPool: name = '' } = this.group;
    const found = await this.thinPool();
    if (found === undefined) return missing(ROW, `there is no thin pool ${this.pool}`, howToMake(vg, name));
    const { sizeBytes, freeBytes, whenFull } = found;
    const unfit = whyUnfit(found, (await volumeGroup(host, vg))?.extentBytes ?? 0);
    if (unfit !== undefined) return missing(ROW, `${this.pool} ${unfit.found}`, unfit.mend.replaceAll('POOL', this.pool));
    const fill = `${this.pool}, ${fillOf(found)}`;
    if (freeBytes < sizeBytes * NEARLY_FULL) return warning(ROW, fill, `lvextend -L +SIZE ${this.pool}`);
    if (whenFull !== 'error')
      return warning(
        ROW,
        `${fill}; once it is full, guests wait for a minute, then all of them fail`,
        `lvchange --errorwhenfull y ${this.pool}`,
      );
    return ok(ROW, fill);
  }

  private async thinPool(): Promise<ThinPool | undefined> {
    const { host, vg, thinPool = '' } = this.group;
    return await thinPoolOf(host, vg, thinPool);
  }
}

/** A pool of which less is free is told to the operator. */
const NEARLY_FULL = 0.1;

/** Why a pool cannot hold guests' disks, and how that is mended. */
function whyUnfit(
  { isZeroing, takesDiscards, chunkBytes, health }: ThinPool,
  extentBytes: number,
): { readonly found: string; readonly mend: string } | undefined {
  if (health !== '') return { found: `is ${health}`, mend: 'lvextend -L +SIZE POOL' };
  if (!isZeroing)
    return { found: 'does not zero its blocks: a guest would read what another one has left', mend: 'lvchange --zero y POOL' };
  if (!takesDiscards)
    return { found: 'ignores discards: a disk that was made smaller would keep its room', mend: 'lvchange --discards passdown POOL' };
  if (extentBytes % chunkBytes !== 0)
    return {
      found: `gives out blocks of ${String(chunkBytes)} bytes, of which no whole number makes an extent of its volume group`,
      mend: 'make a pool with --chunksize 64k, or another size that divides the extent',
    };
  return undefined;
}
