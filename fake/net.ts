/** What the network around the fake dom0 answers: arping, ssh, ssh-keyscan; and the keys that ssh-keygen makes. */
import { answeringGuest, fileOf } from './domains.ts';
import { GUEST_SCRIPTS } from './guest-scripts.ts';
import type { Machine } from './machine.ts';
import { DONE, failed, matchArgs, type Invocation, type ToolOutput, type ToolTable } from './tool.ts';

const ROUTER_MAC = '02:00:00:00:00:01';

/** In the mode of duplicate address detection, as the real one says it. */
function arping({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, '-D -c 2 -w 3 -I <bridge> <ip>');
  if (found === undefined) return undefined;
  const { network } = machine.options;
  if (found['bridge'] !== network.bridge) return failed(2, `arping: Device ${found['bridge'] ?? ''} not available.`);
  const ip = found['ip'] ?? '';
  const guest = answeringGuest(machine, ip);
  const isRouter = ip === network.gateway || (guest === undefined && machine.conditions.proxyArp);
  if (guest === undefined && !isRouter) return { code: 0, stdout: `ARPING ${ip} from 0.0.0.0 ${network.bridge}\nReceived 0 response(s)\n` };
  const mac = isRouter ? ROUTER_MAC : '00:16:3E:00:00:01';
  return {
    code: 1,
    stdout: `ARPING ${ip} from 0.0.0.0 ${network.bridge}\nUnicast reply from ${ip} [${mac}]  0.670ms\nReceived 1 response(s)\n`,
  };
}

const APT_HELPER = '-o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Acquire::Retries=1 download-file <url> <target>';

/** Every mirror answers, unless the dom0 is to have none. */
function aptHelper({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, APT_HELPER);
  if (found === undefined) return undefined;
  const { url = '', target = '' } = found;
  if (machine.conditions.noMirror) return failed(100, `E: Failed to fetch ${url}  Could not connect to ${new URL(url).host}`);
  if (machine.writeProblem() !== undefined) return failed(100, `E: Could not open file ${target}`);
  machine.writeText(target, `Origin: ${url}\n`, 0o644);
  return DONE;
}

/** Names in /etc/hosts, and an address for every other. */
function getent({ machine, args }: Invocation): ToolOutput | undefined {
  const name = matchArgs(args, 'ahosts -- <name>')?.['name'];
  if (name === undefined) return undefined;
  const line = (machine.readText('/etc/hosts') ?? '').split('\n').find((each) => each.split(/\s+/).slice(1).includes(name));
  const address = line?.split(/\s+/)[0] ?? '192.0.2.80';
  return { code: 0, stdout: ['STREAM', 'DGRAM', 'RAW'].map((kind) => `${address} ${kind} ${name}\n`).join('') };
}

function udevadm({ args }: Invocation): ToolOutput | undefined {
  return matchArgs(args, 'settle --timeout=10') === undefined ? undefined : DONE;
}

/** The body of an ed25519 public key, as OpenSSH writes it. */
export function newKeyBody(machine: Machine): string {
  const body = Buffer.alloc(51);
  body.writeUInt32BE(11, 0);
  body.write('ssh-ed25519', 4, 'latin1');
  body.writeUInt32BE(32, 15);
  for (let index = 19; index < 51; index += 1) body[index] = Math.floor(machine.random() * 256);
  return body.toString('base64');
}

const PRIVATE_KEY = /^-----BEGIN OPENSSH PRIVATE KEY-----\nfake (\S+)\n-----END OPENSSH PRIVATE KEY-----\n$/;

function sshKeygen({ machine, args }: Invocation): ToolOutput | undefined {
  const [quiet, t, type, n, passphrase, c, comment = '', f, path = ''] = args;
  if (
    args.length !== 9 ||
    quiet !== '-q' ||
    t !== '-t' ||
    type !== 'ed25519' ||
    n !== '-N' ||
    passphrase !== '' ||
    c !== '-C' ||
    f !== '-f'
  )
    return undefined;
  if (machine.readText(path) !== undefined) return { code: 1, stdout: `${path} already exists.\nOverwrite (y/n)? ` };
  const problem = machine.writeProblem();
  if (problem !== undefined) return failed(1, `Saving key "${path}" failed: ${problem}`);
  const body = newKeyBody(machine);
  machine.writeText(path, `-----BEGIN OPENSSH PRIVATE KEY-----\nfake ${body}\n-----END OPENSSH PRIVATE KEY-----\n`, 0o600);
  machine.writeText(`${path}.pub`, `ssh-ed25519 ${body} ${comment}\n`, 0o644);
  return DONE;
}

