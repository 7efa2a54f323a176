/** The cfg of a PV or PVH guest: the settings that are ours, and whether the toolstack reads them as meant. */
import type { Dom0Settings } from '../../../order/dom0-settings.ts';
import { MiB } from '../../../contract/sizes.ts';
import { trialName, trialOf } from '../../../contract/trial.ts';
import type { GuestNetwork, GuestSpec } from '../../../contract/guest.ts';
import type { CfgChange, VifSpec } from '../../../xlcfg/index.ts';
import { ANTISPOOF_SCRIPT, vifScript } from '../network/antispoof.ts';
import type { CfgWish } from './port.ts';

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

/** What its disks are called in a cfg: `phy:/dev/…`, `file:/…`. */
export interface Attachments {
  readonly root: string;
  readonly swap: string;
}

/**
 * The settings that are ours. All others in a cfg stay as they are.
 *
 * @param vif the first one, as it is
 */
export function changeFor(
  { spec, onCrash, other }: CfgWish,
  { root, swap }: Attachments,
  settings: Dom0Settings,
  vif?: FoundVif,
): CfgChange {
  const { network } = spec;
  return {
    set: {
      name: spec.name,
      type: spec.os.type,
      kernel: settings.kernel,
      ramdisk: settings.initrd,
      bootloader: null,
      root: `/dev/${ROOT_VDEV} ro`,
      memory: spec.size.memoryBytes / MiB,
      // Xen cannot change these limits while the domain lives: a change of plan without a restart must stay within them.
      maxmem: spec.size.maxMemoryBytes === undefined ? null : spec.size.maxMemoryBytes / MiB,
      vcpus: spec.size.vcpus,
      maxvcpus: spec.size.maxVcpus ?? null,
      on_poweroff: 'destroy',
      on_reboot: 'restart',
      on_crash: onCrash,
    },
    extraWords: [
      ...new Set([`console=${spec.os.serialDevice}`, ...settings.guestKernelWords, ...clocksourceWords(settings.kernel), ...spec.os.extra]),
    ],
    disk: [
      { vdev: ROOT_VDEV, to: root },
      { vdev: SWAP_VDEV, to: swap },
    ],
    vif: [
      {
        index: 0,
        ip: addressesOf(network),
        mac: network.mac,
        bridge: network.bridge,
        ...vifScript(settings, vif?.script),
        ...vifRate(spec, other, vif?.rate),
      },
    ],
  };
}

/** What is read of a vif that is there. */
type FoundVif = Pick<VifSpec, 'script' | 'rate'>;

/**
 * How much the vif sends at most. One that guestflow has set goes with its plan; without one in the plan, an operator's own stays.
 *
 * @param found the rate that the vif has
 */
function vifRate({ size }: GuestSpec, other: GuestSpec | undefined, found: string | null | undefined): { readonly rate?: string | null } {
  if (size.rate !== undefined) return { rate: size.rate };
  return other?.size.rate !== undefined && found === other.size.rate ? { rate: null } : {};
}

const BITS: Readonly<Record<string, number>> = { K: 1e3, M: 1e6, G: 1e9 };
/** Xen lets so much through in each of its intervals of 50 ms. */
const INTERVALS_A_SECOND = 20;

/** What libxl makes of a rate. */
function bytesPerInterval(rate: string): number {
  const number = Number.parseInt(rate, 10) * (BITS[rate.charAt(rate.length - 4)] ?? 1);
  return Math.floor(Math.floor(rate.includes('b') ? number / 8 : number) / INTERVALS_A_SECOND);
}

/** The cfg of a trial before its settings: nothing that an operator wrote for the guest is in it, since a device can belong to one domain only. */
export const TRIAL_CFG = `disk = ['phy:none,${ROOT_VDEV},w', 'phy:none,${SWAP_VDEV},w']\nvif = []\n`;

/** The cfg of a guest before its settings, where xen-create-image has made none. */
export const BARE_CFG = `disk = ['phy:none,${ROOT_VDEV},w', 'phy:none,${SWAP_VDEV},w']\nvif = ['mac=00:16:3E:00:00:00']\n`;

