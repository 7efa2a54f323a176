/** cfg-fix: the guest's cfg as ordered, the operator's own lines kept, checked by xl itself (rows 6 and 7 of the how-to). */
import { createHash } from 'node:crypto';
import { applyChange, parseCfg, type CfgChange } from '../../xlcfg/index.ts';
import type { CfgResult, GuestNetwork, GuestSpec } from '../../contract/types.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { MiB } from '../../contract/sizes.ts';
import { devicePath } from '../host/lvm.ts';
import { dryRun } from '../host/xl.ts';
import { compareWithPlan } from '../cfg-gate.ts';
import { guestPaths, guestVolumes, type GuestPaths } from '../guest-paths.ts';
import { removeParts } from '../half-made.ts';
import { cfgHeader, cfgOwner, mustOwn } from '../marks.ts';
import type { StepEnv } from '../step.ts';

/** Which disks a guest's cfg names. */
export type DiskKind = 'image' | 'lvm';

export interface FixCfgInput {
  readonly spec: GuestSpec;
  readonly disks: DiskKind;
  /** `destroy` until the guest has answered once: with `restart`, one that panics at boot would loop for ever. */
  readonly onCrash: 'destroy' | 'restart';
}

/** Devices as xen-create-image names them: the root file system is the second. */
const ROOT_VDEV = 'xvda2';
const SWAP_VDEV = 'xvda1';

/**
 * Kernels before 2.6.37 (the how-to's Lenny among them) lose their clock on Xen with the `xen` clocksource and log
 * `Time went backwards`; `jiffies` was the cure. Later ones keep time with `xen` or `tsc` and must not be told anything.
 */
export function clocksourceWords(kernelPath: string): string[] {
  const match = /vmlinu[xz]-(\d+)\.(\d+)\.(\d+)/.exec(kernelPath);
  if (match === null) return [];
  const [major, minor, patch] = match.slice(1).map(Number) as [number, number, number];
  return major === 2 && minor === 6 && patch < 37 ? ['clocksource=jiffies'] : [];
}

function changeFor(env: StepEnv, { spec, disks, onCrash }: FixCfgInput, paths: GuestPaths): CfgChange {
  const { settings } = env;
  const volumes = guestVolumes(spec.name);
  const root = disks === 'lvm' ? `phy:${devicePath(settings.volumeGroup, volumes.root)}` : `file:${paths.diskImage}`;
  const swap = disks === 'lvm' ? `phy:${devicePath(settings.volumeGroup, volumes.swap)}` : `file:${paths.swapImage}`;
  return {
    set: {
      name: spec.name,
      type: spec.type,
      kernel: settings.kernel,
      ramdisk: settings.initrd,
      bootloader: null,
      root: `/dev/${ROOT_VDEV} ro`,
      memory: spec.memoryBytes / MiB,
      // Xen keeps to these for as long as the domain lives: they are the room for a change of plan without a restart.
      maxmem: spec.maxMemoryBytes === undefined ? null : spec.maxMemoryBytes / MiB,
      vcpus: spec.vcpus,
      maxvcpus: spec.maxVcpus ?? null,
      on_poweroff: 'destroy',
      on_reboot: 'restart',
      on_crash: onCrash,
    },
    extraWords: [
      ...new Set([`console=${spec.serialDevice}`, ...settings.guestKernelWords, ...clocksourceWords(settings.kernel), ...spec.extra]),
    ],
    disk: [
      { vdev: ROOT_VDEV, to: root },
      { vdev: SWAP_VDEV, to: swap },
    ],
    vif: [{ index: 0, ip: addressesOf(spec.network), mac: spec.network.mac, bridge: spec.network.bridge }],
  };
}

/** IPv4 first, IPv6 beside it: what the vif's script lets through, and how another order finds that they are taken. */
export function addressesOf({ ip, ipv6 }: GuestNetwork): string {
  return ipv6 === undefined ? ip : `${ip} ${ipv6.address}`;
}

/** Edits the cfg, has xl read the candidate without acting, and only then puts it in place, whole. */
export async function fixCfg(env: StepEnv, input: FixCfgInput): Promise<CfgResult> {
  const { host } = env;
  const { spec } = input;
  const paths = guestPaths(env.settings, spec.name);
  const existing = await host.files.read(paths.cfg);
  if (existing !== undefined) mustOwn(cfgOwner(existing), spec, paths.cfg);
  const base = existing ?? (await host.files.read(paths.madeCfg));
  if (base === undefined)
    throw new GuestflowError(
      'ToolFailed',
      `${paths.cfg}: there is no cfg of ${spec.name}, and xen-create-image left none in ${paths.madeCfg}`,
      {},
      false,
    );

  const edited = applyChange(parseCfg(base), changeFor(env, input, paths));
  const bytes =
    existing === undefined
      ? Buffer.concat([Buffer.from(`${cfgHeader({ guest: spec.name, order: spec.order })}\n`), edited.bytes])
      : Buffer.from(edited.bytes);
  for (const path of [paths.candidateCfg, paths.cfg]) await removeParts(host.files, path);
  await host.files.writeAtomic(paths.candidateCfg, bytes);
  const { config, warnings } = await dryRun(host, paths.candidateCfg);
  const disagreements = [...warnings, ...compareWithPlan(config, input, env.settings)];
  if (disagreements.length > 0) {
    throw new GuestflowError(
      'ToolFailed',
      `xl does not read the cfg of ${spec.name} as it was meant: ${disagreements.join('; ')}. The file was not put in place; the candidate is ${paths.candidateCfg}.`,
      { field: 'cfg' },
      false,
    );
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (existing?.equals(bytes) !== true) await host.files.writeAtomic(paths.cfg, bytes, 0o600);
  await host.files.remove(paths.candidateCfg);
  return { path: paths.cfg, changed: edited.changed, sha256 };
}
