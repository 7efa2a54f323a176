/**
 * What the role `guestflow` (deploy/dom0/role.d) is given, and gives back: files in a directory that only root can read. Its path is
 * the role's argument; nothing of it is in an argument or an environment itself.
 */
import { GuestflowError } from '../../contract/errors.ts';
import { whyNotHostname } from '../../contract/host-name.ts';
import type { GuestIpv6 } from '../../contract/types.ts';
import { checkedIpv6, checkedPath, checkedPattern } from './arguments.ts';
import { keyWithoutComment } from './guest-ssh.ts';
import type { Host } from './host.ts';

export interface RoleInput {
  /** Lines of root's authorized_keys: the provisioning key and the customer's. */
  readonly authorizedKeys: readonly string[];
  /** crypt(5) hash of root's password. Without one, root has no password that works. */
  readonly passwordHash?: string;
  /** `Europe/Berlin`. */
  readonly timezone: string;
  /** Host name in the guest. Default: its name. */
  readonly hostname?: string;
  /** Beside the IPv4 address, which xen-tools sets up. */
  readonly ipv6?: GuestIpv6;
}

/** A key line as OpenSSH takes it, without options: those could name a command to run. */
const KEY_LINE =
  /^(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/=]{40,3000}(?: [ -~]*)?$/;
const CRYPT_HASH = /^\$(?:1|2[aby]|5|6|7|y|gy)\$[A-Za-z0-9./=$,]{8,500}$/;
const TIMEZONE = /^[A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+){0,3}$/;

/** Writes the role's input into `directory` (0700, made here; what an earlier run left in it goes). */
export async function writeRoleInput(host: Host, directory: string, input: RoleInput): Promise<void> {
  const at = checkedPath('role input', directory);
  const keys = input.authorizedKeys.map((key) =>
    checkedPattern('ssh key', key.trim(), KEY_LINE, 'it must be a public key line without options'),
  );
  const timezone = checkedPattern('timezone', input.timezone, TIMEZONE, 'it must be a name like Europe/Berlin');
  if (input.passwordHash !== undefined && !CRYPT_HASH.test(input.passwordHash)) {
    throw new GuestflowError('InvalidInput', 'the password hash is no crypt(5) hash', { field: 'passwordHash' });
  }
  await host.files.removeTree(at);
  await host.files.makeDirectory(at, 0o700);
  await host.files.writeAtomic(`${at}/authorized_keys`, keys.map((key) => `${key}\n`).join(''));
  await host.files.writeAtomic(`${at}/timezone`, `${timezone}\n`);
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