const SSH =
  '-F /dev/null -i <key> -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=<known> -o GlobalKnownHostsFile=/dev/null ' +
  '-o ConnectTimeout=5 -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o LogLevel=ERROR -o UpdateHostKeys=no -o HostKeyAlgorithms=ssh-ed25519 -o IdentityAgent=none -T root@<ip> -- <command>';

function ssh({ machine, args, input }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, SSH);
  if (found === undefined) return undefined;
  const { key = '', known = '', ip = '', command = '' } = found;
  const script = GUEST_SCRIPTS.find((each) => each.command === command && (each.input === undefined || each.input === input));
  if (script === undefined) return undefined;
  const guest = answeringGuest(machine, ip);
  if (guest === undefined) return failed(255, `ssh: connect to host ${ip} port 22: No route to host`);
  const hostKey = hostKeyOf(fileOf(guest.fs, '/etc/ssh/ssh_host_ed25519_key.pub'));
  if (!(machine.readText(known) ?? '').split('\n').some((line) => line === `${ip} ${hostKey}`))
    return failed(255, 'Host key verification failed.');
  const body = PRIVATE_KEY.exec(machine.readText(key) ?? '')?.[1];
  const authorized = (fileOf(guest.fs, '/root/.ssh/authorized_keys') ?? '').split('\n').map((line) => line.split(' ')[1]);
  if (body === undefined || !authorized.includes(body)) return failed(255, `root@${ip}: Permission denied (publickey).`);
  const output = script.run({ machine, ...guest, input });
  guest.save();
  return output;
}

/** A public key's type and body, without its comment. */
function hostKeyOf(line: string | undefined): string {
  return (line ?? '').trim().split(' ').slice(0, 2).join(' ');
}

function sshKeyscan({ machine, args }: Invocation): ToolOutput | undefined {
  const ip = matchArgs(args, '-T 5 -t ed25519 <ip>')?.['ip'];
  if (ip === undefined) return undefined;
  const guest = answeringGuest(machine, ip);
  // A guest that is not there is no failure of ssh-keyscan's before OpenSSH 9.8: it prints nothing and says 1.
  if (guest === undefined) return { code: 1 };
  return {
    code: 0,
    stdout: `${ip} ${hostKeyOf(fileOf(guest.fs, '/etc/ssh/ssh_host_ed25519_key.pub'))}\n`,
    stderr: `# ${ip}:22 SSH-2.0-OpenSSH_9.2p1 Debian-2\n`,
  };
}

/** Rules of nftables for the vifs of domains that were started with the script that sets them. */
function nft({ machine, args }: Invocation): ToolOutput | undefined {
  if (matchArgs(args, '--check --file -') !== undefined) return DONE;
  if (matchArgs(args, '--json list map bridge guestflow senders') === undefined) return undefined;
  const vifs = machine.state.domains.flatMap(({ id, scripts = [] }) =>
    scripts.flatMap((script, index) => (script === 'vif-guestflow' ? [`vif${String(id)}.${String(index)}`] : [])),
  );
  if (vifs.length === 0) return failed(1, 'Error: No such file or directory', 'list map bridge guestflow senders');
  const elem = vifs.map((vif) => [vif, { jump: { target: `from-${vif}` } }]);
  return {
    code: 0,
    stdout: `${JSON.stringify({ nftables: [{ map: { family: 'bridge', table: 'guestflow', name: 'senders', elem } }] })}\n`,
  };
}

function aptConfig({ args }: Invocation): ToolOutput | undefined {
  return matchArgs(args, 'dump') === undefined
    ? undefined
    : { code: 0, stdout: 'APT "";\nAPT::Architecture "amd64";\nAcquire::Retries "3";\n' };
}

export const NET_TOOLS: ToolTable = {
  arping: { seconds: () => 1, start: arping },
  udevadm: { start: udevadm },
  ssh: { seconds: () => 0.5, start: ssh },
  'ssh-keyscan': { seconds: () => 0.3, start: sshKeyscan },
  'ssh-keygen': { seconds: () => 0.2, start: sshKeygen },
  'apt-config': { start: aptConfig },
  '/usr/lib/apt/apt-helper': { seconds: () => 1, start: aptHelper },
  getent: { start: getent },
  nft: { start: nft },
};
