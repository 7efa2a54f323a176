/** What the files of a guest's system are to be, so that it is as its spec says: the same whether it runs or is off. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { AccessPart } from '../../../../contract/access-parts.ts';
import type { GuestSpec } from '../../../../contract/guest.ts';
import { guestPaths } from '../../guest-paths.ts';
import { hostsOf, shortName } from '../../images/host-names.ts';
import { stateAt, type FileContent, type PathState, type SystemFiles } from '../../tools/system-files.ts';
import type { Work } from '../../work.ts';
import { newPasswordHash } from './new-password.ts';
import { dayOf, withRootPassword } from './shadow.ts';

interface System {
  readonly files: SystemFiles;
  /** A file as it was before the change. */
  readonly look: (path: string) => Promise<FileContent | undefined>;
}

const SHADOW = '/etc/shadow';
const SSH_DIRECTORY = '/root/.ssh';
const ROOTS = { uid: 0, gid: 0 } as const;

/** sshd heeds no key in a file or directory that others than root may write. */
async function keys({ host, settings }: Work, { name, access }: GuestSpec, { files }: System): Promise<PathState[]> {
  const { provisionKey } = guestPaths(settings, name);
  // Of a sealed guest there is none.
  const isOpen = (await host.files.info(provisionKey)) !== undefined;
  const own = isOpen ? String((await host.files.read(`${provisionKey}.pub`)) ?? '').trim() : '';
  if (isOpen && own === '')
    throw new GuestflowError('HostNotReady', `${provisionKey}.pub is missing: guestflow would lock itself out of ${name}`, {
      mend: `ssh-keygen -y -f ${provisionKey} > ${provisionKey}.pub; add the comment guestflow-provision-${name} to its line`,
    });
  if ((await files.directory('/root')) === undefined)
    throw new GuestflowError('InvalidInput', `${name} has no /root`, { field: 'access' }, false);
  const lines = [...(isOpen ? [own] : []), ...new Set(access.sshKeys)];
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  return [
    { path: SSH_DIRECTORY, is: 'directory', has: { mode: 0o700, ...ROOTS } },
    { path: `${SSH_DIRECTORY}/authorized_keys`, is: 'file', has: { bytes, mode: 0o600, ...ROOTS } },
  ];
}

async function password(work: Work, spec: GuestSpec, { look }: System): Promise<PathState[]> {
  const hash = await newPasswordHash(work, spec);
  const before = await look(SHADOW);
  if (before === undefined) throw new GuestflowError('InvalidInput', `${spec.name} has no ${SHADOW}`, { field: 'access' }, false);
  return [{ path: SHADOW, is: 'file', has: { ...before, bytes: withRootPassword(before.bytes, hash, dayOf(Date.now())) } }];
}

/** As the guest's first image has it; what there is of these files keeps its mode and owner. */
async function hostname(_work: Work, spec: GuestSpec, { look }: System): Promise<PathState[]> {
  const { ip, ipv6 } = spec.network;
  const file = (path: string, before: FileContent | undefined, text: string): PathState => ({
    path,
    is: 'file',
    has: { mode: 0o644, ...ROOTS, ...before, bytes: Buffer.from(text, 'latin1') },
  });
  const [name, hosts, mailname] = [await look('/etc/hostname'), await look('/etc/hosts'), await look('/etc/mailname')];
  return [
    file('/etc/hostname', name, `${shortName(spec)}\n`),
    file('/etc/hosts', hosts, hostsOf(spec, hosts?.bytes.toString('latin1'), [ip, ipv6?.address])),
    ...(mailname === undefined ? [] : [file('/etc/mailname', mailname, `${spec.hostname ?? spec.name}\n`)]),
  ];
}

const WISHES: Readonly<Record<AccessPart, (work: Work, spec: GuestSpec, system: System) => Promise<PathState[]>>> = {
  password,
  keys,
  hostname,
};

/**
 * What is to be replaced, in this order.
 *
 * @param former what an earlier attempt has kept: it may have left a file without its name
 * @throws InvalidInput when the system has not what a change needs
 */
export async function wishesFor(
  work: Work,
  spec: GuestSpec,
  part: AccessPart,
  files: SystemFiles,
  former: readonly PathState[] = [],
): Promise<readonly PathState[]> {
  const look = async (path: string): Promise<FileContent | undefined> => {
    const kept = former.find((state) => state.path === path);
    return (await files.read(path)) ?? (kept?.is === 'file' ? kept.has : undefined);
  };
  return WISHES[part](work, spec, { files, look });
}

/** What is there of what is to be replaced. */
export async function formerFor(files: SystemFiles, wishes: readonly PathState[]): Promise<PathState[]> {
  const former: PathState[] = [];
  for (const wish of wishes) former.push(await stateAt(files, wish));
  return former;
}
