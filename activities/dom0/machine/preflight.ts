/** What the machine itself needs for guests: tools, loop devices, room, a kernel to start them with. Rows of the preflight. */
import { GiB, formatSize } from '../../../contract/sizes.ts';
import type { PreflightRow } from '../../../contract/dom0.ts';
import { missing, ok, warning } from '../preflight-rows.ts';
import { isInstalled } from '../tools/installed.ts';
import { freeLoopDevices } from '../tools/loop.ts';
import type { Work } from '../work.ts';

/** Tools of the steps, with the Debian package that has each. */
const TOOLS: readonly (readonly [path: string, packageName: string])[] = [
  ['/usr/sbin/xl', 'xen-utils-common'],
  ['/usr/bin/xen-create-image', 'xen-tools'],
  ['/usr/sbin/lvcreate', 'lvm2'],
  ['/usr/sbin/dump', 'dump'],
  ['/usr/sbin/restore', 'dump'],
  ['/usr/sbin/e2fsck', 'e2fsprogs'],
  ['/usr/sbin/resize2fs', 'e2fsprogs'],
  ['/usr/sbin/dumpe2fs', 'e2fsprogs'],
  ['/usr/bin/perl', 'perl-base'],
  ['/usr/sbin/debugfs', 'e2fsprogs'],
  ['/usr/sbin/e2undo', 'e2fsprogs'],
  ['/usr/sbin/mkswap', 'util-linux'],
  ['/usr/sbin/blkdiscard', 'util-linux'],
  ['/usr/sbin/losetup', 'mount'],
  ['/usr/bin/qemu-img', 'qemu-utils'],
  ['/usr/bin/zstd', 'zstd'],
  ['/usr/bin/ssh', 'openssh-client'],
  ['/usr/bin/arping', 'iputils-arping'],
  ['/usr/bin/mmdebstrap', 'mmdebstrap'],
  ['/usr/bin/systemd-run', 'systemd'],
];

/** A golden tarball and an image need about this much beside each other. */
const IMAGE_ROOM = 2 * GiB;

export async function machinePreflight(work: Work): Promise<PreflightRow[]> {
  return [await tools(work), await imageRoom(work), await kernel(work), await loops(work), await pygrub(work)];
}

async function tools({ host }: Work): Promise<PreflightRow> {
  const absent: (readonly [string, string])[] = [];
  for (const tool of TOOLS) if (!(await isInstalled(host.files, tool[0]))) absent.push(tool);
  if (absent.length === 0) return ok('tools', `${TOOLS.length} tools present`);
  return missing(
    'tools',
    `missing: ${absent.map(([path]) => path.split('/').at(-1)).join(', ')}`,
    `apt-get install ${[...new Set(absent.map(([, name]) => name))].join(' ')}`,
  );
}

async function imageRoom({ host, settings: { imageDir } }: Work): Promise<PreflightRow> {
  if ((await host.files.info(imageDir)) === undefined)
    return missing('image directory', `${imageDir} does not exist`, `mkdir -p ${imageDir}`);
  const free = await host.files.freeBytes(imageDir);
  return free >= IMAGE_ROOM
    ? ok('image directory', `${imageDir}, ${formatSize(free)} free`)
    : missing('image directory', `${imageDir} has ${formatSize(free)} free`, `make room: an image needs ${formatSize(IMAGE_ROOM)}`);
}

async function kernel({ host, settings }: Work): Promise<PreflightRow> {
  for (const path of [settings.kernel, settings.initrd]) {
    if ((await host.files.info(path)) === undefined)
      return missing('guest kernel', `${path} does not exist`, 'set kernel and initrd in /etc/guestflow/dom0.yaml to files that exist');
  }
  return ok('guest kernel', settings.kernel);
}

async function loops({ host }: Work): Promise<PreflightRow> {
  const { available, maxLoop, used } = await freeLoopDevices(host);
  return available
    ? ok('loop devices', maxLoop === 0 ? `made on demand, ${used} in use` : `${used} of ${maxLoop} in use`)
    : missing(
        'loop devices',
        'none free',
        'modprobe loop, or detach unused ones (losetup --detach); for more: "options loop max_loop=255" in /etc/modprobe.d/loop.conf',
      );
}

async function pygrub({ host }: Work): Promise<PreflightRow> {
  const text = (await host.files.read('/etc/xen-tools/distributions.conf'))?.toString('utf8') ?? '';
  // The word overrides --nopygrub: guests would be made to boot by pygrub, and would need grub and a mirror inside.
  const forced = /^(\S+)\s*=.*\bpygrub\b/m.exec(text)?.[1];
  return forced === undefined
    ? ok('xen-tools', 'no distribution is forced to pygrub')
    : warning(
        'xen-tools',
        `/etc/xen-tools/distributions.conf forces pygrub for ${forced} and others`,
        "sed -i 's/ pygrub//' /etc/xen-tools/distributions.conf",
      );
}

export async function hasFreeLoopDevice({ host }: Work): Promise<boolean> {
  return (await freeLoopDevices(host)).available;
}
