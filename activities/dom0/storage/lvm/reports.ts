/** What LVM reports of volume groups and volumes. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { checkedVolume } from '../../tools/arguments.ts';
import type { Host } from '../../../../system/host.ts';
import { tail, ToolError } from '../../../../system/run.ts';

export interface VolumeGroup {
  readonly name: string;
  readonly sizeBytes: number;
  readonly freeBytes: number;
  /** Sizes of volumes are rounded up to a multiple of this. */
  readonly extentBytes: number;
}

export interface Volume {
  readonly name: string;
  readonly bytes: number;
  readonly tags: readonly string[];
  /** The volume that this one is a snapshot of. */
  readonly origin?: string;
  /** How full a snapshot is. At 100 it is invalid. */
  readonly dataPercent?: number;
  /** A snapshot that overflowed: what is in it is worthless. */
  readonly invalid: boolean;
  /** Its device is open: by a guest, a mount, a copy. */
  readonly open: boolean;
  /** `inactive`: there is no device. `suspended`: the device takes reads and writes, and answers none. Tools that were killed leave both. */
  readonly state: 'active' | 'inactive' | 'suspended';
  /** The thin pool that it takes its room from. Undefined: it has extents of its own. */
  readonly thinPool?: string;
}

export function reportRows(tool: string, text: string, key: string): Record<string, string>[] {
  try {
    const report = JSON.parse(text) as { report: Record<string, Record<string, string>[]>[] };
    const rows = report.report[0]?.[key];
    if (rows !== undefined) return rows;
  } catch {
    /* said below */
  }
  throw new GuestflowError('ToolFailed', `${tool} printed no JSON report of ${key}s: ${text.slice(0, 200)}`);
}

/** The errors in the log of a failed report, as lines. LVM of Debian 13 (2.03.31) reports them there, and prints nothing on standard error. */
function loggedErrors(text: string): string {
  try {
    const { log = [] } = JSON.parse(text) as { log?: { log_type?: string; log_message?: string }[] };
    return log.flatMap(({ log_type, log_message }) => (log_type === 'error' ? [`  ${log_message ?? ''}`] : [])).join('\n');
  } catch {
    return '';
  }
}

/** Runs a tool that reports in JSON. What LVM says of a failure is on the error's `stderr`, wherever LVM has it. */
export async function runReport(host: Host, tool: 'vgs' | 'lvs', columns: string, vg: string, volume?: string): Promise<string> {
  const place = [checkedVolume('volume group', vg), ...(volume === undefined ? [] : [checkedVolume('volume', volume)])].join('/');
  const args = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '-o', columns, place];
  try {
    return (await host.run(tool, args)).stdout;
  } catch (error) {
    const said = error instanceof ToolError && error.stderr.trim() === '' ? loggedErrors(error.stdout) : '';
    if (!(error instanceof ToolError) || said === '') throw error;
    const { code, stdout, timedOut, cancelled, notFound } = error;
    const message = `${tool} ended with exit code ${String(code)}: ${tail(said)}`;
    throw new ToolError({ tool, args, code, stdout, stderr: `${said}\n`, timedOut, cancelled, notFound, message });
  }
}

/** `vgs --reportformat json`. */
export function parseVolumeGroup(text: string): VolumeGroup | undefined {
  const row = reportRows('vgs', text, 'vg')[0];
  if (row === undefined) return undefined;
  return {
    name: row['vg_name'] ?? '',
    sizeBytes: Number(row['vg_size']),
    freeBytes: Number(row['vg_free']),
    extentBytes: Number(row['vg_extent_size']),
  };
}

/** Reads the fifth letter of `lv_attr`. A device without a table (`d`, `i`) counts as no device. */
function stateOf(attributes: string): Volume['state'] {
  const letter = attributes.charAt(4);
  if ('sSMC'.includes(letter || '-')) return 'suspended';
  return '-di'.includes(letter || '-') ? 'inactive' : 'active';
}

/** `lvs --reportformat json`. `lv_snapshot_invalid` is blank for a good snapshot and `unknown` for other volumes; the fifth letter of the attributes says it, too. */
export function parseVolumes(text: string): Volume[] {
  return reportRows('lvs', text, 'lv').map((row) => {
    const attributes = row['lv_attr'] ?? '';
    const origin = row['origin'] ?? '';
    const percent = row['data_percent'] ?? '';
    const thinPool = row['pool_lv'] ?? '';
    return {
      name: row['lv_name'] ?? '',
      bytes: Number(row['lv_size']),
      tags: (row['lv_tags'] ?? '').split(',').filter((tag) => tag !== ''),
      ...(origin === '' ? {} : { origin }),
      ...(percent === '' ? {} : { dataPercent: Number(percent) }),
      invalid: row['lv_snapshot_invalid'] === 'snapshot invalid' || 'IS'.includes(attributes.charAt(4) || '-'),
      open: attributes.charAt(5) === 'o',
      state: stateOf(attributes),
      ...(thinPool === '' ? {} : { thinPool }),
    };
  });
}

const EXTENTS = /^\/[A-Za-z0-9_/.:+-]+:\d+-\d+$/;

/** `lvs -o lv_name,seg_pe_ranges`, one row a segment: where a volume lies, as `lvextend` takes it (`/dev/sdb:12-40`). */
export function parseExtents(text: string, name: string): string[] {
  const extents = reportRows('lvs', text, 'lv')
    .filter((row) => row['lv_name'] === name)
    .flatMap((row) => (row['seg_pe_ranges'] ?? '').split(/\s+/))
    .filter((range) => range !== '');
  const odd = extents.find((range) => !EXTENTS.test(range));
  if (extents.length > 0 && odd === undefined) return extents;
  throw new GuestflowError('ToolFailed', `lvs does not say on which extents volume ${name} lies: ${odd ?? 'none'}`);
}

/** The extents on which a volume lies. */
export async function extentsOf(host: Host, vg: string, name: string): Promise<string[]> {
  return parseExtents(await runReport(host, 'lvs', 'lv_name,seg_pe_ranges', vg), name);
}

/** The volume group; undefined if there is none of that name. */
export async function volumeGroup(host: Host, vg: string): Promise<VolumeGroup | undefined> {
  try {
    return parseVolumeGroup(await runReport(host, 'vgs', 'vg_name,vg_size,vg_free,vg_extent_size', vg));
  } catch (error) {
    // An LVM tool exits with 5 after any failure: only its words tell "there is none" from "could not look".
    if (error instanceof ToolError && error.code === 5 && /not found/i.test(error.stderr)) return undefined;
    throw error;
  }
}

/** What `parseVolumes` reads. */
export const VOLUME_COLUMNS = 'lv_name,lv_size,lv_tags,origin,data_percent,lv_snapshot_invalid,lv_attr,pool_lv';

export async function listVolumes(host: Host, vg: string): Promise<Volume[]> {
  return parseVolumes(await runReport(host, 'lvs', VOLUME_COLUMNS, vg));
}
