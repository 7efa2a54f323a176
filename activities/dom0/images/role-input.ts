/**
 * What the role `guestflow` (deploy/dom0/role.d) is given, and gives back: files in a directory that only root can read. Its path is
 * the role's argument; nothing of it is in an argument or an environment itself.
 */
import { distributionOf, whyNotDist } from '../../../contract/distributions.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { whyNotHostname } from '../../../contract/host-name.ts';
import { whyNotPasswordHash, whyNotTimezone } from '../../../contract/field-checks.ts';
import { isLegacyZone } from '../../../contract/time-zones.ts';
import type { GuestIpv6 } from '../../../contract/guest.ts';
import { checkedBy, checkedIpv6, checkedPath, checkedPattern } from '../tools/arguments.ts';
import { keyWithoutComment } from '../tools/guest-ssh.ts';
import type { Host } from '../../../system/host.ts';

export interface RoleInput {
  /** Lines of root's authorized_keys: the provisioning key and the customer's. */
  readonly authorizedKeys: readonly string[];
  /** crypt(5) hash of root's password. Without one, root has no password that works. */
  readonly passwordHash?: string;
  /** `Europe/Berlin`. */
  readonly timezone: string;
  /** Decides who writes the network, and what package has an old name of a time zone. */
  readonly dist: string;
  /** Lines of the guest's own sources.list, where xen-tools' hook does not know the distribution. Default: what the hook writes. */
  readonly aptSources?: readonly string[];
  /** Host name in the guest. Default: its name. */
  readonly hostname?: string;
  /** Beside the IPv4 address, which xen-tools sets up. */
  readonly ipv6?: GuestIpv6;
}

/** A key line as OpenSSH takes it, without options: those could name a command to run. */
const KEY_LINE =
  /^(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/=]{40,3000}(?: [ -~]*)?$/;
const APT_LINE = /^deb (?:\[signed-by=[A-Za-z0-9/._-]+\] )?[!-~]+ [a-z0-9-]+(?: [a-z]+)+$/;

/** Writes the role's input into `directory` (0700, made here; what an earlier run left in it goes). */
export async function writeRoleInput(host: Host, directory: string, input: RoleInput): Promise<void> {
  const at = checkedPath('role input', directory);
  const keys = input.authorizedKeys.map((key) =>
    checkedPattern('ssh key', key.trim(), KEY_LINE, 'it must be a public key line without options'),
  );
  const timezone = checkedBy('timezone', input.timezone, whyNotTimezone);
  const dist = distributionOf(checkedBy('dist', input.dist, whyNotDist));
  // Not by `checkedBy`: its error would repeat the hash.
  if (input.passwordHash !== undefined && whyNotPasswordHash(input.passwordHash) !== undefined) {
    throw new GuestflowError('InvalidInput', 'the password hash is no crypt(5) hash', { field: 'passwordHash' });
  }
  await host.files.removeTree(at);
  await host.files.makeDirectory(at, 0o700);
  await host.files.writeAtomic(`${at}/authorized_keys`, keys.map((key) => `${key}\n`).join(''));
  await host.files.writeAtomic(`${at}/timezone`, `${timezone}\n`);
  await host.files.writeAtomic(`${at}/network`, `${dist?.network ?? 'ifupdown'}\n`);
  if (dist?.legacyZones !== undefined && isLegacyZone(timezone))
    await host.files.writeAtomic(`${at}/zone-package`, `${dist.legacyZones}\n`);
  if (input.aptSources !== undefined)
    await host.files.writeAtomic(
      `${at}/sources.list`,
      input.aptSources.map((line) => `${checkedPattern('apt source', line, APT_LINE, 'it must be a line of a sources.list')}\n`).join(''),
    );
  if (input.hostname !== undefined) await host.files.writeAtomic(`${at}/hostname`, `${checkedHostname(input.hostname)}\n`);
  if (input.ipv6 !== undefined) {
    const { address, gateway } = input.ipv6;
    await host.files.writeAtomic(`${at}/ipv6`, `${checkedIpv6('IPv6 address', address)} ${checkedIpv6('IPv6 gateway', gateway)}\n`);
  }
  if (input.passwordHash !== undefined) await host.files.writeAtomic(`${at}/password-hash`, `${input.passwordHash}\n`);
}

function checkedHostname(name: string): string {
  const reason = whyNotHostname(name);
  if (reason === undefined) return name;
  throw new GuestflowError('InvalidInput', `the host name ${JSON.stringify(name.slice(0, 300))} ${reason}`, { field: 'hostname' });
}

/** The guest's public host key, which the role wrote once the image was ready: type and key. */
export async function readHostKey(host: Host, directory: string): Promise<string> {
  const path = `${checkedPath('role input', directory)}/ssh_host_ed25519_key.pub`;
  const line = await host.files.read(path);
  if (line === undefined) throw new GuestflowError('ToolFailed', `the role guestflow has not written ${path}`);
  return keyWithoutComment(String(line));
}
