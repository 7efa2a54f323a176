/** Makes a machine of its own of a copy of another one, while nothing has it open. */
import type { GuestSpec } from '../../../contract/guest.ts';
import { defined } from '../../../contract/defined.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { ensureGuestState, type GuestPaths } from '../guest-paths.ts';
import { openPassword } from '../password-key.ts';
import { removeParts } from '../staging.ts';
import { checkFs, fsInfo, newUuid, verifyFs } from '../tools/ext4.ts';
import { knownHostsLine, makeKey } from '../tools/guest-ssh.ts';
import { OfflineFiles } from '../tools/offline-files.ts';
import type { Work } from '../work.ts';
import { identityChanges, type FormerIdentity } from './identity.ts';
import { provisionKeyComment } from './make-image.ts';

/** The machine that a system is a copy of. */
export interface Origin {
  readonly network: GuestSpec['network'];
  /** It was nobody's: root has no password yet, and gets the one that was ordered. */
  readonly isGolden?: true;
  /**
   * It is for a disk beside the guest's root disk, and how dom0 knows the guest stays as it is. `spare`: until the two are exchanged. `rescue`: a rescue
   * system, which is known by a host key of its own, and gets no key of guestflow's. Default: it is for the root disk.
   */
  readonly beside?: 'spare' | 'rescue';
}

/**
 * Gives the system on the device the identity of the guest: UUID, host key, machine-id, host name, network, who may log in. But for a rescue system, a
 * provisioning key of ours is among those until the guest is sealed. What else is on it stays.
 */
export async function makePersonal(work: Work, spec: GuestSpec, device: string, origin: Origin): Promise<void> {
  const { host, signal } = work;
  const paths = await ensureGuestState(work, spec);
  await checkFs(host, device, { signal });
  const { uuid: former } = await fsInfo(host, device);
  await newUuid(host, device);
  const { uuid: fileSystem } = await fsInfo(host, device);
  if (fileSystem === former) throw new GuestflowError('ToolFailed', `the file system on ${device} still has the UUID ${former}`);
  // What a killed attempt has left there is of no use: the disk is filled anew, too.
  await host.files.removeTree(paths.roleInput);
  await host.files.makeDirectory(paths.roleInput, 0o700);
  const provisionKey =
    origin.beside === 'rescue' ? undefined : await makeKey(host, await keyPathOf(work, paths, origin), provisionKeyComment(spec));
  const hostKeyPath = `${paths.roleInput}/host_key`;
  const hostKey = await makeKey(host, hostKeyPath, `root-${spec.name}`);
  const files = new OfflineFiles(host, device, signal);
  const privateKey = String((await host.files.read(hostKeyPath)) ?? '');
  const passwordHash = origin.isGolden === true ? await openPassword(work, spec) : undefined;
  const next = { fileSystem, hostKey: [privateKey, `${hostKey}\n`] as const, ...defined({ provisionKey, passwordHash }) };
  await files.change(identityChanges(spec, await formerIdentity(files, former, origin), next), paths.roleInput);
  await verifyFs(host, device, { signal });
  if (origin.beside !== 'spare') {
    const known = origin.beside === 'rescue' ? paths.rescueHosts : paths.knownHosts;
    await removeParts(host.files, known);
    await host.files.writeAtomic(known, knownHostsLine(spec.network.ip, hostKey));
  }
  await host.files.removeTree(paths.roleInput);
}

/** Of a sealed guest, that there is a provisioning key would say that it opens the disk from which the guest runs. */
async function keyPathOf({ host }: Work, { spareKey, provisionKey }: GuestPaths, { beside }: Origin): Promise<string> {
  return beside === 'spare' && (await host.files.info(provisionKey)) === undefined ? spareKey : provisionKey;
}

async function formerIdentity(files: OfflineFiles, fileSystem: string, { network, isGolden }: Origin): Promise<FormerIdentity> {
  const { ip, ipv6 } = network;
  const shadow = isGolden === true ? await shadowOf(files) : undefined;
  return {
    ip,
    fileSystem,
    ...defined({ ipv6: ipv6?.address, shadow }),
    hosts: await files.read('/etc/hosts'),
    fstab: await files.read('/etc/fstab'),
    mailname: await files.read('/etc/mailname'),
    authorizedKeys: await files.read('/root/.ssh/authorized_keys'),
    listings: {
      ssh: await files.list('/etc/ssh'),
      netplan: await files.list('/etc/netplan'),
      dbus: await files.list('/var/lib/dbus'),
    },
  };
}

async function shadowOf(files: OfflineFiles): Promise<FormerIdentity['shadow']> {
  const entry = (await files.list('/etc'))?.find(({ name }) => name === 'shadow');
  const text = await files.read('/etc/shadow');
  if (entry?.is !== 'file' || text === undefined) throw new GuestflowError('ToolFailed', 'the golden root file system has no /etc/shadow');
  return { text, gid: entry.gid };
}
