/** Whether the volume group, or its thin pool, has room for what is to be made. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import type { Pool } from './pool.ts';
import { volumeGroup } from './reports.ts';
import { thinPoolOf, type ThinPool } from './thin-pool.ts';

/** A pool whose table of blocks is fuller than this gives nothing out: a full table stops all of its guests. */
const MOST_METADATA_SHARE = 0.9;

/** What takes room. */
export interface Wish {
  readonly bytes: number;
  /** For errors: `the disk of 8 GiB`. */
  readonly what: string;
  /** Field of the order that it comes from: for errors. */
  readonly field: string;
  /** The thin pool that it is to come from. Default: the extents of the volume group. */
  readonly thinPool: string | undefined;
  /** What must be free beside it. Default: 0. */
  readonly reserveBytes?: number;
  /** Whether it may go well later. Default: no. */
  readonly mayPass?: boolean;
}

/**
 * How many bytes are free where this is to come from.
 *
 * @throws NoCapacity when they are too few, HostNotReady when there is no such place
 */
export async function mustHaveRoom(pool: Pool, wish: Wish): Promise<number> {
  const { what, field, bytes, reserveBytes = 0, mayPass = false } = wish;
  const { where, freeBytes } = await (wish.thinPool === undefined ? roomOfGroup(pool) : roomOfThinPool(pool, wish.thinPool));
  const short = bytes + reserveBytes - freeBytes;
  if (short <= 0) return freeBytes;
  const kept = reserveBytes === 0 ? '' : ` and keeps ${formatSize(reserveBytes)} of that`;
  throw new GuestflowError(
    'NoCapacity',
    `${where} on ${pool.settings.host} has ${formatSize(freeBytes)} free${kept}, ${formatSize(short)} too little for ${what}`,
    { field },
    mayPass,
  );
}

interface Room {
  readonly where: string;
  readonly freeBytes: number;
}

async function roomOfGroup({ host, vg, settings }: Pool): Promise<Room> {
  const group = await volumeGroup(host, vg);
  if (group !== undefined) return { where: `volume group ${vg}`, freeBytes: group.freeBytes };
  throw new GuestflowError('HostNotReady', `volume group ${vg} does not exist on ${settings.host}`, {
    field: 'volumeGroup',
    mend: `vgcreate ${vg} DEVICE`,
  });
}

/** A full thin pool takes the file systems of all of its guests with it, so nothing is begun on one that is not well. */
async function roomOfThinPool({ host, vg, settings }: Pool, name: string): Promise<Room> {
  const where = `thin pool ${vg}/${name}`;
  const refuse = (type: 'HostNotReady' | 'NoCapacity', message: string, mend: string): GuestflowError =>
    new GuestflowError(type, `${message} on ${settings.host}`, { field: 'thinPool', mend });
  const found = await thinPoolOf(host, vg, name);
  if (found === undefined) throw refuse('HostNotReady', `there is no ${where}`, howToMake(vg, name));
  if (found.health !== '') throw refuse('HostNotReady', `${where} is ${found.health}`, `lvextend -L +SIZE ${vg}/${name}`);
  if (found.metadataShare > MOST_METADATA_SHARE) {
    const message = `the table of blocks of ${where} is full to ${percent(found.metadataShare)}`;
    throw refuse('NoCapacity', message, `lvextend --poolmetadatasize +128M ${vg}/${name}`);
  }
  return { where, freeBytes: found.freeBytes };
}

/** The command that makes such a pool. */
export function howToMake(vg: string, name: string): string {
  return `lvcreate --type thin-pool --zero y -L SIZE -n ${name} ${vg} && lvchange --errorwhenfull y ${vg}/${name}`;
}

function percent(share: number): string {
  return `${String(Math.round(share * 100))} %`;
}

/** How full the pool is: for the preflight. */
export function fillOf({ sizeBytes, freeBytes, metadataShare }: ThinPool): string {
  return `${formatSize(freeBytes)} of ${formatSize(sizeBytes)} free, its table of blocks full to ${percent(metadataShare)}`;
}
