/** Domains of the fake dom0: how they come up from the disks in their cfg, answer, shut down, and die. */
import { XL_FAILED, type FakeCfg } from './cfg.ts';
import { replay } from './ext4.ts';
import { dropUnusedLoops, freeLoop } from './loop.ts';
import { KERNEL_RELEASE, type Machine } from './machine.ts';
import { unique, type FakeDomain, type GuestFs } from './model.ts';
import { failed, type ToolOutput } from './tool.ts';

/** Milliseconds at the speed `watchable`. */
const BOOT_MS = 6_000;
const SHUTDOWN_MS = 3_000;
/** The part of it in which the domain has lost its name. */
const DYING_MS = 600;

const DESTROYING = new Set(['destroy', 'coredump-destroy', 'rename-restart']);

/** Why xl cannot make this domain, in its words; undefined when it can. */
function refusal(machine: Machine, cfg: FakeCfg): ToolOutput | undefined {
  const { state, conditions } = machine;
  const taken = state.domains.find((domain) => domain.name === cfg.name && domain.state !== 'dying');
  if (taken !== undefined) {
    return failed(
      XL_FAILED,
      `libxl: error: libxl_domain.c:1204:libxl__domain_rename: Domain ${String(state.nextDomainId)}:Domain with name "${cfg.name}" already exists.`,
      `libxl: error: libxl_create.c:707:libxl__domain_make: Domain ${String(state.nextDomainId)}:cannot make domain: -6`,
    );
  }
  if (conditions.readOnlyFs)
    return failed(
      XL_FAILED,
      `libxl: error: libxl_dom.c:1:libxl__userdata_store: Domain ${String(state.nextDomainId)}:cannot write /var/lib/xen/userdata-d: Read-only file system`,
    );
  if (conditions.noMemory || machine.freeMemoryMiB() < cfg.memoryMiB + pagingMiB(cfg))
    return failed(XL_FAILED, 'failed to free memory for the domain');
  for (const path of [cfg.kernel, cfg.ramdisk]) {
    if (path !== '' && machine.readText(path) === undefined) {
      return failed(
        XL_FAILED,
        `xc: error: panic: xc_dom_core.c:425: xc_dom_malloc_filemap: failed to open file '${path}': No such file or directory: Internal error`,
        `libxl: error: libxl_dom.c:1:libxl__build_dom: xc_dom_{kernel_file/ramdisk_file} failed: No such file or directory`,
      );
    }
  }
  return diskRefusal(machine, cfg);
}

/** The paging pool of a PVH domain, as measured on Xen 4.17: 8.9 MiB with 128 MiB and 8 vcpus, 9 MiB with 2 GiB and one. */
function pagingMiB(cfg: FakeCfg): number {
  return cfg.type === 'pvh' ? Math.ceil(1.05 * cfg.maxVcpus + (cfg.maxMemMiB ?? cfg.memoryMiB) / 256) : 0;
}

function diskRefusal(machine: Machine, cfg: FakeCfg): ToolOutput | undefined {
  const id = String(machine.state.nextDomainId);
  let loops = 0;
  for (const disk of cfg.disks) {
    const failedToAdd = `libxl: error: libxl_create.c:1:domcreate_launch_dm: Domain ${id}:unable to add disk devices`;
    if (machine.disk(disk.source) === undefined)
      return failed(
        XL_FAILED,
        `libxl: error: libxl_device.c:276:libxl__device_disk_set_backend: Disk vdev=${disk.vdev} failed to stat: ${disk.source}: No such file or directory`,
      );
    if (machine.usersOf(disk.source).length > 0) {
      const script = `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/block add [4711] exited with error status 1`;
      return failed(
        XL_FAILED,
        script,
        `libxl: error: libxl_device.c:1:device_hotplug_child_death_cb: script: Device ${disk.source} is mounted in a guest domain,`,
        failedToAdd,
      );
    }
    if (machine.volumeOfDevice(disk.source) === undefined) loops += 1;
    const free = machine.options.maxLoop === 0 ? Infinity : machine.options.maxLoop - machine.state.loops.length;
    if (machine.volumeOfDevice(disk.source) === undefined && (machine.conditions.noLoop || loops > free)) {
      return failed(
        XL_FAILED,
        `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/block add [4711] exited with error status 1`,
        'libxl: error: libxl_device.c:1:device_hotplug_child_death_cb: script: Failed to find an unused loop device',
        failedToAdd,
      );
    }
  }
  const badBridge = cfg.vifs.find((vif) => vif.bridge !== machine.options.network.bridge);
  if (badBridge !== undefined) {
    return failed(
      XL_FAILED,
      `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/vif-bridge online [4711] exited with error status 1`,
      `libxl: error: libxl_device.c:1:device_hotplug_child_death_cb: script: Could not find bridge device ${badBridge.bridge}`,
    );
  }
  return undefined;
}

/** `xl create`: refuses, or makes the domain; it boots from what its disks hold. */
export function createDomain(machine: Machine, cfgPath: string, cfg: FakeCfg): ToolOutput {
  const refused = refusal(machine, cfg);
  if (refused !== undefined) return refused;
  const { state, options } = machine;
  const rootVdev = /(?:^|\s)\/dev\/(\S+)/.exec(cfg.root)?.[1];
  const rootDisk = cfg.disks.find((disk) => disk.vdev === rootVdev)?.source;
  const domain: FakeDomain = {
    id: state.nextDomainId,
    name: cfg.name,
    cfgPath,
    memoryMiB: cfg.memoryMiB,
    vcpus: cfg.vcpus,
    maxMemoryMiB: cfg.maxMemMiB ?? cfg.memoryMiB,
    pagingMiB: pagingMiB(cfg),
    maxVcpus: cfg.maxVcpus,
    disks: cfg.disks,
    kernel: cfg.kernel,
    bridges: cfg.vifs.map((vif) => vif.bridge),
    scripts: cfg.vifs.map((vif) => vif.script),
    onCrash: cfg.onCrash,
    state: 'running',
    startedAt: machine.now(),
    looksLeft: options.bootPolls,
    booted: false,
    liveSysctl: {},
    ...(rootDisk === undefined ? {} : { rootDisk }),
  };
  state.nextDomainId += 1;
  state.domains.push(domain);
  for (const disk of cfg.disks) {
    const name = machine.volumeOfDevice(disk.source) === undefined ? freeLoop(machine) : undefined;
    if (name !== undefined) state.loops.push({ name, file: disk.source, autoclear: true });
  }
  boot(machine, domain);
  return { code: 0, stdout: `Parsing config from ${cfgPath}\n` };
}

