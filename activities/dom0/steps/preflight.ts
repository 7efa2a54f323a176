/** preflight: what a dom0 needs, found or missing, with the command that mends it (rows 1, 2, 4, 8 and 13 of the how-to). */
import type { PreflightReport, PreflightRow } from '../../../contract/types.ts';
import { GiB, formatSize } from '../../../contract/sizes.ts';
import { CONSOLE_LINE, withConsoleLog, withoutPygrub } from '../tools/dom0-files.ts';
import { volumeGroup } from '../storage/lvm/lvm.ts';
import { freeLoopDevices } from '../tools/loop.ts';
import { hasBridge } from '../tools/net.ts';
import { hostInfo } from '../toolstack/xl/xl.ts';
import type { StepEnv } from '../step.ts';
import { routerRow, savedStatesRow } from './preflight-surroundings.ts';

/** Tools of the steps, with the Debian package that has each. */
const TOOLS: readonly (readonly [path: string, packageName: string])[] = [
  ['/usr/sbin/xl', 'xen-utils-common'],
  ['/usr/bin/xen-create-image', 'xen-tools'],
  ['/usr/sbin/lvcreate', 'lvm2'],
  ['/usr/sbin/dump', 'dump'],
  ['/usr/sbin/restore', 'dump'],
  ['/usr/sbin/e2fsck', 'e2fsprogs'],
  ['/usr/sbin/resize2fs', 'e2fsprogs'],
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

type Look = (env: StepEnv) => Promise<PreflightRow>;

function ok(row: string, found: string): PreflightRow {
  return { row, state: 'ok', found };
}

function missing(row: string, found: string, mend: string): PreflightRow {
  return { row, state: 'missing', found, mend };
}

/** Debian merged /usr: a tool may be named by either path. */
async function isThere(env: StepEnv, path: string): Promise<boolean> {
  const { files } = env.host;
  return (
    (await files.info(path)) !== undefined ||
    (await files.info(path.replace(/^\/usr/, ''))) !== undefined ||
    (await files.info(path.replace('/sbin/', '/bin/'))) !== undefined
  );
}

const hypervisor: Look = async (env) => {
  try {
    const info = await hostInfo(env.host);
    return ok('hypervisor', `Xen ${info.xenVersion}, ${String(info.freeMemoryMiB)} of ${String(info.totalMemoryMiB)} MiB free`);
  } catch (error) {
    return missing(
      'hypervisor',
      `xl info fails: ${error instanceof Error ? error.message : String(error)}`,
      'apt-get install xen-system-amd64, then reboot into Xen',
    );
  }
};

const tools: Look = async (env) => {
  const absent: (readonly [string, string])[] = [];
  for (const tool of TOOLS) if (!(await isThere(env, tool[0]))) absent.push(tool);
  if (absent.length === 0) return ok('tools', `${String(TOOLS.length)} tools present`);
  return missing(
    'tools',
    `missing: ${absent.map(([path]) => path.split('/').at(-1)).join(', ')}`,
    `apt-get install ${[...new Set(absent.map(([, name]) => name))].join(' ')}`,
  );
};

const bridge: Look = async (env) => {
  const name = env.settings.bridge;
  return (await hasBridge(env.host, name))
    ? ok('bridge', name)
    : missing(
        'bridge',
        `no bridge ${name}`,
        `add "auto ${name}" and "iface ${name} inet static" with bridge_ports to /etc/network/interfaces, then ifup ${name}`,
      );
};

const group: Look = async (env) => {
  const name = env.settings.volumeGroup;
  const found = await volumeGroup(env.host, name);
  return found === undefined
    ? missing('volume group', `no volume group ${name}`, `pvcreate DEVICE && vgcreate ${name} DEVICE (a device that holds nothing)`)
    : ok('volume group', `${name}, ${formatSize(found.freeBytes)} of ${formatSize(found.sizeBytes)} free`);
};

const imageRoom: Look = async (env) => {
  const { imageDir } = env.settings;
  if ((await env.host.files.info(imageDir)) === undefined)
    return missing('image directory', `${imageDir} does not exist`, `mkdir -p ${imageDir}`);
  const free = await env.host.files.freeBytes(imageDir);
  return free >= IMAGE_ROOM
    ? ok('image directory', `${imageDir}, ${formatSize(free)} free`)
    : missing('image directory', `${imageDir} has ${formatSize(free)} free`, `make room: an image needs ${formatSize(IMAGE_ROOM)}`);
};

const kernel: Look = async (env) => {
  for (const path of [env.settings.kernel, env.settings.initrd]) {
    if ((await env.host.files.info(path)) === undefined)
      return missing('guest kernel', `${path} does not exist`, 'set kernel and initrd in /etc/guestflow/dom0.yaml to files that exist');
  }
  return ok('guest kernel', env.settings.kernel);
};

const loops: Look = async (env) => {
  const { available, maxLoop, used } = await freeLoopDevices(env.host);
  return available
    ? ok('loop devices', maxLoop === 0 ? `made on demand, ${String(used)} in use` : `${String(used)} of ${String(maxLoop)} in use`)
    : missing(
        'loop devices',
        'none free',
        'modprobe loop, or detach unused ones (losetup --detach); for more: "options loop max_loop=255" in /etc/modprobe.d/loop.conf',
      );
};

const pygrub: Look = async (env) => {
  const text = (await env.host.files.read('/etc/xen-tools/distributions.conf'))?.toString('utf8') ?? '';
  // The word overrides --nopygrub, and a guest made so needs grub and a mirror inside.
  const forced = /^(\S+)\s*=.*\bpygrub\b/m.exec(text)?.[1];
  return forced === undefined
    ? ok('xen-tools', 'no distribution is forced to pygrub')
    : {
        row: 'xen-tools',
        state: 'warning',
        found: `/etc/xen-tools/distributions.conf forces pygrub for ${forced} and others`,
        mend: "sed -i 's/ pygrub//' /etc/xen-tools/distributions.conf",
      };
};

const CONSOLE_LOGGED = /^XENCONSOLED_ARGS=.*--log=(guest|all)/m;

const consoleLog: Look = async (env) => {
  const text = (await env.host.files.read('/etc/default/xen'))?.toString('utf8') ?? '';
  return CONSOLE_LOGGED.test(text)
    ? ok('console log', '/var/log/xen/console')
    : {
        row: 'console log',
        state: 'warning',
        found: 'guests’ consoles are not logged: an error at boot has no console to show',
        mend: `add ${CONSOLE_LINE} to /etc/default/xen, then reboot dom0 (xenconsoled reads it when it starts)`,
      };
};

const autostart: Look = async (env) => {
  const enabled = (await isThere(env, '/etc/init.d/xendomains')) || (await isThere(env, '/usr/lib/systemd/system/xendomains.service'));
  return enabled
    ? ok('autostart', 'xendomains')
    : {
        row: 'autostart',
        state: 'warning',
        found: 'no xendomains: guests do not start with their dom0',
        mend: 'apt-get install xen-utils-common && systemctl enable xendomains',
      };
};

const ORDER_LOOKS: readonly Look[] = [
  hypervisor,
  tools,
  bridge,
  group,
  imageRoom,
  kernel,
  loops,
  pygrub,
  consoleLog,
  autostart,
  savedStatesRow,
];

async function look(env: StepEnv, looks: readonly Look[]): Promise<PreflightReport> {
  const rows: PreflightRow[] = [];
  for (const lookAt of looks) rows.push(await lookAt(env));
  return { host: env.settings.host, checkedAt: new Date().toISOString(), ok: rows.every((row) => row.state !== 'missing'), rows };
}

/** Looks at every row; changes nothing. */
export async function preflight(env: StepEnv): Promise<PreflightReport> {
  return look(env, [...ORDER_LOOKS, routerRow]);
}

/** Looks before an order: at all but the router, which takes seconds to ask and stops no order. */
export async function preflightOfOrder(env: StepEnv): Promise<PreflightReport> {
  return look(env, ORDER_LOOKS);
}

/** Puts right what is safe to: directories of guestflow's own and the pygrub default of xen-tools. Reports what it found after. */
export async function prepare(env: StepEnv): Promise<PreflightReport> {
  const { files } = env.host;
  const { settings } = env;
  await files.makeDirectory(`${settings.imageDir}/domains`);
  await files.makeDirectory(settings.goldenDir, 0o700);
  await files.makeDirectory(settings.backupDir, 0o700);
  await files.makeDirectory('/etc/xen/auto');
  const path = '/etc/xen-tools/distributions.conf';
  const text = (await files.read(path))?.toString('utf8');
  if (text !== undefined && withoutPygrub(text) !== text) await files.writeAtomic(path, withoutPygrub(text), 0o644);
  const defaults = (await files.read('/etc/default/xen'))?.toString('utf8');
  if (defaults !== undefined && withConsoleLog(defaults) !== defaults)
    await files.writeAtomic('/etc/default/xen', withConsoleLog(defaults), 0o644);
  return preflight(env);
}
