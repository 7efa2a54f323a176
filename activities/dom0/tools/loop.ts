/** Loop devices: what stands behind `file:` disks and mounted images. */
import { checkedPath } from './arguments.ts';
import type { Host } from '../../../system/host.ts';
import { ToolError } from '../../../system/run.ts';

export interface LoopDevice {
  readonly device: string;
  readonly file: string;
  /** The kernel detaches it when its last user has gone. */
  readonly autoclear: boolean;
}

const COLUMNS = ['--json', '--list', '--output', 'NAME,BACK-FILE,AUTOCLEAR'] as const;

/** `losetup --json --list`. Some versions print nothing at all when there is no loop device. */
export function parseLoopDevices(text: string): LoopDevice[] {
  if (text.trim() === '') return [];
  const rows = (JSON.parse(text) as { loopdevices: { name: string; 'back-file': string | null; autoclear: boolean }[] }).loopdevices;
  return rows.map((row) => ({ device: row.name, file: (row['back-file'] ?? '').replace(/ \(deleted\)$/, ''), autoclear: row.autoclear }));
}

/** All loop devices in use. */
export async function listLoopDevices(host: Host): Promise<LoopDevice[]> {
  return parseLoopDevices((await host.run('losetup', [...COLUMNS])).stdout);
}

/** Names of the loop devices that stand on this file. */
export async function loopDevicesOf(host: Host, file: string): Promise<string[]> {
  const { stdout } = await host.run('losetup', [...COLUMNS, '--associated', checkedPath('file', file)]);
  return parseLoopDevices(stdout).map((loop) => loop.device);
}

/** Detaches a loop device; one that is free already, or has no device node, is fine. While somebody uses it, the kernel waits for them. */
export async function detachLoop(host: Host, device: string): Promise<void> {
  try {
    await host.run('losetup', ['--detach', checkedPath('loop device', device)]);
  } catch (error) {
    if (!(error instanceof ToolError) || !/No such (device|file)/i.test(error.stderr)) throw error;
  }
}

/** Whether another loop device can be had, how many are in use, and the kernel's limit (0: it makes them as they are asked for). */
export async function freeLoopDevices(host: Host): Promise<{ available: boolean; maxLoop: number; used: number }> {
  const used = (await listLoopDevices(host)).length;
  const limit = await host.files.read('/sys/module/loop/parameters/max_loop');
  const maxLoop = Number(String(limit ?? '0').trim());
  try {
    await host.run('losetup', ['--find']);
    return { available: true, maxLoop, used };
  } catch (error) {
    if (error instanceof ToolError && !error.notFound && !error.cancelled) return { available: false, maxLoop, used };
    throw error;
  }
}

/** Has a loop device take on the size of its file, which has become larger: whoever uses it sees that at once. */
export async function refreshLoop(host: Host, device: string): Promise<void> {
  await host.run('losetup', ['--set-capacity', checkedPath('loop device', device)]);
}
