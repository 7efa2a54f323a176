/** LVM of the fake dom0: sizes in extents, tags, snapshots that follow their origin, and the bytes that stay on extents given back. */
import { EXTENT, emptyContent, labelsIn, unique, type FakeVolume } from './model.ts';
import { groupNotFound, lvs, vgs, volumeAt } from './lvm-reports.ts';
import { refusedName, refusedSize, refusedTag } from './lvm-refusals.ts';
import { createThin, thinPoolReport } from './lvm-thin.ts';
import { lvextend, lvreduce } from './lvm-sizes.ts';
import type { Machine } from './machine.ts';
import { DONE, failed, matchArgs, type Invocation, type Simulation, type ToolOutput, type ToolTable } from './tool.ts';

/** Takes `--addtag T`s out of a command line. */
function withoutTags(args: readonly string[], option: string): { tags: string[]; rest: string[] } {
  const tags: string[] = [];
  const rest: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    if (args[index] === option) {
      tags.push(args[index + 1] ?? '');
      index += 1;
    } else rest.push(args[index] ?? '');
  }
  return { tags, rest };
}

/** The largest useful size of a snapshot: all of its origin in chunks of 4 KiB, and 16 bytes of table for each. */
function largestSnapshot(origin: FakeVolume): number {
  const chunks = (origin.extents * EXTENT) / 4096;
  return Math.ceil(((chunks + Math.ceil(chunks / 256) + 2) * 4096) / EXTENT);
}

function lvcreate(call: Invocation): Simulation | ToolOutput | undefined {
  const { machine, args } = call;
  const { tags, rest } = withoutTags(args, '--addtag');
  const plain = matchArgs(rest, '-qq -Wy --yes -L <bytes>b -n <name> <group>');
  const snapshot = matchArgs(rest, '-qq --yes -s -L <bytes>b -n <name> <group>');
  const found = plain ?? snapshot;
  if (found === undefined) return createThin({ ...call, args: rest }, tags);
  const { name = '', group: place = '', bytes = '' } = found;
  const [group = '', originName = ''] = snapshot === undefined ? [place] : place.split('/');
  const refused = refusedSize(bytes) ?? refusedTag(tags, '--addtag', 'lvcreate') ?? refusedName(name, 'lvcreate');
  if (refused !== undefined) return refused;
  if (group !== machine.state.volumeGroup) return groupNotFound(group);
  if (machine.volume(name) !== undefined) return failed(5, `  Logical Volume "${name}" already exists in volume group "${group}"`);
  const origin = snapshot === undefined ? undefined : machine.volume(originName);
  if (snapshot !== undefined && origin === undefined)
    return failed(5, `  Snapshot origin LV ${originName} not found in Volume group ${group}.`);
  if (origin?.origin !== undefined) return failed(5, '  Snapshots of snapshots are not supported.');
  const wanted = Math.max(1, Math.ceil(Number(bytes) / EXTENT));
  const extents = origin === undefined ? wanted : Math.min(wanted, largestSnapshot(origin));
  const free = machine.freeExtents();
  if (extents > free)
    return failed(5, `  Volume group "${group}" has insufficient free space (${String(free)} extents): ${String(extents)} required.`);
  const volume: FakeVolume = {
    name,
    extents,
    places: [machine.place(extents)],
    tags: unique(tags),
    // Only the first 4 KiB are zeroed, and signatures wiped: whatever lay on these extents can be read behind them.
    content: emptyContent(machine.state.freeResidue),
    hidden: [],
    dataPercent: 0,
    invalid: false,
    minor: machine.state.nextMinor,
    inactive: true,
  };
  machine.state.nextMinor += 1;
  return creating(machine, volume, origin);
}

/**
 * The metadata come first, the device after them. A snapshot's room is a volume like any other until its origin is suspended and loaded
 * anew. Killed in between, all of this stays as it is.
 */
function* creating(machine: Machine, volume: FakeVolume, origin: FakeVolume | undefined): Simulation {
  machine.state.volumes.push(volume);
  if (origin !== undefined) origin.suspended = true;
  yield { done: 0.5 };
  if (origin !== undefined) {
    delete origin.suspended;
    volume.origin = origin.name;
    volume.content = structuredClone(origin.content);
    volume.hidden = labelsIn(origin.content);
  }
  delete volume.inactive;
  return DONE;
}

function lvrename({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, '-qq <group> <from> <to>');
  if (found === undefined) return undefined;
  const { group = '', from = '', to = '' } = found;
  if (from === to) return failed(3, '  Old and new logical volume names must differ');
  const refused = refusedName(to, 'lvrename');
  if (refused !== undefined) return refused;
  if (group !== machine.state.volumeGroup) return groupNotFound(group);
  const volume = machine.volume(from);
  if (volume === undefined) return failed(5, `  Existing logical volume "${from}" not found in volume group "${group}"`);
  if (machine.volume(to) !== undefined) return failed(5, `  Logical Volume "${to}" already exists in volume group "${group}"`);
  for (const other of machine.state.volumes) if (other.origin === from) other.origin = to;
  for (const domain of machine.state.domains) {
    // A device that is open goes on under its new name.
    for (const disk of domain.disks) if (disk.source === `/dev/${group}/${from}`) disk.source = `/dev/${group}/${to}`;
  }
  volume.name = to;
  return DONE;
}

