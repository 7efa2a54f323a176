/** Volumes of the fake dom0 that become larger or smaller: which extents they take, and what is left on those that they give back. */
import { EXTENT, labelsIn, unique, type FakeState, type Place } from './model.ts';
import { rangeOf, volumeAt } from './lvm-reports.ts';
import { refusedSize } from './lvm-refusals.ts';
import { extendThin, reduceThin } from './lvm-thin.ts';
import type { Machine } from './machine.ts';
import { DONE, failed, matchArgs, type Invocation, type ToolOutput } from './tool.ts';

/** Takes these extents (`/dev/sdb:12-40`) off the free ones; undefined if one of them is not free, or they are not as many. */
function takeFreed({ state }: Machine, ranges: readonly string[], count: number): FakeState['freed'] | undefined {
  const taken = state.freed.filter((place) => ranges.includes(rangeOf(place)));
  if (taken.length !== ranges.length || taken.reduce((sum, place) => sum + place.count, 0) !== count) return undefined;
  state.freed = state.freed.filter((place) => !taken.includes(place));
  return taken;
}

/** With the extents that it is to take behind the volume, or without. */
export function lvextend({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args.slice(0, 4), '-qq -L <bytes>b <volume>');
  const ranges = args.slice(4);
  if (found === undefined || !ranges.every((range) => /^\/dev\/sdb:\d+-\d+$/.test(range))) return undefined;
  const volume = volumeAt(machine, found['volume']);
  if ('code' in volume) return volume;
  const size = refusedSize(found['bytes']);
  if (size !== undefined) return size;
  const wanted = Math.ceil(Number(found['bytes']) / EXTENT);
  const text = `(${String(volume.extents)} extents)`;
  if (wanted === volume.extents) return failed(5, `  New size ${text} matches existing size ${text}.`);
  if (wanted < volume.extents) return failed(5, `  New size given (${String(wanted)} extents) not larger than existing size ${text}`);
  if (volume.thinPool !== undefined) {
    extendThin(volume, wanted);
    return DONE;
  }
  if (machine.state.volumes.some((other) => other.origin === volume.name))
    return failed(5, '  Snapshot origin volumes can be resized only while inactive: try lvchange -an.');
  const more = wanted - volume.extents;
  if (more > machine.freeExtents())
    return failed(5, `  Insufficient free space: ${String(more)} extents needed, but only ${String(machine.freeExtents())} available`);
  const chosen = ranges.length === 0 ? [{ ...machine.place(more), residue: machine.state.freeResidue }] : takeFreed(machine, ranges, more);
  if (chosen === undefined) return failed(5, `  Insufficient free space: ${String(more)} extents needed, but only 0 available`);
  volume.extents = wanted;
  volume.places = [...(volume.places ?? []), ...chosen.map(({ first, count }) => ({ first, count }))];
  volume.content.residue = unique([...volume.content.residue, ...chosen.flatMap(({ residue }) => residue)]);
  return DONE;
}

export function lvreduce({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, '-qq --yes -L <bytes>b <volume>');
  if (found === undefined) return undefined;
  const volume = volumeAt(machine, found['volume']);
  if ('code' in volume) return volume;
  const size = refusedSize(found['bytes']);
  if (size !== undefined) return size;
  const wanted = Math.max(1, Math.ceil(Number(found['bytes']) / EXTENT));
  const text = `(${String(volume.extents)} extents)`;
  if (wanted === volume.extents) return failed(5, `  New size ${text} matches existing size ${text}.`);
  if (wanted > volume.extents) return failed(5, `  New size given (${String(wanted)} extents) not less than existing size ${text}`);
  if (volume.thinPool !== undefined) {
    reduceThin(volume, wanted);
    return DONE;
  }
  if (machine.state.volumes.some((other) => other.origin === volume.name)) {
    return failed(5, '  Snapshot origin volumes can be resized only while inactive: try lvchange -an.');
  }
  const { content } = volume;
  const isCut = content.fs !== undefined && content.fs.bytes > wanted * EXTENT;
  machine.state.freeResidue = unique([...machine.state.freeResidue, ...(isCut ? labelsIn(content) : content.residue)]);
  if (content.fs !== undefined && isCut) content.fs.damaged = true;
  volume.places = firstOf(volume.places ?? [], wanted);
  volume.extents = wanted;
  return DONE;
}

/** The first `count` extents of these places. */
function firstOf(places: readonly Place[], count: number): Place[] {
  const [place, ...rest] = places;
  if (place === undefined || count === 0) return [];
  const taken = Math.min(place.count, count);
  return [{ first: place.first, count: taken }, ...firstOf(rest, count - taken)];
}
