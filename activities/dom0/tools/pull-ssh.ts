/** ssh to a machine that may do harm: it asks nobody, believes no host key but those it was told of, and takes nothing along. */
import { isIP } from 'node:net';
import { HOSTNAME_PATTERN, LONGEST_HOSTNAME } from '../../../contract/host-name.ts';
import { checkedCount, checkedPath, checkedPattern } from './arguments.ts';

const OPTIONS = [
  'BatchMode=yes',
  'IdentitiesOnly=yes',
  'IdentityAgent=none',
  'PreferredAuthentications=publickey',
  'StrictHostKeyChecking=yes',
  // Otherwise ssh adds to known_hosts what the other side tells it to.
  'UpdateHostKeys=no',
  'ClearAllForwardings=yes',
  'ForwardAgent=no',
  'ForwardX11=no',
  'PermitLocalCommand=no',
  'ControlPath=none',
  'Compression=no',
  'ConnectTimeout=20',
  'ServerAliveInterval=15',
  'ServerAliveCountMax=4',
  'LogLevel=ERROR',
];

/** A machine, and how one logs in there. */
export interface Remote {
  readonly user: string;
  /** A host name or an address. */
  readonly host: string;
  readonly port?: number;
  /** File of the private key. Default: those that ssh tries by itself. */
  readonly identity?: string;
  /** File of host keys. Default: ssh's own. */
  readonly knownHosts?: string;
}

/** Arguments of an ssh that runs whatever the other side has for this key: no command is sent. @throws InvalidInput */
export function forcedCommandOf({ user, host, port, identity, knownHosts }: Remote): string[] {
  const options = [...OPTIONS];
  if (knownHosts !== undefined)
    options.push(`UserKnownHostsFile=${checkedPath('known-hosts', knownHosts)}`, 'GlobalKnownHostsFile=/dev/null');
  const login = checkedPattern('from', user, /^[a-z_][a-z0-9_-]{0,31}$/, 'a user is letters a-z, digits, _ and -');
  return [
    ...['-F', '/dev/null', '-T'],
    ...options.flatMap((option) => ['-o', option]),
    ...(identity === undefined ? [] : ['-i', checkedPath('identity', identity)]),
    ...(port === undefined ? [] : ['-p', String(checkedCount('port', port))]),
    '--',
    `${login}@${checkedHost(host)}`,
  ];
}

function checkedHost(host: string): string {
  const allowed = 'a host is a host name in lower case, or an address';
  return isIP(host) !== 0 && !host.includes('%')
    ? host
    : checkedPattern('from', host, host.length > LONGEST_HOSTNAME ? /^$/ : HOSTNAME_PATTERN, allowed);
}
