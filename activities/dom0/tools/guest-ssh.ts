/** Logging in to a guest with its provisioning key, and making that key. */
import { GuestflowError } from '../../../contract/errors.ts';
import { formatSize } from '../../../contract/sizes.ts';
import { checkedAddress, checkedPath, checkedPattern } from './arguments.ts';
import { PART_SUFFIX, type Host } from '../../../system/host.ts';
import { plainText } from '../../../system/plain-text.ts';
import { tail, ToolError, type RunOptions, type RunResult } from '../../../system/run.ts';
import { defined } from '../../../contract/defined.ts';

const PUBLIC_KEY = /^(ssh-ed25519) ([A-Za-z0-9+/]{68})(?: [ -~]*)?$/;
const SSH_FAILED = 255;
/** What a guest may print in answer to a command, which is a few lines. It is its tenant's, who may make it print without an end. */
const MOST_OUTPUT = 64 * 1024;

/** How one command is run in a guest. */
export interface GuestCommand extends Pick<RunOptions, 'input' | 'timeoutMs' | 'signal' | 'okCodes'> {
  readonly ip: string;
  /** The private key of this guest. */
  readonly keyPath: string;
  /** File with the guest's host key, and nothing else: see `knownHostsLine`. */
  readonly knownHosts: string;
  /** For the guest's shell: a fixed script. Values go to its standard input, never into it. */
  readonly command: string;
}

/** Type and body of a public key line, without its comment. */
export function keyWithoutComment(line: string): string {
  const match = PUBLIC_KEY.exec(line.trim());
  if (match === null) throw new GuestflowError('InvalidInput', 'this is no ed25519 public key line', { value: line.slice(0, 100) });
  return `${match[1] ?? ''} ${match[2] ?? ''}`;
}

/** The line of a known_hosts file by which ssh accepts this host key at this address, and no other. */
export function knownHostsLine(ip: string, hostKey: string): string {
  return `${checkedAddress('ip', ip)} ${keyWithoutComment(hostKey)}\n`;
}

/**
 * Makes an ed25519 key without a passphrase at `path` (0600) and `path.pub`; one that is there already is kept.
 *
 * @returns the public key's line.
 */
export async function makeKey(host: Host, path: string, comment: string): Promise<string> {
  const key = checkedPath('key', path);
  const existing = await readPublicKey(host, key);
  if (existing !== undefined && ((await host.files.info(key))?.bytes ?? 0) > 0) return existing;
  const label = checkedPattern('comment', comment, /^[A-Za-z0-9][A-Za-z0-9@._-]*$/, 'letters, digits and @ . _ - are allowed');
  const part = `${key}${PART_SUFFIX}`;
  // ssh-keygen asks before it overwrites, and leaves its files to the page cache: after a power cut they can be there and empty.
  for (const half of [part, `${part}.pub`]) await host.files.remove(half);
  await host.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', label, '-f', part]);
  for (const half of [part, `${part}.pub`]) await host.run('sync', ['--', half]);
  // The public half comes last: where it is, both are whole.
  await host.files.remove(`${key}.pub`);
  await host.files.rename(part, key);
  await host.files.rename(`${part}.pub`, `${key}.pub`);
  const made = await readPublicKey(host, key);
  if (made === undefined) throw new GuestflowError('ToolFailed', `ssh-keygen wrote no public key for ${key}`);
  return made;
}

/** Removes a key, and what a killed attempt to make it has left. */
export async function removeKey(host: Host, path: string): Promise<void> {
  for (const key of [`${path}${PART_SUFFIX}`, path]) for (const half of [`${key}.pub`, key]) await host.files.remove(half);
}

async function readPublicKey(host: Host, key: string): Promise<string | undefined> {
  const line = String((await host.files.read(`${key}.pub`)) ?? '').trim();
  return PUBLIC_KEY.test(line) ? line : undefined;
}

function connection({ ip, keyPath, knownHosts }: GuestCommand): string[] {
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${checkedPath('known hosts', knownHosts)}`,
    'GlobalKnownHostsFile=/dev/null',
    'ConnectTimeout=5',
    'ServerAliveInterval=5',
    'ServerAliveCountMax=3',
    'LogLevel=ERROR',
    // Otherwise ssh adds to known_hosts what the guest tells it to.
    'UpdateHostKeys=no',
    'HostKeyAlgorithms=ssh-ed25519',
    'IdentityAgent=none',
  ];
  return [
    '-F',
    '/dev/null',
    '-i',
    checkedPath('key', keyPath),
    ...options.flatMap((option) => ['-o', option]),
    '-T',
    `root@${checkedAddress('ip', ip)}`,
  ];
}

/**
 * Runs a command in a guest as root.
 *
 * @throws GuestDidNotAnswer when ssh itself fails; ToolError when the command does; ToolFailed, for good, when the guest prints far more than any answer.
 */
export async function guestRun(host: Host, guest: GuestCommand): Promise<RunResult> {
  const { input, timeoutMs, signal, okCodes } = guest;
  const options: RunOptions = {
    label: `command in the guest at ${guest.ip}`,
    maxOutput: MOST_OUTPUT,
    ...defined({ input, timeoutMs, signal, okCodes }),
  };
  try {
    const answer = await host.run('ssh', [...connection(guest), '--', guest.command], options);
    return { ...answer, stdout: plainText(answer.stdout), stderr: plainText(answer.stderr) };
  } catch (error) {
    // Not for want of an answer: who waits for a guest that boots would ask again and again. Nor would another attempt hear anything else.
    if (error instanceof ToolError && error.tooMuch)
      throw new GuestflowError(
        'ToolFailed',
        `the guest at ${guest.ip} answered a command with more than ${formatSize(MOST_OUTPUT)}: it is not as guestflow made it`,
        {},
        false,
      );
    if (!(error instanceof ToolError) || error.cancelled || (error.code !== SSH_FAILED && !error.timedOut)) throw error;
    const why = /verification failed|IDENTIFICATION HAS CHANGED/i.test(error.stderr)
      ? 'what answers there has another host key than this guest: another machine may use the address'
      : tail(error.stderr, 2) || (error.timedOut ? 'no end within the time limit' : 'no answer');
    throw new GuestflowError('GuestDidNotAnswer', `root@${guest.ip} cannot be reached by ssh: ${why}`);
  }
}

/** Whether what listens at the address shows exactly this host key. False when nothing answers. */
export async function hostKeyAnswers(host: Host, ip: string, expectedPublicKeyLine: string): Promise<boolean> {
  const expected = keyWithoutComment(expectedPublicKeyLine);
  const result = await host.run('ssh-keyscan', ['-T', '5', '-t', 'ed25519', checkedAddress('ip', ip)], {
    okCodes: [0, 1],
    timeoutMs: 20_000,
    maxOutput: MOST_OUTPUT,
  });
  return result.stdout.split('\n').some((line) => line.startsWith(`${ip} `) && line.slice(ip.length + 1).trim() === expected);
}
