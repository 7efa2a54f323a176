/** xen-create-image of the fake dom0, as guestflow starts them: contained, so that a kill takes all of their processes. */
import { existsSync } from 'node:fs';
import { GOLDEN_END, mmdebstrap } from './golden.ts';
import { newKeyBody } from './net.ts';
import { emptyContent, type Content, type GuestFs } from './model.ts';
import type { Invocation, Simulation, ToolOutput, ToolTable } from './tool.ts';
import { megabytes, xenCfg, type Options } from './xen-tools-cfg.ts';

const MiB = 2 ** 20;
const FLAGS = [
  '--nohosts',
  '--noaccounts',
  '--noboot',
  '--noforce',
  '--keep',
  '--genpass=0',
  '--nopasswd',
  '--extension=.cfg',
  '--disk_device=xvda',
  '--roledir=/etc/xen-tools/role.d',
];
const NEEDED = [
  'hostname',
  'dir',
  'output',
  'config',
  'dist',
  'install-method',
  'size',
  'image',
  'fs',
  'memory',
  'vcpus',
  'kernel',
  'initrd',
  'serial_device',
  'ip',
  'netmask',
  'gateway',
  'broadcast',
  'bridge',
  'mac',
  'role',
  'role-args',
];
const POSSIBLE = ['install-source', 'mirror', 'swap', 'modules', 'nameserver'];

/** Of an ext4, in the order in which dumpe2fs lists them. */
const FEATURES = [
  'has_journal',
  'ext_attr',
  'resize_inode',
  'dir_index',
  'filetype',
  'extent',
  '64bit',
  'flex_bg',
  'sparse_super',
  'large_file',
  'huge_file',
  'dir_nlink',
  'extra_isize',
  'metadata_csum',
];
const NOT_OF_EXT3 = ['extent', '64bit', 'flex_bg'];

/** The options of xen-create-image, or undefined when one is unknown or missing. */
function optionsOf(args: readonly string[]): Options | undefined {
  const options: Options = {};
  for (const arg of args) {
    if (FLAGS.includes(arg) || arg === '--noswap') continue;
    const match = /^--([a-z_-]+)=(.+)$/.exec(arg);
    if (match?.[1] === undefined || match[2] === undefined || ![...NEEDED, ...POSSIBLE].includes(match[1])) return undefined;
    options[match[1]] = match[2];
  }
  const isWhole =
    NEEDED.every((name) => name in options) &&
    FLAGS.every((flag) => args.includes(flag)) &&
    args.includes('--noswap') !== 'swap' in options;
  return isWhole ? options : undefined;
}

function xenCreateImage(call: Invocation): Simulation | ToolOutput | undefined {
  const options = optionsOf(call.args);
  return options === undefined ? undefined : makeImage(call, options);
}

