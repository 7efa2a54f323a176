/** LVM: volume groups, logical volumes, snapshots. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { checkedBytes, checkedPath, checkedTag, checkedVolume } from '../../tools/arguments.ts';
import type { Host } from '../../../../system/host.ts';
import { paced, type Pace } from '../../../../system/pace.ts';
import { tail, ToolError } from '../../../../system/run.ts';
import { defined } from '../../../../contract/defined.ts';
import { until } from '../../../../system/until.ts';

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
}

/** What a volume is made of. Bytes are rounded up to whole extents by LVM. */
export interface NewVolume {
  readonly vg: string;
  readonly name: string;
  readonly bytes: number;
  readonly tags: readonly string[];
}

const REMOVE_LIMIT_MS = 10_000;
const REMOVE_PAUSE_MS = 500;
const OPEN_LIMIT_MS = 5_000;
const OPEN_PAUSE_MS = 500;
const ZERO_STEP_BYTES = 256 * 2 ** 20;
const DAY_MS = 24 * 60 * 60 * 1000;
const FLUSH_LIMIT_MS = 10 * 60 * 1000;

/** The device of a volume. */
export function devicePath(vg: string, name: string): string {
  return `/dev/${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`;
}

function reportRows(tool: string, text: string, key: string): Record<string, string>[] {
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
async function runReport(host: Host, tool: 'vgs' | 'lvs', columns: string, vg: string): Promise<string> {
  const args = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '-o', columns, checkedVolume('volume group', vg)];
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
    return {
      name: row['lv_name'] ?? '',
      bytes: Number(row['lv_size']),
      tags: (row['lv_tags'] ?? '').split(',').filter((tag) => tag !== ''),
      ...(origin === '' ? {} : { origin }),
      ...(percent === '' ? {} : { dataPercent: Number(percent) }),
      invalid: row['lv_snapshot_invalid'] === 'snapshot invalid' || 'IS'.includes(attributes.charAt(4) || '-'),
      open: attributes.charAt(5) === 'o',
      state: stateOf(attributes),
    };
  });
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

export async function listVolumes(host: Host, vg: string): Promise<Volume[]> {
  return parseVolumes(await runReport(host, 'lvs', 'lv_name,lv_size,lv_tags,origin,data_percent,lv_snapshot_invalid,lv_attr', vg));
}

/**
 * The volumes that are asked for, if none of them is open; else it throws ToolFailed.
 *
 * The kernel does not prevent a wipe of an open volume: xen-blkback opens a guest's disk without excluding others, and only lvremove would refuse, after
 * the wipe. udev opens devices for a moment, so it looks again for five seconds.
 */
export async function closedVolumes(host: Host, vg: string, isMeant: (volume: Volume) => boolean): Promise<Volume[]> {
  let open: string[] = [];
  const look = async (): Promise<Volume[] | undefined> => {
    const volumes = (await listVolumes(host, vg)).filter(isMeant);
    open = volumes.filter((volume) => volume.open).map(({ name }) => `${vg}/${name}`);
    return open.length === 0 ? volumes : undefined;
  };
  const closed = await until(look, { everyMs: OPEN_PAUSE_MS, limitMs: OPEN_LIMIT_MS });
  if (closed !== undefined) return closed;
  throw new GuestflowError(
    'ToolFailed',
    `${open.join(', ')} is open: a domain, a mount or a tool uses it; it stays as it is until that has ended`,
  );
}

/**
 * Makes sure that a volume has a device that answers. LVM's tools change metadata and device one after the other: lvcreate makes the device last,
 * lvremove removes it first, and a snapshot suspends its origin in between. If a tool is killed there, the next attempt repairs it by this.
 */
export async function activateVolume(host: Host, vg: string, { name, state }: Pick<Volume, 'name' | 'state'>): Promise<void> {
  if (state === 'active') return;
  const place = `${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`;
  await host.run('lvchange', ['-qq', state === 'suspended' ? '--refresh' : '-ay', place]);
}

function creation({ name, bytes, tags }: NewVolume): string[] {
  const size = `${String(checkedBytes('size', bytes))}b`;
  return ['-L', size, '-n', checkedVolume('volume', name), ...tags.flatMap((tag) => ['--addtag', checkedTag(tag)])];
}

/** Makes a volume. Old signatures at its start are wiped; the rest of its content is not: see `zeroVolume`. */
export async function createVolume(host: Host, volume: NewVolume): Promise<void> {
  await host.run('lvcreate', ['-qq', '-Wy', '--yes', ...creation(volume), checkedVolume('volume group', volume.vg)]);
}

/** Makes a writable snapshot of `origin`; `bytes` is what may change on either until it overflows. */
export async function createSnapshot(host: Host, snapshot: NewVolume & { readonly origin: string }): Promise<void> {
  const source = `${checkedVolume('volume group', snapshot.vg)}/${checkedVolume('origin', snapshot.origin)}`;
  await host.run('lvcreate', ['-qq', '--yes', '-s', ...creation(snapshot), source]);
}

export async function renameVolume(host: Host, vg: string, from: string, to: string): Promise<void> {
  await host.run('lvrename', ['-qq', checkedVolume('volume group', vg), checkedVolume('volume', from), checkedVolume('volume', to)]);
}

/** Changes a volume's tags in one step. It is no error if a tag to add exists, or one to remove does not. */
export async function tagVolume(
  host: Host,
  vg: string,
  name: string,
  tags: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
): Promise<void> {
  const options = [
    ...(tags.add ?? []).flatMap((tag) => ['--addtag', checkedTag(tag)]),
    ...(tags.remove ?? []).flatMap((tag) => ['--deltag', checkedTag(tag)]),
  ];
  if (options.length === 0) return;
  await host.run('lvchange', ['-qq', ...options, `${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`]);
}

