/** What a guest does when a step's script reaches it by ssh: exactly the scripts that the steps send, and nothing else. */
import {
  BRING_ROOT_LINE_BACK_SCRIPT,
  CHANGE_PATH_SCRIPT,
  FREEZE_SCRIPT,
  GROW_FS_SCRIPT,
  HELLO_SCRIPT,
  LOOK_AT_PATH_SCRIPT,
  ROOT_LINE_SCRIPT,
  SEAL_SCRIPT,
  SET_PASSWORD_SCRIPT,
  TAKE_HOSTNAME_SCRIPT,
  THAW_SCRIPT,
  WALLCLOCK_SCRIPT,
} from '../activities/dom0/guests/scripts.ts';
import { fileOf, kernelRelease } from './domains.ts';
import { replay } from './ext4.ts';
import type { Machine } from './machine.ts';
import type { FakeDomain, GuestFs } from './model.ts';
import { failed, type ToolOutput } from './tool.ts';

interface InGuest {
  readonly machine: Machine;
  readonly domain: FakeDomain;
  readonly fs: GuestFs;
  readonly input: string;
}

interface GuestScript {
  /** What ssh is told to run. */
  readonly command: string;
  /** The script, when it goes by standard input. Default: any input. */
  readonly input?: string;
  readonly run: (guest: InGuest) => ToolOutput;
}

function hello({ domain, fs }: InGuest): ToolOutput {
  const vdev = domain.disks.find((disk) => disk.source === domain.rootDisk)?.vdev ?? 'xvda2';
  return { code: 0, stdout: `${kernelRelease(domain)}\n/dev/${vdev}\n ${String(Math.floor(fs.bytes * 0.97))}\n` };
}

function wallclock({ machine, domain, fs }: InGuest): ToolOutput {
  const hasKey = machine.options.kernel === 'xenlinux';
  if (hasKey) {
    fs.journal['/etc/sysctl.d/60-guestflow-wallclock.conf'] = 'xen.independent_wallclock = 1\n';
    domain.liveSysctl['xen.independent_wallclock'] = '1';
  }
  const facts = [
    `wallclock=${hasKey ? 'set' : 'not needed'}`,
    'daemon=systemd-timesyncd',
    `kernel=${kernelRelease(domain)}`,
    `clocksource=${hasKey ? 'jiffies' : 'tsc'}`,
    `now=${(machine.now() / 1000).toFixed(9)}`,
  ];
  return { code: 0, stdout: `${facts.join('\n')}\n` };
}

function seal({ fs, input }: InGuest): ToolOutput {
  const comment = input.split('\n')[0] ?? '';
  const keys = fileOf(fs, '/root/.ssh/authorized_keys');
  if (keys === undefined) return failed(1, 'grep: /root/.ssh/authorized_keys: No such file or directory');
  fs.journal['/root/.ssh/authorized_keys'] = keys
    .split('\n')
    .filter((line) => !line.endsWith(` ${comment}`))
    .join('\n');
  return { code: 0 };
}

const SHADOW = '/etc/shadow';
const ROOT_LINE = /^root:.*$/m;

function sayRootLine({ fs }: InGuest): ToolOutput {
  const line = ROOT_LINE.exec(fileOf(fs, SHADOW) ?? '')?.[0];
  return { code: 0, stdout: line === undefined ? '' : `${line}\n` };
}

/** `chpasswd -e` sets the day, too. */
function setPassword({ machine, fs, input }: InGuest): ToolOutput {
  const hash = /^root:([^:\n]+)\n$/.exec(input)?.[1];
  const shadow = fileOf(fs, SHADOW) ?? '';
  const fields = ROOT_LINE.exec(shadow)?.[0].split(':').slice(3);
  if (hash === undefined || fields === undefined) return failed(1, "chpasswd: line 1: user 'root' does not exist");
  const day = String(Math.floor(machine.now() / 86_400_000));
  fs.journal[SHADOW] = shadow.replace(ROOT_LINE, () => ['root', hash, day, ...fields].join(':'));
  return { code: 0 };
}

function bringRootLineBack({ fs, input }: InGuest): ToolOutput {
  fs.journal[SHADOW] = (fileOf(fs, SHADOW) ?? '').replace(ROOT_LINE, () => input.trimEnd());
  return { code: 0 };
}

/** What is at a path. Its directories are those that the files of a system are in. */
function lookAtPath({ fs, input }: InGuest): ToolOutput {
  const path = input.trim();
  const text = fileOf(fs, path);
  if (text !== undefined) return { code: 0, stdout: `file 600 0 0\n${Buffer.from(text).toString('base64')}\n` };
  return { code: 0, stdout: path === '/root' || path === '/root/.ssh' ? 'directory 700 0 0\n' : '' };
}

function changePath({ fs, input }: InGuest): ToolOutput {
  const [, what = '', path = '', base64 = ''] = /^(file|directory|gone) (\S+) [0-7]+ \d+ \d+\n([A-Za-z0-9+/=]*)\n$/.exec(input) ?? [];
  if (what === '') return failed(42, 'unknown change');
  if (what === 'gone') for (const files of [fs.journal, fs.files]) Reflect.deleteProperty(files, path);
  if (what === 'file') fs.journal[path] = Buffer.from(base64, 'base64').toString('utf8');
  return { code: 0 };
}

/** Its kernel sees the size that its disk has now. */
function growFs({ machine, domain, fs, input }: InGuest): ToolOutput {
  const bytes = machine.disk(domain.rootDisk ?? '')?.bytes ?? 0;
  if (bytes < Number(input.trim())) return { code: 32 };
  fs.bytes = bytes;
  return { code: 0, stdout: `count=${String(bytes / 4096)}\nsize=4096\n` };
}

/** A hook of the guest that fails. */
const FAILING_HOOK = '/etc/guestflow/freeze.d/fails';

/** What it has written lately is on its disk then. */
function freeze({ fs }: InGuest): ToolOutput {
  if (fileOf(fs, FAILING_HOOK) !== undefined) return { code: 0, stdout: 'failed=fails\n' };
  replay(fs);
  fs.needsRecovery = true;
  return { code: 0, stdout: 'frozen=yes\n' };
}

export const GUEST_SCRIPTS: readonly GuestScript[] = [
  { command: HELLO_SCRIPT, run: hello },
  { command: 'sh -s', input: WALLCLOCK_SCRIPT, run: wallclock },
  { command: SEAL_SCRIPT, run: seal },
  { command: ROOT_LINE_SCRIPT, run: sayRootLine },
  { command: SET_PASSWORD_SCRIPT, run: setPassword },
  { command: BRING_ROOT_LINE_BACK_SCRIPT, run: bringRootLineBack },
  { command: LOOK_AT_PATH_SCRIPT, run: lookAtPath },
  { command: CHANGE_PATH_SCRIPT, run: changePath },
  { command: TAKE_HOSTNAME_SCRIPT, run: () => ({ code: 0 }) },
  { command: GROW_FS_SCRIPT, run: growFs },
  { command: FREEZE_SCRIPT, run: freeze },
  { command: THAW_SCRIPT, run: () => ({ code: 0, stdout: 'frozen=yes\n' }) },
  { command: 'true', run: () => ({ code: 0 }) },
];