function* makeImage({ machine }: Invocation, options: Options): Simulation {
  const { hostname = '', dir = '', output = '', fs: type = 'ext4', dist = '' } = options;
  const log = (text: string): void => {
    machine.appendText(`/var/log/xen-tools/${hostname}.log`, text);
  };
  const fail = (why: string): ToolOutput => {
    if (machine.writeProblem() === undefined) log(`${why}\n`);
    return { code: 127, stdout: `${why}\n` };
  };
  const disk = `${dir}/domains/${hostname}/disk.img`;
  const swap = `${dir}/domains/${hostname}/swap.img`;
  yield {
    done: 0,
    stdout: `\nGeneral Information\n--------------------\nHostname       :  ${hostname}\nDistribution   :  ${dist}\nMirror         :  ${options['mirror'] ?? ''}\n`,
  };
  if (existsSync(machine.at(disk)) || existsSync(machine.at(swap))) return fail('The partition image already exists.  Aborting.');
  if (!existsSync(machine.at(options['config'] ?? '')))
    return fail(`The specified configuration file does not exist: '${options['config'] ?? ''}'`);
  const full = machine.writeProblem();
  if (full !== undefined) return fail(`The partition image creation failed to create ${disk}.\naborting`);
  if (options['swap'] !== undefined)
    machine.makeImage(swap, megabytes(options['swap']) * MiB, { ...emptyContent(), swapUuid: machine.uuid() });
  yield { done: 0.2, stdout: `\nCreating partition image: ${swap}\nDone\n\nCreating swap on ${swap}\nDone\n` };
  const root = emptyRoot(machine, options);
  const { bytes } = root;
  const content: Content = { residue: [], fs: root };
  machine.makeImage(disk, bytes, content);
  yield { done: 0.4, stdout: `\nCreating partition image: ${disk}\nDone\n\nCreating ${type} filesystem on ${disk}\nDone\n` };
  if (machine.conditions.noLoop)
    return fail(`mount: ${dir}/tmp: failed to setup loop device for ${disk}.\nRunning command 'mount' failed with exit code 256.`);
  const golden = options['install-source'];
  if (options['install-method'] === 'tar' && !machine.readText(golden ?? '')?.endsWith(GOLDEN_END))
    return fail(`tar: ${golden ?? ''}: Cannot open, or unexpected end of file\nSystem installation failed: /bin/ls missing.  Aborting.`);
  yield { done: 0.7, stdout: `Installation method: ${options['install-method'] ?? ''}\nDone\n\nRunning hooks\n` };
  root.files = { ...installedFiles({ machine, options }), ...roleFiles({ machine, options }) };
  machine.makeImage(disk, bytes, content);
  yield { done: 0.9, stdout: 'Done\n\nRole: guestflow\nDone\n\nCreating Xen configuration file\nDone\n' };
  root.damaged = false;
  machine.makeImage(disk, bytes, content);
  machine.writeText(`${output}/${hostname}.cfg`, xenCfg(options), 0o644);
  log('All done\n');
  return {
    code: 0,
    stdout: `No role scripts were specified.  Skipping\nAll done\n\nInstallation Summary\n---------------------\nHostname        :  ${hostname}\nDistribution    :  ${dist}\nMAC Address     :  ${options['mac'] ?? ''}\nIP Address(es)  :  ${options['ip'] ?? ''} \nRoot Password   :  N/A\n\n`,
  };
}

/** The root file system as mke2fs makes it. It counts as damaged until xen-tools has unmounted it. */
function emptyRoot(machine: Invocation['machine'], { hostname: label = '', fs, size }: Options): GuestFs {
  const isExt3 = fs === 'ext3';
  return {
    uuid: machine.uuid(),
    type: isExt3 ? 'ext3' : 'ext4',
    bytes: megabytes(size) * MiB,
    usedBytes: 400 * MiB,
    features: FEATURES.filter((feature) => !isExt3 || !NOT_OF_EXT3.includes(feature)),
    label,
    files: {},
    journal: {},
    needsRecovery: false,
    damaged: true,
  };
}

function installedFiles({ machine, options }: { machine: Invocation['machine']; options: Options }): Record<string, string> {
  const { hostname = '', ip = '', netmask = '', gateway = '', broadcast = '' } = options;
  return {
    '/etc/hostname': `${hostname}\n`,
    '/etc/passwd': 'root:x:0:0:root:/root:/bin/bash\n',
    '/etc/machine-id': `${machine.hex(32)}\n`,
    '/bin/ls': '',
    '/etc/network/interfaces': `auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n address ${ip}\n gateway ${gateway}\n netmask ${netmask}\n broadcast ${broadcast}\n`,
    '/etc/fstab': `/dev/xvda1 none swap sw 0 0\n/dev/xvda2 / ${options['fs'] ?? ''} ${/_options = (\S+)/.exec(machine.readText(options['config'] ?? '') ?? '')?.[1] ?? 'defaults'} 0 1\n`,
  };
}

/** What the role `guestflow` writes into the image, from the files of its input. It hands out the host key that it has made. */
function roleFiles({ machine, options }: { machine: Invocation['machine']; options: Options }): Record<string, string> {
  const input = options['role-args'] ?? '';
  const hostKey = `ssh-ed25519 ${newKeyBody(machine)} root@${options['hostname'] ?? ''}\n`;
  const hash = machine.readText(`${input}/password-hash`)?.trim();
  machine.writeText(`${input}/ssh_host_ed25519_key.pub`, hostKey, 0o600);
  return {
    '/root/.ssh/authorized_keys': machine.readText(`${input}/authorized_keys`) ?? '',
    '/etc/timezone': machine.readText(`${input}/timezone`) ?? 'UTC\n',
    '/etc/shadow': `root:${hash ?? '!'}:19000:0:99999:7:::\n`,
    '/etc/ssh/ssh_host_ed25519_key.pub': hostKey,
  };
}

export const XEN_TOOLS: ToolTable = {
  'xen-create-image': { seconds: () => 8, start: xenCreateImage },
  mmdebstrap: { seconds: () => 5, start: mmdebstrap },
};
