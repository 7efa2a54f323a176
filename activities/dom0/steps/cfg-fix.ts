/** cfg-fix: the guest's cfg as ordered, the operator's own lines kept, checked by xl itself (rows 6 and 7 of the how-to). */
import { applyChange, parseCfg, type CfgChange } from '../../../xlcfg/index.ts';
import type { CfgResult, GuestNetwork, GuestSpec } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { MiB } from '../../../contract/sizes.ts';
import { devicePath } from '../storage/lvm/lvm.ts';
import { dryRun, saidOf } from '../toolstack/xl/xl.ts';
import { compareWithPlan, newlySaid } from '../guests/cfg-gate.ts';
import { formerCfg, keepFormerCfg, sha256Of, type CfgChangeOf } from '../guests/former-cfg.ts';
import { guestPaths, guestVolumes, type GuestPaths } from '../guest-paths.ts';
import { removeParts } from '../staging.ts';
import { cfgHeader, cfgOwner, mustOwn } from '../marks.ts';
import type { StepEnv } from '../step.ts';

/** Which disks a guest's cfg names. */
export type DiskKind = 'image' | 'lvm';

export interface FixCfgInput {
  readonly spec: GuestSpec;
  readonly disks: DiskKind;
  /** `destroy` until the guest has answered once: with `restart`, one that panics at boot would loop for ever. */
  readonly onCrash: 'destroy' | 'restart';
  /** What the guest is changed from: the bytes of its cfg are kept, so that an undo can put them back. */
  readonly from?: GuestSpec;
  /** Set in an undo: what the guest was being changed to. */
  readonly undoOf?: GuestSpec;
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

/**
 * Edits the cfg, has xl read the candidate without acting, and only then puts it in place, whole. With `from`, the former bytes are kept.
 *
 * @throws GuestflowError NotOurs when the cfg is not this order's; ToolFailed when xl does not read the candidate as it was meant
 */
export async function fixCfg(env: StepEnv, input: FixCfgInput): Promise<CfgResult> {
  const { files } = env.host;
  const { spec, from, undoOf } = input;
  const paths = guestPaths(env.settings, spec.name);
  const existing = await files.read(paths.cfg);
  if (existing !== undefined) mustOwn(cfgOwner(existing), spec, paths.cfg);
  for (const path of [paths.candidateCfg, paths.formerCfg, paths.cfg]) await removeParts(files, path);
  if (undoOf !== undefined) return putBack(env, input, { from: spec, to: undoOf }, existing);

  const made = existing === undefined ? paths.madeCfg : paths.cfg;
  const base = existing ?? (await files.read(made));
  if (base === undefined)
    throw new GuestflowError(
      'ToolFailed',
      `${paths.cfg}: there is no cfg of ${spec.name}, and xen-create-image left none in ${paths.madeCfg}`,
      {},
      false,
    );
  const { bytes, changed } = candidateOf(env, input, base, existing === undefined);
  await files.writeAtomic(paths.candidateCfg, bytes);
  await mustBeReadAsMeant(env, input, made);
  if (existing?.equals(bytes) !== true) {
    if (from !== undefined && existing !== undefined)
      await keepFormerCfg(env, { from, to: spec }, { bytes: existing, writtenSha256: sha256Of(bytes) });
    await files.writeAtomic(paths.cfg, bytes, 0o600);
  }
  await files.remove(paths.candidateCfg);
  return { path: paths.cfg, changed, sha256: sha256Of(bytes) };
}

/**
 * The undo of a change, which passes no gate: what was there before is put back, byte for byte. Where somebody has edited the file since, the
 * change alone is taken back; what can no longer be edited is kept as the candidate, beside the former file.
 */
async function putBack(env: StepEnv, input: FixCfgInput, change: CfgChangeOf, existing: Buffer | undefined): Promise<CfgResult> {
  const { host, settings, log } = env;
  const paths = guestPaths(settings, input.spec.name);
  // What the change was about to put in place, when it was ended before it did.
  await host.files.remove(paths.candidateCfg);
  const former = await formerCfg(env, change);
  if (former === undefined) return { path: paths.cfg, changed: [], sha256: existing === undefined ? '' : sha256Of(existing) };
  let result: { bytes: Buffer; changed: readonly string[] } = { bytes: former.bytes, changed: [] };
  if (existing !== undefined && !existing.equals(former.bytes) && sha256Of(existing) !== former.writtenSha256) {
    try {
      result = candidateOf(env, input, existing, false);
    } catch (error) {
      await host.files.writeAtomic(paths.candidateCfg, existing);
      log.warn(
        { cfg: paths.cfg, kept: paths.candidateCfg },
        `edited meanwhile and put back: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  if (existing?.equals(result.bytes) !== true) await host.files.writeAtomic(paths.cfg, result.bytes, 0o600);
  await host.files.remove(paths.formerCfg);
  return { path: paths.cfg, changed: result.changed, sha256: sha256Of(result.bytes) };
}

/** What a change makes of a cfg: its settings as ordered, and all else as it was. */
function candidateOf(env: StepEnv, input: FixCfgInput, base: Buffer, isNew: boolean): { bytes: Buffer; changed: readonly string[] } {
  const { name, order } = input.spec;
  const { bytes, changed } = applyChange(parseCfg(base), changeFor(env, input, guestPaths(env.settings, name)));
  const header = isNew ? [Buffer.from(`${cfgHeader({ guest: name, order })}\n`)] : [];
  return { bytes: Buffer.concat([...header, bytes]), changed };
}

/**
 * The gate: xl's reading of the candidate is the one that was ordered, and xl says nothing of it that it does not say of the file it was made
 * from as well. Of some legal values xl says what it has read (`got a tsc mode string: "native"`).
 */
async function mustBeReadAsMeant(env: StepEnv, input: FixCfgInput, madeFrom: string): Promise<void> {
  const { name } = input.spec;
  const { candidateCfg } = guestPaths(env.settings, name);
  const { config, warnings } = await dryRun(env.host, candidateCfg);
  const before = warnings.length === 0 ? [] : await saidOf(env.host, madeFrom);
  const complaints = newlySaid({ lines: warnings, path: candidateCfg }, { lines: before, path: madeFrom });
  const disagreements = [...complaints, ...compareWithPlan(config, input, env.settings)];
  if (disagreements.length === 0) return;
  throw new GuestflowError(
    'ToolFailed',
    `xl does not read the cfg of ${name} as it was meant: ${disagreements.join('; ')}. The file was not put in place; the candidate is ${candidateCfg}.`,
    { field: 'cfg' },
    false,
  );
}
