/** make-volumes of the recipe `direct`: the disks of a guest from the golden root file system, made its own before it ever runs. */
import type { GuestSpec } from '../../../contract/guest.ts';
import type { VolumesResult } from '../../../contract/step-results.ts';
import type { StepEnv } from '../env.ts';
import { goldenNetwork, openGoldenRoot } from '../images/golden-root.ts';
import { makeSwapDisk } from './lvm-migration.ts';
import { fillDisk } from './restore.ts';

/** @throws NotFound, NoCapacity, ToolFailed */
export async function makeGoldenVolumes(env: StepEnv, spec: GuestSpec): Promise<VolumesResult> {
  const { storage, settings } = env;
  const bytes = await storage.roundUp(spec.size.diskBytes);
  let copiedBytes = 0;
  await storage.ensure(spec, {
    role: 'root',
    bytes,
    field: 'disk',
    fill: async (device) => {
      const golden = await openGoldenRoot(env, spec);
      await fillDisk(env, golden, { device, bytes });
      env.progress(`making a machine of its own of it for ${spec.name}`);
      await env.kindOf(spec).makePersonal(spec, device, { network: goldenNetwork(settings), isGolden: true });
      copiedBytes = golden.dumpedBytes;
    },
  });
  await makeSwapDisk(env, spec);
  return { root: storage.device(spec.name, 'root'), swap: storage.device(spec.name, 'swap'), copiedBytes };
}
