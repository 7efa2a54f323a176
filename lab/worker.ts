/** Puts the dom0 worker into the lab: its Debian package and its configuration, handed over on dom0's third disk. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Runner } from '../system/run.ts';
import { until } from '../system/until.ts';
import { unpackDeb } from './deb.ts';
import type { Layout } from './layout.ts';
import { TEMPORAL_INSIDE } from './machine.ts';
import { execInDom0 } from './ssh.ts';

const UNIT = 'guestflow-dom0.service';
/** The worker's start under emulation takes 10 to 25 seconds. */
const KNOCK_LIMIT_MS = 90_000;

/** Extra words for the kernels of guests: found to shorten their start under emulation. */
export const GUEST_KERNEL_WORDS: readonly string[] = ['net.ifnames=0', 'mitigations=off', 'audit=0'];

/** `/etc/guestflow/dom0.yaml` of a lab. */
export function dom0Configuration(dom0Name: string, kernelVersion: string): string {
  return [
    `host: ${dom0Name}`,
    'volumeGroup: vg01',
    'imageDir: /home/xen',
    'bridge: xenbr0',
    'network: {cidr: 192.168.77.0/24, gateway: 192.168.77.1}',
    `kernel: /boot/vmlinux-${kernelVersion}`,
    `initrd: /boot/initrd.img-${kernelVersion}`,
    `modules: /srv/guestflow/modules/${kernelVersion}`,
    'backupDir: /var/backups/guestflow',
    'goldenDir: /var/lib/guestflow/golden',
    `guestKernelWords: [${GUEST_KERNEL_WORDS.join(', ')}]`,
    '',
  ].join('\n');
}

/** Makes the parcel a file system with the folder's files; its size stays as QEMU knows it. */
async function fillParcel(runner: Runner, folder: string, parcel: string): Promise<void> {
  await runner.run('mke2fs', ['-q', '-F', '-t', 'ext2', '-m', '0', '-N', '256', '-E', 'root_owner=0:0', '-d', folder, parcel]);
}

/** Installs (or upgrades) the worker's package with this lab's configuration and starts it. */
export async function installWorker(
  runner: Runner,
  layout: Layout,
  packageFile: string,
  dom0Name: string,
  signal?: AbortSignal,
): Promise<void> {
  const options = { timeoutMs: 5 * 60_000, ...(signal === undefined ? {} : { signal }) };
  const kernel = (await execInDom0(runner, layout, ['uname', '-r'], options)).stdout.trim();
  const folder = await mkdtemp(path.join(layout.home, 'parcel-'));
  try {
    await writeFile(path.join(folder, 'dom0.yaml'), dom0Configuration(dom0Name, kernel), { mode: 0o644 });
    await writeFile(path.join(folder, 'worker.env'), `TEMPORAL_ADDRESS=${TEMPORAL_INSIDE}\nGUESTFLOW_DOM0=${dom0Name}\n`, { mode: 0o644 });
    await unpackDeb(runner, packageFile, path.join(folder, 'worker.deb'));
    await fillParcel(runner, folder, layout.parcel);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  // The disk was written without dom0's knowledge: dom0 may hold old pages of it.
  const script = `blockdev --flushbufs /dev/vdc
mount -t ext4 -o ro /dev/vdc /mnt
trap 'umount /mnt' EXIT
mkdir -p /etc/guestflow
cp /mnt/dom0.yaml /mnt/worker.env /etc/guestflow/
DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold --force-unsafe-io /mnt/worker.deb
systemctl is-enabled --quiet ${UNIT} || systemctl enable --quiet ${UNIT}
systemctl start --no-block ${UNIT}`;
  await execInDom0(runner, layout, ['sh', '-ec', script], { ...options, label: "installing the dom0 worker's package" });
}

/** Waits until the worker asks for Temporal while the gate is shut: from then on it is as ready as it can be. False when it does not in time. */
export async function awaitKnock(layout: Layout, signal?: AbortSignal): Promise<boolean> {
  return (await until(() => existsSync(layout.knocked), { everyMs: 200, limitMs: KNOCK_LIMIT_MS, signal })) === true;
}
