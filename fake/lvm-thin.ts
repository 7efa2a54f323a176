/**
 * Thin pools of the fake dom0: volumes that take no extents, and read as zeros where nobody has written; snapshots that outlive their origin.
 *
 * A pool is as full as its volumes hold files. A snapshot takes no room: its blocks are its origin's.
 */
import { groupNotFound, report, volumeAt } from './lvm-reports.ts';
import { refusedName, refusedSize, refusedTag } from './lvm-refusals.ts';
import type { Machine } from './machine.ts';
import { EXTENT, emptyContent, labelsIn, type FakeVolume } from './model.ts';
import { DONE, failed, matchArgs, type Invocation, type Simulation, type ToolOutput } from './tool.ts';

const POOL_COLUMNS = 'lv_name,lv_size,data_percent,metadata_percent,lv_attr,discards,lv_when_full,chunk_size,lv_health_status';
/** The size that LVM chooses for the blocks of a small pool. */
const CHUNK_BYTES = 65_536;

/** Bytes that a volume has taken from its pool. */
function takenBy({ content, origin }: FakeVolume): number {
  if (origin !== undefined) return 0;
  return Math.ceil((content.fs?.usedBytes ?? (content.swapUuid === undefined ? 0 : 4096)) / CHUNK_BYTES) * CHUNK_BYTES;
}

function percentOf(machine: Machine, pool: FakeVolume): number {
  if (machine.conditions.vgFull) return 100;
  const taken = machine.state.volumes.filter(({ thinPool }) => thinPool === pool.name).reduce((sum, volume) => sum + takenBy(volume), 0);
  return Math.min(100, (100 * taken) / (pool.extents * EXTENT));
}

/** `lvs` of one thin pool. */
export function thinPoolReport({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, `--reportformat json --units b --nosuffix -o ${POOL_COLUMNS} <volume>`);
  if (found === undefined) return undefined;
  const pool = volumeAt(machine, found['volume']);
  if ('code' in pool) return pool;
  const isPool = pool.isThinPool === true;
  const percent = isPool ? percentOf(machine, pool) : 0;
  return report('lv', [
    {
      lv_name: pool.name,
      lv_size: String(pool.extents * EXTENT),
      data_percent: isPool ? percent.toFixed(2) : '',
      metadata_percent: isPool ? '10.00' : '',
      lv_attr: isPool ? `twi-aotz${percent >= 100 ? 'D' : '-'}-` : '-wi-a-----',
      discards: isPool ? 'passdown' : '',
      lv_when_full: isPool ? 'error' : '',
      chunk_size: isPool ? String(CHUNK_BYTES) : '0',
      lv_health_status: percent >= 100 ? 'out_of_data' : '',
    },
  ]);
}

function mustBeNew(machine: Machine, name: string, tags: readonly string[]): ToolOutput | undefined {
  const refused = refusedTag(tags, '--addtag', 'lvcreate') ?? refusedName(name, 'lvcreate');
  if (refused !== undefined || machine.volume(name) === undefined) return refused;
  return failed(5, `  Logical Volume "${name}" already exists in volume group "${machine.state.volumeGroup}"`);
}

/** `lvcreate -V … -T VG/POOL` and `lvcreate -kn -ay -s VG/ORIGIN`. */
export function createThin({ machine, args }: Invocation, tags: readonly string[]): Simulation | ToolOutput | undefined {
  const volume = matchArgs(args, '-qq --yes -V <bytes>b -T <pool> -n <name>');
  const snapshot = matchArgs(args, '-qq --yes -kn -ay -s -n <name> <origin>');
  const found = volume ?? snapshot;
  if (found === undefined) return undefined;
  const { name = '', pool: place = found['origin'] ?? '', bytes = '' } = found;
  const refused = (snapshot === undefined ? refusedSize(bytes) : undefined) ?? mustBeNew(machine, name, tags);
  if (refused !== undefined) return refused;
  const source = volumeAt(machine, place);
  if ('code' in source)
    return source.code === 5 && place.startsWith(`${machine.state.volumeGroup}/`) ? source : groupNotFound(place.split('/')[0] ?? '');
  if (volume !== undefined && source.isThinPool !== true) return failed(5, `  Logical volume ${place} is not a thin pool.`);
  if (snapshot !== undefined && source.thinPool === undefined) return failed(5, '  Please specify either size or extents with snapshots.');
  return creating(machine, source, {
    name,
    extents: volume === undefined ? source.extents : Math.max(1, Math.ceil(Number(bytes) / EXTENT)),
    tags: [...tags].sort(),
    thinPool: source.thinPool ?? source.name,
    content: emptyContent(),
    hidden: [],
    dataPercent: 0,
    invalid: false,
    minor: machine.state.nextMinor,
    inactive: true,
  });
}

/** As that of other volumes: the metadata come first, the device after them; an origin is suspended in between. */
function* creating(machine: Machine, source: FakeVolume, volume: FakeVolume): Simulation {
  const isSnapshot = source.isThinPool !== true;
  machine.state.nextMinor += 1;
  machine.state.volumes.push(volume);
  if (isSnapshot) source.suspended = true;
  yield { done: 0.5 };
  if (isSnapshot) {
    delete source.suspended;
    volume.origin = source.name;
    volume.content = structuredClone(source.content);
  }
  delete volume.inactive;
  return DONE;
}

/** `blkdiscard` without `--zeroout`: the pool gets the blocks back, and they read as zeros. */
export function discard({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, '--offset <offset> <device>');
  if (found === undefined) return undefined;
  const volume = machine.volumeOfDevice(found['device'] ?? '');
  if (volume === undefined) return failed(1, `blkdiscard: cannot open ${found['device'] ?? ''}: No such file or directory`);
  if (volume.thinPool === undefined)
    return failed(1, `blkdiscard: ${found['device'] ?? ''}: BLKDISCARD ioctl failed: Operation not supported`);
  const from = Number(found['offset']);
  const { content } = volume;
  if (content.fs !== undefined && content.fs.bytes > from) content.fs.damaged = true;
  volume.discardedFrom = from;
  return DONE;
}

/** A volume of a thin pool becomes larger: the new part is zeros, but for what was not discarded when it was reduced. */
export function extendThin(volume: FakeVolume, extents: number): void {
  volume.extents = extents;
  volume.content.residue = [...new Set([...volume.content.residue, ...(volume.unseen ?? [])])].sort();
  delete volume.unseen;
  delete volume.discardedFrom;
}

/** A volume of a thin pool becomes smaller. It keeps the blocks behind its end, unless they were discarded. */
export function reduceThin(volume: FakeVolume, extents: number): void {
  const { content } = volume;
  const isCut = content.fs !== undefined && content.fs.bytes > extents * EXTENT;
  if (volume.discardedFrom === undefined || volume.discardedFrom > extents * EXTENT) volume.unseen = labelsIn(content);
  if (content.fs !== undefined && isCut) content.fs.damaged = true;
  delete volume.discardedFrom;
  volume.extents = extents;
}

/** A thin pool that is empty. */
export function thinPoolVolume({ name, bytes }: { readonly name: string; readonly bytes: number }): FakeVolume {
  const extents = Math.floor(bytes / EXTENT);
  return { name, extents, isThinPool: true, tags: [], content: emptyContent(), hidden: [], dataPercent: 0, invalid: false, minor: 0 };
}
