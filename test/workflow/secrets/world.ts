/** Everything as in production, but for the dom0, which is the fake one: each part a process, watched from outside. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../../system/until.ts';
import { createRunner, type RunResult } from '../../../system/run.ts';
import { startServer, stopServer } from '../../../system/run-server.ts';
import { bundleWorkflows } from '../../../worker/bundle.ts';
import { startEmbeddedTemporal } from '../../../worker/embedded-temporal.ts';
import { freePort } from '../../../system/ports.ts';
import { PLANTED_DOM0, type plant } from './plants.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CLI = join(ROOT, 'bin', 'guestflow.mjs');
const DOM0 = fileURLToPath(new URL('./dom0-process.ts', import.meta.url));
/** On a machine that is busy with other things, too. */
const START_MS = 100_000;

/** Guest whose order fails. */
export const BROKEN = 'broken1';

export interface World {
  readonly address: string;
  readonly gatewayUrl: string;
  readonly directory: string;
  /** Bodies that the receiver of webhooks got. */
  readonly received: readonly string[];
  /** Runs the command line as a process. */
  cli(args: readonly string[], options?: { readonly input?: string; readonly withoutKey?: true }): Promise<RunResult>;
  file(name: string, text: string): string;
  metrics(): Promise<string>;
  /** Addresses that something listens on at the gateway's port. */
  listeners(): string[];
  /** Arguments and environments of all processes that were seen, and what tools that end at once were given. */
  watched(): { readonly argv: Buffer; readonly environ: Buffer };
  /** Ends every process, and returns what they left: logs, Temporal's files, the fake's command lines. */
  stop(): Promise<Map<string, Buffer>>;
  /** Ends what still runs, and removes everything. */
  end(): Promise<void>;
}

/** Watches /proc: what any process of this machine shows to others. */
function watchProcesses(): { readonly argv: Set<string>; readonly environ: Set<string>; stop(): void } {
  const seen = { argv: new Set<string>(), environ: new Set<string>() };
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      for (const [file, texts] of [
        ['cmdline', seen.argv],
        ['environ', seen.environ],
      ] as const) {
        try {
          texts.add(readFileSync(`/proc/${pid}/${file}`, 'latin1'));
        } catch {
          // It has ended, or is another user's.
        }
      }
    }
  };
  const timer = setInterval(look, 40);
  return { ...seen, stop: () => clearInterval(timer) };
}

/** A process lives shorter than the watch's pause: this `openssl` writes down what it was given, and becomes the real one. */
function shimOpenssl(directory: string): string {
  const [bin, log] = [join(directory, 'bin'), join(directory, 'openssl.log')];
  mkdirSync(bin);
  writeFileSync(join(bin, 'openssl'), `#!/bin/sh\n{ printf '%s\\n' "$@"; env; } >> '${log}'\nexec /usr/bin/openssl "$@"\n`, {
    mode: 0o755,
  });
  return bin;
}

