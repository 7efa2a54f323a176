/** Whether a block device holds nothing, so that a physical volume may be made on it. */
import { GuestflowError } from '../contract/errors.ts';
import { formatSize, GiB } from '../contract/sizes.ts';
import type { Host } from '../system/host.ts';
import { ToolError } from '../system/run.ts';

/** One row of `lsblk --json`. */
export interface BlockRow {
  readonly path: string;
  readonly type: string;
  readonly size: number;
  readonly ro: boolean;
  readonly fstype: string | null;
  readonly pttype: string | null;
  readonly mountpoints: readonly (string | null)[];
  readonly children?: readonly BlockRow[];
}

/** A device that the operator named, as it is. */
export interface Device {
  /** As it was named. */
  readonly named: string;
  /** Where its links lead. */
  readonly path: string;
  readonly bytes: number;
}

/** Room for one small guest; anything smaller was named by mistake. */
export const LEAST_BYTES = 4 * GiB;
/** What can be a physical volume. Not `rom`, and no `lvm`: a volume of another group. */
const TYPES = /^(disk|part|loop|crypt|mpath|md|raid\d+)$/;
const NAMED = /^\/dev(\/[A-Za-z0-9_.+@:=,-]+)+$/;
const COLUMNS = 'PATH,TYPE,SIZE,RO,FSTYPE,PTTYPE,MOUNTPOINTS';

/** `lsblk --json --bytes`. */
export function parseLsblk(text: string): BlockRow[] {
  return (JSON.parse(text) as { blockdevices: BlockRow[] }).blockdevices;
}

/** Signatures that `wipefs --no-act --json` found: a partition table, a file system, a member of something. */
export function parseWipefs(text: string): { readonly type: string; readonly offset: string }[] {
  if (text.trim() === '') return [];
  return (JSON.parse(text) as { signatures: { type: string; offset: string }[] }).signatures;
}

/** Why no physical volume may be made on it; undefined when it holds nothing. */
export function whyNotEmpty(
  row: BlockRow,
  signatures: readonly { readonly type: string; readonly offset: string }[],
  holders: readonly string[],
): string | undefined {
  if (!TYPES.test(row.type)) return `it is of the type ${row.type}`;
  if (row.ro) return 'it is read-only';
  const mounted = row.mountpoints.filter((point) => point !== null);
  if (mounted.length > 0) return mounted.includes('[SWAP]') ? 'it is in use as swap' : `it is mounted at ${mounted.join(', ')}`;
  const children = row.children ?? [];
  const inside = children.flatMap(({ mountpoints }) => mountpoints.filter((point) => point !== null));
  if (inside.includes('/')) return 'the root file system is on it';
  if (children.length > 0) return `it holds ${children.map(({ path, type }) => `${path} (${type})`).join(', ')}`;
  if (holders.length > 0) return `it is held by ${holders.join(', ')}`;
  if (row.pttype !== null) return `it has a partition table (${row.pttype})`;
  const [first] = signatures;
  if (first !== undefined) return `it has a signature of ${first.type} at ${first.offset}`;
  if (row.fstype !== null) return `it holds ${row.fstype}`;
  return row.size < LEAST_BYTES ? `it has ${formatSize(row.size)}: too small, at least ${formatSize(LEAST_BYTES)}` : undefined;
}

function refuse(type: 'InvalidInput' | 'NotOurs' | 'NotFound', named: string, why: string, mend: string): never {
  throw new GuestflowError(type, `device ${named} cannot be used: ${why}`, { field: '--volume-group', value: named, mend });
}

/** The device behind a name like /dev/disk/by-id/…. */
export async function findDevice(host: Host, named: string): Promise<{ device: Device; row: BlockRow }> {
  if (!NAMED.test(named) || named.split('/').includes('..'))
    refuse('InvalidInput', named, 'it is no path below /dev', 'name a block device, e.g. /dev/sdb or /dev/disk/by-id/…');
  const list = 'lsblk --nodeps --paths lists the block devices of the host';
  const path = (
    await host.run('realpath', ['--canonicalize-existing', '--', named]).catch((error: unknown) => {
      if (error instanceof ToolError && error.code === 1) refuse('NotFound', named, 'there is no such device', list);
      throw error;
    })
  ).stdout.trim();
  const [row] = parseLsblk(
    (
      await host.run('lsblk', ['--json', '--bytes', '--paths', '--output', COLUMNS, '--', path]).catch((error: unknown) => {
        if (error instanceof ToolError && !error.notFound) refuse('InvalidInput', named, 'it is no block device', list);
        throw error;
      })
    ).stdout,
  );
  if (row === undefined) return refuse('InvalidInput', named, 'it is no block device', list);
  return { device: { named, path, bytes: row.size }, row };
}

/** The device, if it is empty. If it holds anything, it is refused, and the refusal says what it holds. */
export async function emptyDevice(host: Host, named: string): Promise<Device> {
  const { device, row } = await findDevice(host, named);
  // wipefs reads the device itself; lsblk may say what udev knew of it before.
  const signatures = parseWipefs((await host.run('wipefs', ['--no-act', '--json', '--', device.path])).stdout);
  const holders = await host.files.list(`/sys/class/block/${device.path.slice('/dev/'.length).replaceAll('/', '!')}/holders`);
  const why = whyNotEmpty(row, signatures, holders);
  if (why !== undefined)
    refuse(
      'NotOurs',
      named,
      why,
      `name a device that holds nothing; when nobody needs what is on ${device.path}, empty it yourself (wipefs)`,
    );
  return device;
}