/** `lvchange -ay`, `-an`, `--refresh`. */
function activation({ machine, args }: Invocation): ToolOutput | undefined {
  const [, how = ''] = args;
  const found = ['-ay', '-an', '--refresh'].includes(how) ? matchArgs(args, `-qq ${how} <volume>`) : undefined;
  if (found === undefined) return undefined;
  const volume = volumeAt(machine, found['volume']);
  if ('code' in volume) return volume;
  if (how === '-an' && machine.isOpen(volume)) return failed(5, `  Logical volume ${found['volume'] ?? ''} in use.`);
  if (how === '-an') volume.inactive = true;
  if (how === '-ay') delete volume.inactive;
  delete volume.suspended;
  return DONE;
}

function lvchange(call: Invocation): ToolOutput | undefined {
  const { machine, args } = call;
  const changed = activation(call);
  if (changed !== undefined) return changed;
  const added = withoutTags(args, '--addtag');
  const removed = withoutTags(added.rest, '--deltag');
  const found = matchArgs(removed.rest, '-qq <volume>');
  if (found === undefined || added.tags.length + removed.tags.length === 0) return undefined;
  const refused = refusedTag(added.tags, '--addtag', 'lvchange') ?? refusedTag(removed.tags, '--deltag', 'lvchange');
  if (refused !== undefined) return refused;
  const volume = volumeAt(machine, found['volume']);
  if ('code' in volume) return volume;
  volume.tags = unique([
    ...volume.tags.filter((tag) => !removed.tags.includes(tag)),
    ...added.tags.filter((tag) => !removed.tags.includes(tag)),
  ]);
  return DONE;
}

function lvremove({ machine, args }: Invocation): Simulation | ToolOutput | undefined {
  const found = matchArgs(args, '-qq --yes <volume>');
  if (found === undefined) return undefined;
  const volume = volumeAt(machine, found['volume']);
  if ('code' in volume) return volume;
  const group = machine.state.volumeGroup;
  // An origin takes its snapshots with it, unless they lie in a thin pool; whatever is in use stops it before anything has gone.
  const going = [...machine.state.volumes.filter((other) => other.origin === volume.name && other.thinPool === undefined), volume];
  const mounted = going.find((each) => machine.state.mounts.some((mount) => mount.source === `/dev/${group}/${each.name}`));
  if (mounted !== undefined) return failed(5, `  Logical volume ${group}/${mounted.name} contains a filesystem in use.`);
  const open = going.find((each) => machine.isOpen(each));
  if (open !== undefined) return failed(5, `  Logical volume ${group}/${open.name} in use.`);
  return removing(machine, going);
}

/** The devices go first (a snapshot's after its origin was suspended and loaded without it), the metadata after them. */
function* removing(machine: Machine, going: readonly FakeVolume[]): Simulation {
  const origin = machine.state.volumes.find((each) => !going.includes(each) && going.some((other) => other.origin === each.name));
  for (const each of going) each.inactive = true;
  if (origin !== undefined) origin.suspended = true;
  yield { done: 0.5 };
  if (origin !== undefined) delete origin.suspended;
  for (const each of machine.state.volumes) if (going.some(({ name }) => name === each.origin)) delete each.origin;
  machine.state.freeResidue = unique([...machine.state.freeResidue, ...going.flatMap(bytesLeft)]);
  machine.state.freed.push(...going.flatMap((each) => (each.places ?? []).map((place) => ({ ...place, residue: bytesLeft(each) }))));
  machine.state.volumes = machine.state.volumes.filter((each) => !going.includes(each));
  return DONE;
}

/** Whose bytes a volume leaves on its extents. A snapshot's own extents hold copies of its origin's blocks, not what is read through it. */
function bytesLeft(volume: FakeVolume): string[] {
  // A thin pool keeps its extents, and zeroes a block before it gives it out again.
  if (volume.thinPool !== undefined) return [];
  return volume.origin === undefined ? labelsIn(volume.content) : volume.hidden;
}

/** What LVM does to an origin, done by hand: `dmsetup suspend VG-NAME`, each hyphen within the names doubled. */
function dmsetup({ machine, args }: Invocation): ToolOutput | undefined {
  const mapped = matchArgs(args, 'suspend <mapped>')?.['mapped'];
  if (mapped === undefined) return undefined;
  const [group, name] = mapped.split(/(?<!-)-(?!-)/).map((part) => part.replaceAll('--', '-'));
  const volume = group === machine.state.volumeGroup && name !== undefined ? machine.volume(name) : undefined;
  if (volume === undefined || volume.inactive === true) return failed(1, `Device ${mapped} not found`, 'Command failed.');
  volume.suspended = true;
  return DONE;
}

export const LVM_TOOLS: ToolTable = {
  vgs: { start: vgs },
  lvs: { start: (call) => thinPoolReport(call) ?? lvs(call) },
  lvcreate: { seconds: () => 0.4, start: lvcreate },
  lvrename: { seconds: () => 0.2, start: lvrename },
  lvchange: { seconds: () => 0.2, start: lvchange },
  lvextend: { seconds: () => 0.2, start: lvextend },
  lvreduce: { seconds: () => 0.2, start: lvreduce },
  lvremove: { seconds: () => 0.4, start: lvremove },
  dmsetup: { start: dmsetup },
};
