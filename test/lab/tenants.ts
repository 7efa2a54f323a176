/** Bytes of one tenant, planted over a whole volume, and searched for on the next tenant's. */
import { onDom0 } from './guests.ts';
import type { Rig } from './rig.ts';

const PATTERN = 'guestflow: bytes of a tenant who has gone';
const LIMIT_MS = 600_000;

/** Where the guest's volumes stand, as lvm(8) writes it: `/dev/vdb:100-355`. */
export async function placesOf(rig: Rig, name: string): Promise<readonly string[]> {
  return (await onDom0(rig, `lvs --noheadings -o seg_pe_ranges --select 'lv_name=~^${name}-' vg01`)).match(/\S+:\d+-\d+/g) ?? [];
}

/** The numbers of the physical extents of such places. */
export function extentsAt(places: readonly string[]): ReadonlySet<number> {
  const extents = new Set<number>();
  for (const [, first, last] of places.join(' ').matchAll(/:(\d+)-(\d+)/g)) {
    for (let extent = Number(first); extent <= Number(last); extent += 1) extents.add(extent);
  }
  return extents;
}

/** How often the pattern is on these places, which nobody has now: looked for on a volume that is made of them as they are. */
export async function searchFree(rig: Rig, places: readonly string[]): Promise<number> {
  const count = extentsAt(places).size;
  await onDom0(rig, `lvcreate -q -y -Wn -Zn -n tenants-probe -l ${String(count)} vg01 ${places.join(' ')}`);
  try {
    return await searchPattern(rig, '/dev/vg01/tenants-probe');
  } finally {
    await onDom0(rig, 'udevadm settle; lvremove -q -y vg01/tenants-probe');
  }
}

/** Fills the device, which nobody uses, with the pattern, and looks that it is there from the first block to the last. */
export async function plantPattern(rig: Rig, device: string): Promise<void> {
  await onDom0(
    rig,
    `
    size=$(blockdev --getsize64 ${device})
    yes '${PATTERN}' | dd of=${device} bs=1M iflag=fullblock count=$((size / 1048576)) conv=fsync status=none
    for block in 0 $((size / 2097152)) $((size / 1048576 - 1)); do
      dd if=${device} bs=1M skip=$block count=1 status=none | grep -aqF '${PATTERN}'
    done`,
    LIMIT_MS,
  );
}

/** How often the pattern is anywhere on the device. */
export async function searchPattern(rig: Rig, device: string): Promise<number> {
  // Cut at zeros: a disk has long stretches without the end of a line.
  return Number(await onDom0(rig, `dd if=${device} bs=1M status=none | grep -aczF '${PATTERN}' || [ $? -eq 1 ]`, LIMIT_MS));
}
