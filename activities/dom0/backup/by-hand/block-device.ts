/** Whether a block device may be overwritten: what of this machine uses it, how large it is, what is on it. */
import { constants } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { GuestflowError } from '../../../../contract/errors.ts';
import { MiB } from '../../../../contract/sizes.ts';
import type { Host } from '../../../../system/host.ts';
import { plainText } from '../../../../system/plain-text.ts';
import { checkedPath } from '../../tools/arguments.ts';

/** How much of a device is looked at for anything but zeros, and made unreadable when what follows was not finished. */
const HEAD_BYTES = MiB;

const XEN_BACKENDS = '/sys/bus/xen-backend/devices';

/** `253:3` of a device number, as Linux packs it into st_rdev. */
export function deviceNumber(rdev: number): { major: number; minor: number } {
  const bits = BigInt(rdev);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & ~0xffn)),
  };
}

/** @throws Busy when the device is mounted, swap, held by LVM or RAID, open in a guest, or open by another program */
export async function mustBeUnused(host: Host, device: string): Promise<void> {
  const { major, minor } = deviceNumber((await stat(device)).rdev);
  const guest = await guestOn(`${major.toString(16)}:${minor.toString(16)}`);
  if (guest !== undefined) throw inUse(device, `it is a disk of the domain with id ${guest}`);
  if (await opensOfMapped(host, device, `${major}:${minor}`)) throw inUse(device, 'a guest, a copy or another program has it open');
  try {
    // The kernel grants this to one at a time, and to nobody while a file system, swap, LVM or RAID stands on the device or a part of it.
    await (await open(device, constants.O_RDWR | constants.O_EXCL)).close();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'EBUSY') throw inUse(device, `it is ${await usersOf(host, device)}`);
    throw new GuestflowError('InvalidInput', `${device} cannot be written to (${code})`, { field: 'to', value: device });
  }
}

function inUse(device: string, why: string): GuestflowError {
  return new GuestflowError('Busy', `${device} is in use: ${why}`, {
    field: 'to',
    value: device,
    mend: 'name another device, or end what uses it',
  });
}

/** The domain whose disk this device is. blkback does not claim it, so that it could be opened as if it were free. */
async function guestOn(physical: string): Promise<string | undefined> {
  for (const backend of await readdir(XEN_BACKENDS).catch(() => [])) {
    const domain = /^vbd-(\d+)-/.exec(backend)?.[1];
    if (domain === undefined) continue;
    const found = await readFile(`${XEN_BACKENDS}/${backend}/physical_device`, 'utf8').catch(() => '');
    if (found.trim() === physical) return domain;
  }
  return undefined;
}

/** Whether a volume of device-mapper is open. Only those tell. */
async function opensOfMapped(host: Host, device: string, number: string): Promise<boolean> {
  if ((await stat(`/sys/dev/block/${number}/dm`).catch(() => undefined)) === undefined) return false;
  const { stdout } = await host.run('dmsetup', ['info', '--columns', '--noheadings', '--options', 'open', checkedPath('device', device)]);
  return Number(stdout.trim()) > 0;
}

/** Words for what uses a device, as lsblk knows it. */
async function usersOf(host: Host, device: string): Promise<string> {
  const { stdout } = await host.run(
    'lsblk',
    ['--noheadings', '--list', '--paths', '--output', 'NAME,TYPE,MOUNTPOINTS', checkedPath('device', device)],
    {
      okCodes: [0, 1, 32],
    },
  );
  const rows = plainText(stdout)
    .split('\n')
    .map((row) => row.trim().replaceAll(/\s+/g, ' '))
    .filter((row) => row !== '');
  return `mounted, or held by LVM, RAID or another device (${rows.slice(0, 5).join('; ')})`;
}

export async function sizeOf(host: Host, device: string): Promise<number> {
  return Number((await host.run('blockdev', ['--getsize64', checkedPath('device', device)])).stdout);
}

/** What is on a device, in words; undefined when it looks empty. @throws Busy when it belongs to LVM, whose volumes may be switched off */
export async function contentOf(host: Host, device: string): Promise<string | undefined> {
  // 2: it knows nothing on it.
  const { stdout } = await host.run('blkid', ['--probe', '--output', 'export', checkedPath('device', device)], { okCodes: [0, 2, 8] });
  const type = /^TYPE=(.*)$/m.exec(stdout)?.[1] ?? /^PTTYPE=(.*)$/m.exec(stdout)?.[1];
  if (type === 'LVM2_member') throw inUse(device, 'it is a physical volume of LVM');
  if (type !== undefined) return plainText(type);
  const handle = await open(device, constants.O_RDONLY);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead).some((byte) => byte !== 0) ? 'something' : undefined;
  } finally {
    await handle.close();
  }
}

/** Takes away the beginning of a device, so that nobody takes for a file system what was not brought back whole. */
export async function spoilHead(device: string): Promise<void> {
  const handle = await open(device, constants.O_WRONLY);
  try {
    await handle.write(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
