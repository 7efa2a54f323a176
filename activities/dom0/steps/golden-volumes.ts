/** make-volumes of the recipe `direct`: the disks of a guest from the golden root file system, made its own before it ever runs. */
import { defined } from '../../../contract/defined.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { VolumesResult } from '../../../contract/step-results.ts';
import type { StepEnv } from '../env.ts';
import { openGoldenRoot, type OpenedRoot } from '../images/golden-root.ts';
import { goldenNetwork } from '../images/golden-system.ts';
import { makeSwapDisk } from './lvm-migration.ts';
import { fillDisk, growToDisk } from './restore.ts';

/** What is made from a golden root file system. */
interface FromGolden {
  readonly role: 'root' | 'restored' | 'rescue' | 'trial';
  readonly bytes: number;
  /** Default: the one that is in use for such guests. */
  readonly golden?: OpenedRoot;
}

/**
 * Beside which disk it is made. Beside a spare disk the guest has a root disk, by whose key dom0 knows it. A trial is as a rescue system: it gets no key of
 * guestflow's, since nobody logs in.
 */
const BESIDE = { root: undefined, restored: 'spare', rescue: 'rescue', trial: 'rescue' } as const;

/**
 * Makes the guest's disk of this role from the golden root file system, and a machine of its own of it. Where the pool clones disks, it is a clone.
 *
 * @returns bytes that were copied
 * @throws NotFound, NoCapacity, ToolFailed
 */
export async function ensureFromGolden(env: StepEnv, spec: GuestSpec, { role, bytes, golden: given }: FromGolden): Promise<number> {
  // Opened only when the disk is made: a whole one needs it no more.
  let opened = given;
  const open = async (): Promise<OpenedRoot> => (opened ??= await openGoldenRoot(env, spec));
  let copiedBytes = 0;
  await env.storage.ensure(spec, {
    role,
    bytes,
    field: 'disk',
    template: async () => (await open()).template,
    fill: async (device, isClone) => {
      const golden = await open();
      if (isClone) await growToDisk(env, golden, { device, bytes });
      else await fillDisk(env, golden, { device, bytes });
      copiedBytes = isClone ? 0 : golden.dumpedBytes;
      env.progress(`making a machine of its own of it for ${spec.name}`);
      const origin = { network: goldenNetwork(env.settings), isGolden: true, ...defined({ beside: BESIDE[role] }) } as const;
      await env.kindOf(spec).makePersonal(spec, device, origin);
    },
  });
  return copiedBytes;
}

/** @throws NotFound, NoCapacity, ToolFailed */
export async function makeGoldenVolumes(env: StepEnv, spec: GuestSpec): Promise<VolumesResult> {
  const { storage } = env;
  const bytes = await storage.roundUp(spec.size.diskBytes);
  const copiedBytes = await ensureFromGolden(env, spec, { role: 'root', bytes });
  await makeSwapDisk(env, spec);
  return { root: storage.device(spec.name, 'root'), swap: storage.device(spec.name, 'swap'), copiedBytes };
}
