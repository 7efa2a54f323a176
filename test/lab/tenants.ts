/** Bytes of one tenant, planted over a whole volume, and searched for on the next tenant's. */
import { onDom0 } from './guests.ts';
import type { Rig } from './rig.ts';

const PATTERN = 'guestflow: bytes of a tenant who has gone';
const LIMIT_MS = 600_000;

/** The physical extents that the guest's volumes stand on. */
export async function extentsOf(rig: Rig, name: string): Promise<ReadonlySet<number>> {
  const text = await onDom0(rig, `lvs --noheadings -o seg_pe_ranges --select 'lv_name=~^${name}-' vg01`);
  const extents = new Set<number>();
  for (const [, first, last] of text.matchAll(/:(\d+)-(\d+)/g)) {
    for (let extent = Number(first); extent <= Number(last); extent += 1) extents.add(extent);
  }
  return extents;
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