function boot(machine: Machine, domain: FakeDomain): void {
  const log = `/var/log/xen/console/guest-${domain.name}.log`;
  machine.appendText(
    log,
    `[    0.000000] Linux version ${kernelRelease(domain)} (debian-kernel@lists.debian.org)\n[    0.000000] Booting paravirtualized kernel on Xen\n`,
  );
  if (machine.conditions.guestsDoNotBoot) {
    machine.appendText(log, 'A start job is running for dev-xvda2.device (no limit)\n');
    return;
  }
  const root = domain.rootDisk === undefined ? undefined : machine.disk(domain.rootDisk);
  const fs = root?.content.fs;
  if (root === undefined || fs === undefined || fs.damaged) {
    machine.appendText(
      log,
      '[    3.141593] VFS: Unable to mount root fs on unknown-block(202,2)\n[    3.141600] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(202,2)\n',
    );
    if (DESTROYING.has(domain.onCrash)) removeDomain(machine, domain);
    return;
  }
  replay(fs);
  fs.needsRecovery = true;
  // What a guest has fsynced lately is in its journal only, until it is written back.
  fs.journal[`/var/log/boots/${String(domain.id)}`] = 'booted\n';
  root.save();
  for (const { source } of domain.disks) {
    const disk = machine.disk(source);
    if (disk?.content.swapUuid === undefined) continue;
    disk.content.residue = unique([...disk.content.residue, fs.label]);
    disk.save();
  }
  domain.booted = true;
  machine.appendText(log, `\nDebian GNU/Linux 12 ${fs.label} hvc0\n\n${fs.label} login: `);
}

export function kernelRelease(domain: FakeDomain): string {
  return /vmlinu[xz]-([\w.+-]+)$/.exec(domain.kernel)?.[1] ?? KERNEL_RELEASE;
}

/** The domain is gone with all that its existence held. */
export function removeDomain(machine: Machine, domain: FakeDomain): void {
  machine.state.domains = machine.state.domains.filter((other) => other !== domain);
  dropUnusedLoops(machine);
}

/** What the guest does when it is asked to shut down: its file system is clean afterwards. */
export function shutDown(machine: Machine, domain: FakeDomain): void {
  if (!domain.booted || domain.state !== 'running') return;
  domain.state = 'shutting-down';
  domain.startedAt = machine.now();
  domain.looksLeft = machine.options.shutdownPolls;
  const root = domain.rootDisk === undefined ? undefined : machine.disk(domain.rootDisk);
  if (root?.content.fs !== undefined) {
    replay(root.content.fs);
    root.save();
  }
  settleDomains(machine, 0);
}

/** Lets domains that are ending go on to end. @param looks 1 if somebody looks at the list, 0 if only time has passed */
export function settleDomains(machine: Machine, looks: 0 | 1): void {
  const elapsed = (domain: FakeDomain): number => (machine.options.speed === 'instant' ? Infinity : machine.now() - domain.startedAt);
  for (const domain of [...machine.state.domains]) {
    if (domain.state !== 'shutting-down' && domain.state !== 'dying') continue;
    if (domain.looksLeft <= 0 && elapsed(domain) >= SHUTDOWN_MS) removeDomain(machine, domain);
    else if (looks === 1) {
      domain.looksLeft -= 1;
      // At the end of its way out a domain is taken apart: it still holds its disks, but has lost its name.
      if (domain.looksLeft <= 0 && elapsed(domain) >= SHUTDOWN_MS - DYING_MS) domain.state = 'dying';
    }
  }
}

/** The running guest that has this address and has come up, with the file system it runs from. Each call is a look. */
export function answeringGuest(machine: Machine, ip: string): { domain: FakeDomain; fs: GuestFs; save: () => void } | undefined {
  for (const domain of machine.state.domains) {
    if (domain.state !== 'running' || !domain.booted || domain.rootDisk === undefined) continue;
    // Every read and write of the guest waits until the device is resumed.
    if (machine.volumeOfDevice(domain.rootDisk)?.suspended === true) continue;
    if (!domain.bridges.includes(machine.options.network.bridge)) continue;
    const disk = machine.disk(domain.rootDisk);
    const fs = disk?.content.fs;
    if (disk === undefined || fs === undefined || addressOf(fs) !== ip) continue;
    const isUp = domain.looksLeft <= 0 && (machine.options.speed === 'instant' || machine.now() - domain.startedAt >= BOOT_MS);
    domain.looksLeft -= 1;
    if (isUp) return { domain, fs, save: disk.save };
  }
  return undefined;
}

function addressOf(fs: GuestFs): string | undefined {
  return /^\s*address\s+([\d.]+)/m.exec(fs.files['/etc/network/interfaces'] ?? '')?.[1];
}

/** What a guest reads of a file of its own: what it has written lately included. */
export function fileOf(fs: GuestFs, path: string): string | undefined {
  return fs.journal[path] ?? fs.files[path];
}