/** Grows a volume to `bytes`. LVM refuses a size that is not larger. */
export async function extendVolume(host: Host, vg: string, name: string, bytes: number): Promise<void> {
  const size = `${String(checkedBytes('size', bytes))}b`;
  await host.run('lvextend', ['-qq', '-L', size, `${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`]);
}

/** Takes space off a volume's end. What is there must have been moved and wiped before. */
export async function reduceVolume(host: Host, vg: string, name: string, bytes: number): Promise<void> {
  const size = `${String(checkedBytes('size', bytes))}b`;
  await host.run('lvreduce', ['-qq', '--yes', '-L', size, `${checkedVolume('volume group', vg)}/${checkedVolume('volume', name)}`]);
}

/**
 * Removes a volume, without wiping its content. If there is none of that name, it does nothing.
 *
 * udev opens a device for a moment after it was closed, and lvremove then says that it is in use: so it tries again for ten seconds.
 */
export async function removeVolume(host: Host, vg: string, name: string): Promise<void> {
  const device = devicePath(vg, name);
  const deviceStays = new GuestflowError('ToolFailed', `volume ${vg}/${name} was removed, but its device ${device} is still there`);
  let reason: Error = deviceStays;
  const isListed = async (): Promise<boolean> => {
    await host.run('udevadm', ['settle', '--timeout=10'], { okCodes: [0, 1], timeoutMs: 30_000 });
    return (await listVolumes(host, vg)).some((volume) => volume.name === name);
  };
  const isRemoved = async (): Promise<boolean> => {
    try {
      if (await isListed()) await host.run('lvremove', ['-qq', '--yes', `${vg}/${name}`]);
      else return true;
    } catch (error) {
      if (!(error instanceof ToolError) || !/in use|contains a filesystem/i.test(error.stderr)) throw error;
      reason = error;
      return false;
    }
    reason = deviceStays;
    return !(await isListed());
  };
  const isGone = async (): Promise<boolean> => (await isRemoved()) && (await host.files.info(device)) === undefined;
  if (!(await until(isGone, { everyMs: REMOVE_PAUSE_MS, limitMs: REMOVE_LIMIT_MS }))) throw reason;
}

/** Which part of a device is wiped, and how. */
export interface Wipe {
  /** The device's size: for `onProgress`, and for what is left of it. */
  readonly bytes: number;
  /** Only from there on. Default: all of it. */
  readonly offset?: number;
  /** Default: as fast as the device can. */
  readonly pace?: Pace;
  readonly signal?: AbortSignal;
  /** Told the bytes that are done. */
  readonly onProgress?: (doneBytes: number) => void;
  /** Told from time to time up to where the zeros are safely on the disk: from there a wipe that was cut short may go on. */
  readonly checkpoint?: { readonly everyBytes: number; readonly reached: (bytes: number) => Promise<void> };
}

/**
 * Writes zeros over a whole device, so that the next user of its space reads nothing of it. The kernel refuses this while a file system on the device is
 * mounted in dom0, but not while a guest uses it: call `closedVolumes` before.
 */
export async function zeroVolume(host: Host, device: string, wipe: Wipe): Promise<void> {
  const { bytes, offset = 0, pace, signal, checkpoint } = wipe;
  const step = pace === undefined ? (checkpoint?.everyBytes ?? Infinity) : pacedStep(pace.bytesPerSecond);
  let kept = offset;
  for (let at = offset; at < bytes; at += step) {
    const isLast = at + step >= bytes;
    // The last part has no length, so that it reaches the device's very end.
    const part = [...(at === 0 && isLast ? [] : ['--offset', String(at)]), ...(isLast ? [] : ['--length', String(step)])];
    const work = (): Promise<void> => zeroPart(host, device, wipe, part);
    await (pace === undefined ? work() : paced(pace, isLast ? bytes - at : step, work, signal));
    if (checkpoint === undefined || isLast || at + step - kept < checkpoint.everyBytes) continue;
    kept = at + step;
    await flushDevice(host, device, signal);
    await checkpoint.reached(kept);
  }
}

/** Flushes a device: what was written to it is on the disk afterwards, not only in the disk's cache. */
async function flushDevice(host: Host, device: string, signal?: AbortSignal): Promise<void> {
  await host.run('sync', ['--', checkedPath('device', device)], { timeoutMs: FLUSH_LIMIT_MS, ...defined({ signal }) });
}

/** About a second's worth, in whole extents. */
function pacedStep(bytesPerSecond: number): number {
  const extent = 4 * 2 ** 20;
  return Math.min(ZERO_STEP_BYTES, Math.max(1, Math.floor(bytesPerSecond / extent)) * extent);
}

async function zeroPart(host: Host, device: string, { bytes, signal, onProgress }: Wipe, part: readonly string[]): Promise<void> {
  // In steps, because one request for the whole device could be neither cancelled nor followed.
  await host.run('blkdiscard', ['--zeroout', '--verbose', '--step', String(ZERO_STEP_BYTES), ...part, checkedPath('device', device)], {
    timeoutMs: DAY_MS,
    ...defined({ signal }),
    onOutput: (text) => {
      const last = /Zero-filled (\d+) bytes from the offset (\d+)\s*$/.exec(text);
      if (last !== null) onProgress?.(Math.min(bytes, Number(last[1]) + Number(last[2])));
    },
  });
}
