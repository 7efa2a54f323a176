/**
 * How dom0 knows a guest follows from the guest's root disk: its host key, and whether guestflow's key opens it. After an exchange of disks both are taken
 * from the disk that is the root disk now. The guest must be off.
 */
import { GuestflowError } from '../../../contract/errors.ts';
import { ensureGuestState } from '../guest-paths.ts';
import type { Ref } from '../marks.ts';
import { ToolError } from '../../../system/run.ts';
import { removeParts } from '../staging.ts';
import { checkFs } from '../tools/ext4.ts';
import { keyWithoutComment, knownHostsLine } from '../tools/guest-ssh.ts';
import { OfflineSystem } from '../tools/offline-system.ts';
import type { Work } from '../work.ts';

const HOST_KEY = '/etc/ssh/ssh_host_ed25519_key.pub';
const AUTHORIZED_KEYS = '/root/.ssh/authorized_keys';

/** @param device of its root disk */
export async function recognise(work: Work, ref: Ref, ip: string, device: string): Promise<void> {
  const { host, signal } = work;
  const { files } = host;
  const { knownHosts, provisionKey, spareKey, accessWork } = await ensureGuestState(work, ref);
  // What its tenant has done to the file system is no reason not to give it back.
  if (!(await isSound(work, device))) return;
  const disk = new OfflineSystem(host, device, signal, accessWork);
  await disk.recover();
  const hostKey = keyIn(await textOf(disk, HOST_KEY));
  // Whose tenant has removed it, the guest is known by the key of before: it counts as started when it does not answer.
  await removeParts(files, knownHosts);
  if (hostKey !== undefined) await files.writeAtomic(knownHosts, knownHostsLine(ip, hostKey));
  const authorized = (await textOf(disk, AUTHORIZED_KEYS)) ?? '';
  const opens = async (key: string): Promise<boolean> => {
    const own = keyIn(String((await files.read(`${key}.pub`)) ?? ''));
    return own !== undefined && authorized.includes(own);
  };
  const rename = async (from: string, to: string): Promise<void> => {
    if ((await files.info(`${from}.pub`)) !== undefined) await files.rename(`${from}.pub`, `${to}.pub`);
    if ((await files.info(from)) !== undefined) await files.rename(from, to);
  };
  if (!(await opens(provisionKey))) {
    if (await opens(spareKey)) await rename(spareKey, provisionKey);
    else await rename(provisionKey, spareKey);
  }
  await files.removeTree(accessWork);
}

/** Its journal is replayed by that: what the guest wrote last is read, too. */
async function isSound({ host, signal, log }: Work, device: string): Promise<boolean> {
  try {
    await checkFs(host, device, { signal });
    return true;
  } catch (error) {
    if (!(error instanceof ToolError) || error.cancelled) throw error;
    log.warn({ device, reason: error.message }, 'a disk is not sound: its guest is known as it was');
    return false;
  }
}

/** Nor is what its tenant has made of the file. */
async function textOf(disk: OfflineSystem, path: string): Promise<string | undefined> {
  try {
    return (await disk.read(path))?.bytes.toString('latin1');
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'InvalidInput') return undefined;
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
