/** The way into dom0: ssh over a forwarded port, one login that all commands share. */
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import type { Runner, RunOptions, RunResult } from '../system/run.ts';
import { until } from '../system/until.ts';
import { LabError } from './errors.ts';
import type { Layout } from './layout.ts';

/** One word for a POSIX shell, whatever is in it. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Writes the ssh configuration of a lab: `Host dom0`, which others can name in a ProxyJump. */
export async function writeSshConfig(layout: Layout, baseFolder: string, sshPort: number): Promise<void> {
  const quoted = (file: string): string => `"${file}"`;
  const lines = [
    'Host dom0',
    '  HostName 127.0.0.1',
    `  Port ${String(sshPort)}`,
    '  User root',
    '  HostKeyAlias dom0',
    `  IdentityFile ${quoted(path.join(baseFolder, 'id_ed25519'))}`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${quoted(layout.knownHosts)}`,
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
    '  BatchMode yes',
    '  ControlMaster auto',
    `  ControlPath ${quoted(layout.sshControl)}`,
    '  ControlPersist yes',
    '  ConnectTimeout 30',
    '  ServerAliveInterval 15',
    '  ServerAliveCountMax 8',
    '  LogLevel ERROR',
  ];
  await writeFile(layout.knownHosts, await readFile(path.join(baseFolder, 'known_host')), { mode: 0o600 });
  await writeFile(layout.sshConfig, `${lines.join('\n')}\n`, { mode: 0o600 });
}

/** Arguments for ssh that run a command in dom0. */
export function sshArguments(layout: Layout, argv: readonly string[]): string[] {
  return ['-F', layout.sshConfig, '--', 'dom0', argv.map(shellQuote).join(' ')];
}

/** Runs a command in dom0. The words of `argv` reach it as they are. */
export async function execInDom0(runner: Runner, layout: Layout, argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return await runner.run('ssh', sshArguments(layout, argv), { label: argv[0] ?? 'ssh', ...options });
}

/** Ends the shared login, which would otherwise hang on a machine that has been reset or stopped. */
export async function dropLogin(runner: Runner, layout: Layout): Promise<void> {
  await runner.run('ssh', ['-F', layout.sshConfig, '-O', 'exit', 'dom0'], { okCodes: [0, 255], timeoutMs: 5_000 }).catch(() => undefined);
}

function hearsSsh(port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (heard: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(heard);
    };
    const timer = setTimeout(() => {
      finish(false);
    }, timeoutMs);
    socket.once('data', (data) => {
      finish(data.toString('latin1').startsWith('SSH-'));
    });
    socket.once('error', () => {
      finish(false);
    });
    socket.once('close', () => {
      finish(false);
    });
  });
}

/** Waits until dom0's sshd greets. `isAlive` ends the wait when the machine has gone. */
export async function awaitSsh(
  port: number,
  { timeoutMs, signal, isAlive }: { timeoutMs: number; signal?: AbortSignal | undefined; isAlive: () => boolean },
): Promise<void> {
  const look = async (): Promise<boolean> => {
    if (await hearsSsh(port, 2_000)) return true;
    if (!isAlive()) throw new LabError('failed', 'QEMU ended while dom0 was starting');
    return false;
  };
  if (!(await until(look, { everyMs: 250, limitMs: timeoutMs, signal })))
    throw new LabError('failed', `dom0 did not answer within ${timeoutMs / 1000} s`);
}
