/**
 * What `xl -N create` understood, against what was ordered. Its exit code alone proves nothing: it is 0 for `memory='512Mb'`,
 * a misspelt `brigde=` or a disk list that is a string, each of which it drops.
 */
import type { Dom0Settings } from '../../../contract/dom0-settings.ts';
import type { GuestSpec } from '../../../contract/types.ts';
import { devicePath } from '../storage/lvm/lvm.ts';
import { guestPaths, guestVolumes } from '../guest-paths.ts';
import { addressesOf, type FixCfgInput } from '../steps/cfg-fix.ts';

function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string | number, unknown>)[key] : undefined),
    value,
  );
}

function same(found: unknown, wanted: unknown): boolean {
  // xl keeps the blank that xen-tools writes after an address; to the hotplug scripts it means nothing.
  return typeof found === 'string' && typeof wanted === 'string' ? found.trim().toLowerCase() === wanted.toLowerCase() : found === wanted;
}

/** Room to grow, where the plan gives any: without it xl makes both of the guest's own size. */
function roomRows(config: unknown, { maxMemoryBytes, maxVcpus, vcpus }: GuestSpec): [string, unknown, unknown][] {
  const online = at(config, 'b_info', 'avail_vcpus');
  return [
    ...(maxMemoryBytes === undefined
      ? []
      : [['maxmem (KiB)', at(config, 'b_info', 'max_memkb'), maxMemoryBytes / 1024] as [string, unknown, unknown]]),
    ...(maxVcpus === undefined
      ? []
      : [['vcpus at the start', Array.isArray(online) ? online.length : undefined, vcpus] as [string, unknown, unknown]]),
  ];
}

/** The points in which xl's reading (its JSON) differs from the plan, in words; empty when it is as meant. */
export function compareWithPlan(config: unknown, { spec, disks }: FixCfgInput, settings: Dom0Settings): string[] {
  const paths = guestPaths(settings, spec.name);
  const volumes = guestVolumes(spec.name);
  const root = disks === 'lvm' ? devicePath(settings.volumeGroup, volumes.root) : paths.diskImage;
  const swap = disks === 'lvm' ? devicePath(settings.volumeGroup, volumes.swap) : paths.swapImage;
  const diskList = at(config, 'disks');
  const diskOf = (vdev: string): unknown =>
    Array.isArray(diskList) ? diskList.find((disk: unknown) => at(disk, 'vdev') === vdev) : undefined;
  const wanted: [string, unknown, unknown][] = [
    ['name', at(config, 'c_info', 'name'), spec.name],
    ['type', at(config, 'c_info', 'type'), spec.type],
    ['memory (KiB)', at(config, 'b_info', 'target_memkb'), spec.memoryBytes / 1024],
    ['vcpus', at(config, 'b_info', 'max_vcpus'), spec.maxVcpus ?? spec.vcpus],
    ...roomRows(config, spec),
    ['kernel', at(config, 'b_info', 'kernel'), settings.kernel],
    ['ramdisk', at(config, 'b_info', 'ramdisk'), settings.initrd],
    ['disk xvda2', at(diskOf('xvda2'), 'pdev_path'), root],
    ['disk xvda1', at(diskOf('xvda1'), 'pdev_path'), swap],
    ['vif mac', at(config, 'nics', 0, 'mac'), spec.network.mac],
    ['vif bridge', at(config, 'nics', 0, 'bridge'), spec.network.bridge],
    ['vif ip', at(config, 'nics', 0, 'ip'), addressesOf(spec.network)],
  ];
  const text = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
  return wanted
    .filter(([, found, meant]) => !same(found, meant))
    .map(([what, found, meant]) => `${what} is ${text(found)}, not ${text(meant)}`);
}

/** What xl said of a file, line by line. */
export interface SaidOfCfg {
  readonly lines: readonly string[];
  readonly path: string;
}

/** Some lines begin with the file's path and the number of a line in it: both are other ones in a copy that was edited. */
function withoutPlace(line: string, path: string): string {
  return line.replaceAll(path, 'cfg').replace(/^cfg:\d+:/, 'cfg:');
}

/** The lines that xl says of a file and did not say, or not as often, of the one that it was made from. */
export function newlySaid(now: SaidOfCfg, before: SaidOfCfg): string[] {
  const known = before.lines.map((line) => withoutPlace(line, before.path));
  return now.lines.filter((line) => {
    const index = known.indexOf(withoutPlace(line, now.path));
    if (index !== -1) known.splice(index, 1);
    return index === -1;
  });
}