async function receiver(received: string[]): Promise<Server> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
    request.on('end', () => {
      received.push(body);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** From proc(5): `0100007F:2120 … 0A` is 127.0.0.1, port 8480, listening. */
function listenersOn(port: number): string[] {
  const inHex = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => readFileSync(path, 'latin1').split('\n'));
  return rows.flatMap((row) => {
    const [, address = ''] = new RegExp(`^\\s*\\d+: ([0-9A-F]+):${inHex} \\S+ 0A `).exec(row) ?? [];
    return address === '' ? [] : [address.length === 8 ? [...Buffer.from(address, 'hex')].reverse().join('.') : address];
  });
}

async function untilSaid(what: string, words: string, log: string): Promise<void> {
  const isSaid = (): boolean => readFileSync(log, 'utf8').includes(words);
  if (!(await until(isSaid, { everyMs: 50, limitMs: START_MS })))
    throw new Error(`${what} did not start: ${readFileSync(log, 'utf8').slice(-3_000)}`);
}

/** What was started; all of it ends, whatever became of the others. */
class Started {
  private readonly ends: (() => Promise<unknown>)[] = [];

  add(end: () => Promise<unknown>): void {
    this.ends.push(end);
  }

  /** In reverse order. Safe to call twice. */
  async end(): Promise<void> {
    for (const end of this.ends.splice(0).reverse()) await end();
  }
}

/** Starts everything. */
export async function createWorld(secrets: ReturnType<typeof plant>, isEncrypted: boolean): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'guestflow-secrets-'));
  const started = new Started();
  try {
    return await start(directory, started, secrets, isEncrypted);
  } catch (error) {
    await started.end();
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

async function start(directory: string, started: Started, secrets: ReturnType<typeof plant>, isEncrypted: boolean): Promise<World> {
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    chmodSync(path, 0o600);
    return path;
  };
  const path = `${shimOpenssl(directory)}:${process.env['PATH'] ?? ''}`;
  const codec = isEncrypted ? { GUESTFLOW_CODEC_KEY_FILE: file('codec-keys', `${secrets.codecKey}\n`) } : {};
  const env = { PATH: path, ...codec };
  const received: string[] = [];
  await bundleWorkflows(undefined, { encodesFailures: isEncrypted });
  const temporal = await startEmbeddedTemporal({
    stateDir: directory,
    port: await freePort(17_233),
    uiPort: await freePort(18_233),
    endsWithUs: true,
  });
  started.add(() => temporal.stop());
  const [hooks, gatewayPort, metricsPort] = await Promise.all([receiver(received), freePort(18_480), freePort(19_464)]);
  started.add(
    () =>
      new Promise<void>((resolve) => {
        hooks.close(() => resolve());
      }),
  );
  const seen = watchProcesses();
  started.add(() => {
    seen.stop();
    return Promise.resolve();
  });
  const { address } = temporal;
  const logs: string[] = [];
  const run = async (name: string, args: readonly string[], own: Record<string, string> = {}): Promise<string> => {
    const logFile = join(directory, `${name}.log`);
    logs.push(logFile);
    const server = await startServer({ command: process.execPath, args, logFile, env: { ...env, ...own } });
    started.add(() => stopServer(server, 15_000));
    return logFile;
  };
  const notify = file(
    'notify.yaml',
    `url: http://127.0.0.1:${String((hooks.address() as AddressInfo).port)}/hooks\nallowPrivate: true\nsecretFile: ${file('notify-secret', `${secrets.notifySecret}\n`)}\n`,
  );
  const tokens = join(directory, 'tokens.yaml');
  const cli: World['cli'] = (args, { input = '', withoutKey } = {}) =>
    createRunner().run(process.execPath, [CLI, ...args], {
      input,
      env: withoutKey === true ? { PATH: path } : env,
      okCodes: [0, 1, 2, 3, 4, 5],
      timeoutMs: 240_000,
    });
  file(
    'token.out',
    (
      await cli([
        'gateway',
        'token',
        'panel',
        '--scope',
        'guests:order',
        '--scope',
        'guests:read',
        '--scope',
        'guests:access',
        '--file',
        tokens,
      ])
    ).stdout,
  );
  const control = await run('control', [CLI, 'worker', 'control', '--address', address], { GUESTFLOW_NOTIFY: notify });
  const dom0 = await run('dom0', [
    '--import',
    import.meta.resolve('tsx'),
    DOM0,
    address,
    join(directory, 'dom0'),
    String(metricsPort),
    PLANTED_DOM0,
    BROKEN,
  ]);
  const gateway = await run('gateway', [
    ...[CLI, 'gateway', '--address', address, '--listen', String(gatewayPort), '--token-file', tokens, '--answer-within', '9000'],
    ...[
      '--stripe-secret-file',
      file('stripe', `${secrets.stripeSecret}\n`),
      '--signup-secret-file',
      file('signup', `${secrets.signupSecret}\n`),
    ],
  ]);
  await untilSaid('the gateway', 'connected to Temporal', gateway);
  await untilSaid('the control worker', 'control worker polls', control);
  await untilSaid('the dom0', 'dom0 registered', dom0);
  return {
    address,
    gatewayUrl: `http://127.0.0.1:${String(gatewayPort)}`,
    directory,
    received,
    cli,
    file,
    listeners: () => listenersOn(gatewayPort),
    metrics: async () => (await fetch(`http://127.0.0.1:${String(metricsPort)}/metrics`)).text(),
    watched: () => ({
      argv: Buffer.from([...seen.argv, readFileSync(join(directory, 'openssl.log'), 'latin1')].join('\n'), 'latin1'),
      environ: Buffer.from([...seen.environ].join('\n'), 'latin1'),
    }),
    stop: async () => {
      await started.end();
      const left = new Map(logs.map((log) => [`log ${log.slice(directory.length + 1)}`, readFileSync(log)]));
      const ofTemporal = join(directory, 'temporal');
      for (const name of readdirSync(ofTemporal)) left.set(`temporal/${name}`, readFileSync(join(ofTemporal, name)));
      left.set('command lines on the dom0', readFileSync(join(directory, 'dom0', 'calls.json')));
      return left;
    },
    end: async () => {
      await started.end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