/** The settings of a trial. */
export function trialChange(spec: GuestSpec, attachments: Attachments, settings: Dom0Settings): CfgChange {
  const { vif: _none, set, ...change } = changeFor({ spec: trialOf(spec), disks: 'volume', onCrash: 'destroy' }, attachments, settings);
  return { ...change, set: { ...set, name: trialName(spec.name), on_reboot: 'destroy' } };
}

/** The addresses of a vif: IPv4, then IPv6. The vif's script lets only these through, and other orders see by them that they are taken. */
export function addressesOf({ ip, ipv6 }: GuestNetwork): string {
  return ipv6 === undefined ? ip : `${ip} ${ipv6.address}`;
}

function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string | number, unknown>)[key] : undefined),
    value,
  );
}

function same(found: unknown, wanted: unknown): boolean {
  // xl keeps the blank that xen-tools writes after an address; the hotplug scripts ignore it.
  return typeof found === 'string' && typeof wanted === 'string' ? found.trim().toLowerCase() === wanted.toLowerCase() : found === wanted;
}

/** What is read, what it is, and what it should be. */
type Row = [string, unknown, unknown];

/** The limits to which the guest may grow, if the plan gives any. Without them, xl uses the guest's own size. */
function roomRows(config: unknown, { size: { maxMemoryBytes, maxVcpus, vcpus } }: GuestSpec): Row[] {
  const online = at(config, 'b_info', 'avail_vcpus');
  return [
    ...(maxMemoryBytes === undefined ? [] : [['maxmem (KiB)', at(config, 'b_info', 'max_memkb'), maxMemoryBytes / 1024] as Row]),
    ...(maxVcpus === undefined ? [] : [['vcpus at the start', Array.isArray(online) ? online.length : undefined, vcpus] as Row]),
  ];
}

/**
 * The differences between xl's reading of a cfg (its JSON) and what was meant, in words. Exit code 0 of `xl -N create` proves nothing: xl drops
 * `memory='512Mb'`, a misspelt `brigde=` or a disk list that is a string, and still exits with 0.
 */
export function misread(config: unknown, { spec }: CfgWish, attachments: Attachments, settings: Dom0Settings): string[] {
  const wanted: Row[] = [
    ['name', at(config, 'c_info', 'name'), spec.name],
    ['type', at(config, 'c_info', 'type'), spec.os.type],
    ['memory (KiB)', at(config, 'b_info', 'target_memkb'), spec.size.memoryBytes / 1024],
    ['vcpus', at(config, 'b_info', 'max_vcpus'), spec.size.maxVcpus ?? spec.size.vcpus],
    ...roomRows(config, spec),
    ['kernel', at(config, 'b_info', 'kernel'), settings.kernel],
    ['ramdisk', at(config, 'b_info', 'ramdisk'), settings.initrd],
    diskRow(config, ROOT_VDEV, attachments.root),
    diskRow(config, SWAP_VDEV, attachments.swap),
    ['vif mac', at(config, 'nics', 0, 'mac'), spec.network.mac],
    ['vif bridge', at(config, 'nics', 0, 'bridge'), spec.network.bridge],
    ['vif ip', at(config, 'nics', 0, 'ip'), addressesOf(spec.network)],
    ...(spec.size.rate === undefined
      ? []
      : [['vif rate (bytes in 50 ms)', at(config, 'nics', 0, 'rate_bytes_per_interval'), bytesPerInterval(spec.size.rate)] as Row]),
    ...(settings.network.antispoof ? [['vif script', at(config, 'nics', 0, 'script'), ANTISPOOF_SCRIPT] as Row] : []),
  ];
  return differences(wanted);
}

/** The same for one disk. */
export function diskMisread(config: unknown, vdev: string, attachment: string): string[] {
  return differences([diskRow(config, vdev, attachment)]);
}

function diskRow(config: unknown, vdev: string, attachment: string): Row {
  const disks = at(config, 'disks');
  const found: unknown = Array.isArray(disks) ? disks.find((disk: unknown) => at(disk, 'vdev') === vdev) : undefined;
  return [`disk ${vdev}`, at(found, 'pdev_path'), attachment.slice(attachment.indexOf(':') + 1)];
}

function differences(rows: readonly Row[]): string[] {
  const text = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
  return rows
    .filter(([, found, meant]) => !same(found, meant))
    .map(([what, found, meant]) => `${what} is ${text(found)}, not ${text(meant)}`);
}
