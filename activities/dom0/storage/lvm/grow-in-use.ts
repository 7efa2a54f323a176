/** Makes a guest's root volume larger while the guest has it open. The guest never sees a byte of a former tenant. */
import { mustOwn, type Ref } from '../../marks.ts';
import { activateVolume, extendVolume, removeVolume } from './lvm.ts';
import { makeVolume } from './make.ts';
import { mustOwnVolume, volumeName, volumesIn, whereOf, type Pool } from './pool.ts';
import { releaseVolumes } from './release.ts';
import { extentsOf, type Volume } from './reports.ts';
import { mustHaveRoom } from './room.ts';
import { volumeOwner } from './tags.ts';

const NO_CONTENT = (): Promise<void> => Promise.resolve();

/**
 * A guest sees a larger volume at once, so what it grows by is wiped before: as a volume of its own, whose extents the root volume gets then. Killed in
 * between, these extents are free, and hold zeros; the next attempt wipes some again.
 */
export async function growInUse(pool: Pool, ref: Ref, bytes: number): Promise<void> {
  const { host, vg } = pool;
  const volumes = await volumesIn(pool);
  const root = mustOwnVolume(vg, ref, 'root', volumes);
  // A killed lvextend leaves the device suspended.
  await activateVolume(host, vg, root);
  const name = volumeName(ref.name, 'growth');
  const left = volumes.find((volume) => volume.name === name);
  if (left !== undefined) mustOwn(volumeOwner(left), ref, whereOf(vg, name));
  const more = bytes - root.bytes;
  if (left !== undefined && (left.bytes !== more || root.thinPool !== undefined)) await releaseVolumes(pool, ref, 'growth');
  if (more <= 0) return;
  if (root.thinPool === undefined) await takeWiped(pool, ref, { root, bytes });
  else {
    // What a thin pool gives reads as zeros from the first moment on.
    await mustHaveRoom(pool, { bytes: more, what: 'the larger disk', field: 'disk', thinPool: root.thinPool });
    await extendVolume(host, vg, root.name, bytes);
  }
}

/** Wipes what the volume is to grow by as a volume of its own, and gives its extents to it. */
async function takeWiped(pool: Pool, ref: Ref, { root, bytes }: { readonly root: Volume; readonly bytes: number }): Promise<void> {
  const { host, vg } = pool;
  const name = volumeName(ref.name, 'growth');
  await makeVolume({ ...pool, thinPool: undefined }, ref, { role: 'growth', bytes: bytes - root.bytes, field: 'disk', fill: NO_CONTENT });
  const extents = await extentsOf(host, vg, name);
  await removeVolume(host, vg, name);
  await extendVolume(host, vg, root.name, bytes, extents);
}
