/**
 * How dom0 knows a guest follows from the guest's root disk: its host key, and whether guestflow's key opens it. After an exchange of disks both are taken
 * from the disk that is the root disk now. The guest must be off.
 */
import { GuestflowError } from '../../../contract/errors.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import { ToolError } from '../../../system/run.ts';
import { ensureGuestState, guestPaths, type GuestPaths } from '../guest-paths.ts';
import type { Ref } from '../marks.ts';
import { removeParts } from '../staging.ts';
import { checkFs } from '../tools/ext4.ts';
import { keyWithoutComment, knownHostsLine, removeKey } from '../tools/guest-ssh.ts';
import { OfflineSystem } from '../tools/offline-system.ts';
import type { Work } from '../work.ts';

const HOST_KEY = '/etc/ssh/ssh_host_ed25519_key.pub';
const AUTHORIZED_KEYS = '/root/.ssh/authorized_keys';
/** Of e2fsck's exit code: errors are left (4), or it could not read the file system (8). */
const UNSOUND = 4 | 8;

/** What a root disk says of its guest. */
interface Saying {
  /** Undefined: none that could be one. */
  readonly hostKey?: string | undefined;
  readonly authorizedKeys: string;
}

/**
 * @param device of its root disk
 * @param isJustMade by guestflow. What is wrong with it is no tenant's doing, and the disk is of no use
 * @throws ToolFailed when a disk that was just made is not as guestflow makes it
 */
export async function recognise(work: Work, spec: GuestSpec, device: string, isJustMade?: true): Promise<void> {
  const paths = await ensureGuestState(work, spec);
  const { files } = work.host;
  const said = await sayingOf(work, device, paths.accessWork, isJustMade);
  await removeParts(files, paths.knownHosts);
  if (said?.hostKey !== undefined) await files.writeAtomic(paths.knownHosts, knownHostsLine(spec.network.ip, said.hostKey));
  const opens = await settleKeys(work, spec, paths, said?.authorizedKeys);
  await files.removeTree(paths.accessWork);
  if (!opens && spec.access.managed) work.log.warn({ guest: spec.name }, 'its disk takes no key of ours: it is treated as a sealed guest');
  if (isJustMade !== true) return;
  if (said?.hostKey === undefined)
    throw new GuestflowError('ToolFailed', `${device}, which was just made for ${spec.name}, has no host key`);
  if (!opens)
    throw new GuestflowError('ToolFailed', `${device}, which was just made for ${spec.name}, is not opened by the provisioning key`);
}

/** Removes what is kept for the disk beside the guest's own: the key to it, and what a killed attempt to make it has left. */
export async function forgetSpare({ host, settings }: Work, { name }: Pick<Ref, 'name'>): Promise<void> {
  const { spareKey, roleInput } = guestPaths(settings, name);
  await removeKey(host, spareKey);
  await host.files.removeTree(roleInput);
}

/** Undefined: nothing can be read of it. What its tenant has done to the file system is no reason not to give it back. */
async function sayingOf(work: Work, device: string, scratch: string, isJustMade?: true): Promise<Saying | undefined> {
  const { host, signal, log } = work;
  const disk = new OfflineSystem(host, device, signal, scratch);
  await disk.recover();
  try {
    // Its journal is replayed by that: what the guest wrote last is read, too.
    await checkFs(host, device, { signal });
  } catch (error) {
    const isUnsound = error instanceof ToolError && ((error.code ?? 0) & UNSOUND) !== 0;
    if (!isUnsound || isJustMade === true) throw error;
    log.warn({ device, reason: error.message }, 'a disk is not sound: its guest is known as it was');
    return undefined;
  }
  return { hostKey: keyIn(await textOf(disk, HOST_KEY)), authorizedKeys: (await textOf(disk, AUTHORIZED_KEYS)) ?? '' };
}

/**
 * The provisioning key is the one that opens the disk, if one does; another is put aside. Killed at any instruction and begun again, it ends the same: which
 * key a pair is, is read from its public half, which follows the private one.
 *
 * @param authorizedKeys undefined: unknown. A guest that is not managed was sealed then, and a managed one keeps the key that it has
 * @returns whether one opens it
 */
async function settleKeys(
  { host: { files } }: Work,
  { access }: GuestSpec,
  { provisionKey, spareKey }: GuestPaths,
  authorizedKeys: string | undefined,
): Promise<boolean> {
  if (authorizedKeys === undefined && access.managed) return false;
  const opens = async (key: string): Promise<boolean> => {
    const own = keyIn(String((await files.read(`${key}.pub`)) ?? ''));
    return own !== undefined && authorizedKeys?.includes(own) === true;
  };
  const rename = async (from: string, to: string): Promise<void> => {
    for (const half of ['', '.pub'])
      if ((await files.info(`${from}${half}`)) !== undefined) await files.rename(`${from}${half}`, `${to}${half}`);
  };
  if (await opens(provisionKey)) return true;
  const isSpare = await opens(spareKey);
  await (isSpare ? rename(spareKey, provisionKey) : rename(provisionKey, spareKey));
  return isSpare;
}

/** Undefined: there is none. Nor is what its tenant has made of the file a reason. */
async function textOf(disk: OfflineSystem, path: string): Promise<string | undefined> {
  try {
    return (await disk.read(path))?.bytes.toString('latin1');
  } catch (error) {
    const isOdd = error instanceof GuestflowError ? error.type === 'InvalidInput' : error instanceof ToolError && error.tooMuch;
    if (isOdd) return undefined;
    throw error;
  }
}

function keyIn(line: string | undefined): string | undefined {
  try {
    return line === undefined ? undefined : keyWithoutComment(line);
  } catch {
    return undefined;
  }
}
