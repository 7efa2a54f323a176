/** What `lvs` and `vgs` print on the fake dom0. */
import type { Machine } from './machine.ts';
import { EXTENT, type FakeVolume, type Place } from './model.ts';
import { failed, matchArgs, type Invocation, type ToolOutput } from './tool.ts';

const LVS_COLUMNS = 'lv_name,lv_size,lv_tags,origin,data_percent,lv_snapshot_invalid,lv_attr,pool_lv';

export function groupNotFound(group: string): ToolOutput {
  return failed(5, `  Volume group "${group}" not found`, `  Cannot process volume group ${group}`);
}

/** The volume at `GROUP/NAME`, or what LVM says if there is none. */
export function volumeAt(machine: Machine, place = ''): FakeVolume | ToolOutput {
  const [group = '', name = ''] = place.split('/');
  if (group !== machine.state.volumeGroup) return groupNotFound(group);
  return machine.volume(name) ?? failed(5, `  Failed to find logical volume "${group}/${name}"`);
}

/** As LVM prints a report: every value is a string. */
export function report(kind: string, rows: readonly Record<string, string>[]): ToolOutput {
  const lines = rows.map(
    (row) =>
      `                  {${Object.entries(row)
        .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
        .join(', ')}}`,
  );
  return {
    code: 0,
    stdout: `  {\n      "report": [\n          {\n              "${kind}": [\n${lines.join(',\n')}${lines.length > 0 ? '\n' : ''}              ]\n          }\n      ]\n  }\n`,
  };
}

/** The fifth letter of `lv_attr`. */
function stateLetter({ inactive, suspended, invalid }: FakeVolume): string {
  if (inactive === true) return '-';
  if (suspended === true) return invalid ? 'S' : 's';
  return invalid ? 'I' : 'a';
}

function attributes(machine: Machine, volume: FakeVolume): string {
  if (volume.isThinPool === true) return 'twi-aotz--';
  if (volume.thinPool !== undefined) return `Vwi-${stateLetter(volume)}${machine.isOpen(volume) ? 'o' : '-'}tz--`;
  const isOrigin = machine.state.volumes.some((other) => other.origin === volume.name);
  const type = volume.origin !== undefined ? (volume.invalid ? 'S' : 's') : isOrigin ? 'o' : '-';
  const state = stateLetter(volume);
  return `${type}wi-${state}${machine.isOpen(volume) ? 'o' : '-'}${type === '-' ? '-' : 's'}---`;
}

/** `/dev/sdb:12-40`, as LVM says where a segment lies. */
export function rangeOf({ first, count }: Place): string {
  return `/dev/sdb:${String(first)}-${String(first + count - 1)}`;
}

/** One row a segment. */
function segments(machine: Machine): ToolOutput {
  return report(
    'lv',
    machine.state.volumes.flatMap(({ name, places = [] }) => places.map((place) => ({ lv_name: name, seg_pe_ranges: rangeOf(place) }))),
  );
}

function sortedVolumes(machine: Machine): FakeVolume[] {
  return [...machine.state.volumes].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** `lvs` without arguments: a table for a person, of its first columns. */
function table(machine: Machine): ToolOutput {
  const rows = sortedVolumes(machine).map((volume) => [
    volume.name,
    machine.state.volumeGroup,
    attributes(machine, volume),
    `${((volume.extents * EXTENT) / 2 ** 30).toFixed(2)}g`,
    volume.thinPool ?? '',
    volume.origin ?? '',
  ]);
  const lines = [['LV', 'VG', 'Attr', 'LSize', 'Pool', 'Origin'], ...rows];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return { code: 0, stdout: lines.map((line) => `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' ')}\n`).join('') };
}

export function lvs({ machine, args }: Invocation): ToolOutput | undefined {
  if (args.length === 0) return table(machine);
  const places = matchArgs(args, '--reportformat json --units b --nosuffix -o lv_name,seg_pe_ranges <group>');
  if (places?.['group'] !== undefined && places['group'] === machine.state.volumeGroup) return segments(machine);
  const found = matchArgs(args, `--reportformat json --units b --nosuffix -o ${LVS_COLUMNS} <group>`);
  if (found === undefined) return undefined;
  if (found['group'] !== machine.state.volumeGroup) return groupNotFound(found['group'] ?? '');
  return report(
    'lv',
    sortedVolumes(machine).map((volume) => ({
      lv_name: volume.name,
      lv_size: String(volume.extents * EXTENT),
      lv_tags: volume.tags.join(','),
      origin: volume.origin ?? '',
      data_percent:
        volume.origin === undefined || volume.thinPool !== undefined || volume.inactive === true
          ? ''
          : volume.invalid
            ? '100.00'
            : volume.dataPercent.toFixed(2),
      lv_snapshot_invalid: volume.invalid ? 'snapshot invalid' : '',
      lv_attr: attributes(machine, volume),
      pool_lv: volume.thinPool ?? '',
    })),
  );
}

export function vgs({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, '--reportformat json --units b --nosuffix -o vg_name,vg_size,vg_free,vg_extent_size <group>');
  if (found === undefined) return undefined;
  const { volumeGroup, totalExtents } = machine.state;
  if (found['group'] !== volumeGroup) return groupNotFound(found['group'] ?? '');
  return report('vg', [
    {
      vg_name: volumeGroup,
      vg_size: String(totalExtents * EXTENT),
      vg_free: String(machine.freeExtents() * EXTENT),
      vg_extent_size: String(EXTENT),
    },
  ]);
}
