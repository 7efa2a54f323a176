/** make-volumes of the recipe `direct`: the disks of a guest from the golden root file system, made its own before it ever runs. */
import { defined } from '../../../contract/defined.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { VolumesResult } from '../../../contract/step-results.ts';
import type { Disk } from '../backup/port.ts';
import type { StepEnv } from '../env.ts';
import { goldenNetwork, openGoldenRoot } from '../images/golden-root.ts';
import { makeSwapDisk } from './lvm-migration.ts';
import { fillDisk } from './restore.ts';

/**
 * Writes the golden root file system to a disk that reads as zeros, and makes a machine of its own of it.
 *
 * @param isSpare the guest has another root disk, by whose key dom0 knows it. Default: this is its root disk
 * @returns bytes that were written
 */
export async function fillFromGolden(env: StepEnv, spec: GuestSpec, disk: Disk, isSpare?: true): Promise<number> {
  const golden = await openGoldenRoot(env, spec);
  await fillDisk(env, golden, disk);
  env.progress(`making a machine of its own of it for ${spec.name}`);
  const origin = { network: goldenNetwork(env.settings), isGolden: true, ...defined({ isSpare }) } as const;
  await env.kindOf(spec).makePersonal(spec, disk.device, origin);
  return golden.dumpedBytes;
}

/** @throws NotFound, NoCapacity, ToolFailed */
export async function makeGoldenVolumes(env: StepEnv, spec: GuestSpec): Promise<VolumesResult> {
  const { storage } = env;
  const bytes = await storage.roundUp(spec.size.diskBytes);
  let copiedBytes = 0;
  await storage.ensure(spec, {
    role: 'root',
    bytes,
    field: 'disk',
    fill: async (device) => {
      copiedBytes = await fillFromGolden(env, spec, { device, bytes });
    },
  });
  await makeSwapDisk(env, spec);
  return { root: storage.device(spec.name, 'root'), swap: storage.device(spec.name, 'swap'), copiedBytes };
}
