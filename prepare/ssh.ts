/** Prepares a host from the operator's machine: copies the program and Node over ssh, starts it so that it outlives the connection, and watches it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { createRunner, ToolError, type RunOptions, type Runner, type RunResult } from '../system/run.ts';
import { until } from '../system/until.ts';
import { GuestflowError } from '../contract/errors.ts';
import { REACHED_FILE } from './bridge/guard.ts';
import { errorOf, type Ending } from './request.ts';
import type { Target } from './target.ts';
import type { PrepareEvent, PrepareReport, Wishes } from './types.ts';

const FOLDER = '/var/cache/guestflow-prepare';
const UNIT = 'guestflow-prepare';
const TARGET = /^(?:([A-Za-z_][A-Za-z0-9_-]*)@)?[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$/;
const POLL_MS = 1_000;
/** The guard of a bridge gives up after a minute, then puts the network back. */
const LOST_LIMIT_MS = 6 * 60_000;
const BOOT_LIMIT_MS = 15 * 60_000;
const SEND_LIMIT_MS = 30 * 60_000;
const ASK_LIMIT_MS = 10 * 60_000;
const POLL_LIMIT_MS = 20_000;

/** Where, and with what. */
export interface SshOptions {
  /** `root@HOST`, or a name of the ssh configuration. */
  readonly target: string;
  /** Default: ssh's own. */
  readonly configFile?: string | undefined;
  /** The program (one file of JavaScript) and the Node that runs it, on this machine. */
  readonly program: Uint8Array;
  readonly node: string;
  readonly say: (text: string) => void;
  /** Default: this machine's processes. */
  readonly runner?: Runner;
}

function unreachable(target: string, error: unknown): GuestflowError {
  return new GuestflowError(
    'Unreachable',
    `${target} cannot be reached by ssh: ${error instanceof Error ? error.message : String(error)}`,
    {
      field: '--ssh',
      value: target,
      mend: `ssh ${target} true must work without a question: a key in the agent, the host key in known_hosts`,
    },
  );
}

/** One ssh login that all commands share; dropped when it hangs. */
class Login {
  readonly #options: SshOptions;
  readonly #runner: Runner;
  readonly #arguments: string[];

  constructor(options: SshOptions, folder: string) {
    this.#options = options;
    this.#runner = options.runner ?? createRunner();
    const settings = ['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ControlMaster=auto', `ControlPath=${folder}/%C`, 'ControlPersist=120'];
    const patience = ['ConnectTimeout=10', 'ServerAliveInterval=5', 'ServerAliveCountMax=3', 'LogLevel=ERROR'];
    const config = options.configFile === undefined ? [] : ['-F', options.configFile];
    this.#arguments = [...config, ...[...settings, ...patience].flatMap((setting) => ['-o', setting])];
  }

  /** Runs a line of shell. Exit code 255 is ssh's own: `Unreachable`. */
  async run(line: string, options: RunOptions = {}): Promise<RunResult> {
    try {
      return await this.#runner.run('ssh', [...this.#arguments, '--', this.#options.target, line], { label: 'ssh', ...options });
    } catch (error) {
      if (error instanceof ToolError && (error.code === 255 || error.code === undefined) && !error.notFound) {
        await this.drop();
        throw unreachable(this.#options.target, error);
      }
      throw error;
    }
  }

  /** Ends the shared login: the next command makes a new one. */
  async drop(): Promise<void> {
    const args = [...this.#arguments, '-O', 'exit', '--', this.#options.target];
    await this.#runner.run('ssh', args, { okCodes: [0, 255], timeoutMs: 5_000 }).catch(() => undefined);
  }
}

async function sha256(source: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of source) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** Puts a file on the host unless it is there, whole. */
async function send(login: Login, path: string, open: () => Readable): Promise<void> {
  const sum = await sha256(open());
  const isThere = `echo '${sum}  ${path}' | sha256sum --check --status`;
  if ((await login.run(isThere, { okCodes: [0, 1] })).code === 0) return;
  const line = `umask 077 && mkdir -p ${FOLDER} && gunzip > ${path}.part && chmod 700 ${path}.part && mv -f ${path}.part ${path} && ${isThere}`;
  await login.run(line, { input: open().pipe(createGzip({ level: 1 })), timeoutMs: SEND_LIMIT_MS });
}

async function isRoot(login: Login, target: string): Promise<void> {
  const uid = (await login.run('id -u')).stdout.trim();
  if (uid !== '0')
    throw new GuestflowError('InvalidInput', `ssh ${target} is the user with id ${uid}: a dom0 is prepared by root`, {
      field: '--ssh',
      value: target,
      mend: 'name root@HOST',
    });
}

/** Connects, and brings what the host needs. */
export async function overSsh(options: SshOptions): Promise<Target> {
  const { target } = options;
  if (!TARGET.test(target))
    throw new GuestflowError('InvalidInput', `--ssh ${JSON.stringify(target)}: it is no USER@HOST`, {
      field: '--ssh',
      value: target,
      mend: 'name it as in --ssh root@192.0.2.5',
    });
  const folder = await mkdtemp(join(tmpdir(), 'gf-ssh-'));
  const login = new Login(options, folder);
  const close = async (): Promise<void> => {
    await login.drop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await isRoot(login, target);
    options.say(`bringing the program and its Node runtime to ${target}`);
    await send(login, `${FOLDER}/node`, () => createReadStream(options.node));
    await send(login, `${FOLDER}/prepare.cjs`, () => Readable.from([Buffer.from(options.program)]));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    name: target,
    plan: (wishes) => ask(login, wishes),
    run: (wishes, emit, signal) => watch(login, wishes, emit, signal),
    confirm: () => confirm(login),
    reboot: () => reboot(login, target, options.say),
    close: async () => {
      await close();
    },
  };
}

/** Lays the request out in an empty folder. Refuses while another runs. */
async function request(login: Login, wishes: Wishes): Promise<void> {
  const { code } = await login.run(`systemctl is-active --quiet ${UNIT}.service`, { okCodes: [0, 3, 4] });
  if (code === 0)
    throw new GuestflowError('Busy', 'the host is being prepared already', {
      field: '--ssh',
      mend: `wait for it: systemctl status ${UNIT} on the host`,
    });
  const line = `umask 077 && rm -rf ${FOLDER}/request && mkdir ${FOLDER}/request && cat > ${FOLDER}/request/wishes.json`;
  await login.run(line, { input: JSON.stringify(wishes) });
}

async function ask(login: Login, wishes: Wishes): Promise<PrepareReport> {
  await request(login, wishes);
  const line = `${FOLDER}/node ${FOLDER}/prepare.cjs answer plan ${FOLDER}/request && cat ${FOLDER}/request/events.ndjson`;
  const { stdout } = await login.run(line, { timeoutMs: ASK_LIMIT_MS });
  const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Ending;
  if (last.event === 'error') throw errorOf(last);
  return last.report;
}

/** Reads the events of a run from where it stopped before. */
function eventReader(login: Login): () => Promise<{ readonly events: (PrepareEvent | Ending)[]; readonly hasEnded: boolean }> {
  let offset = 1;
  let rest = '';
  return async () => {
    const file = `${FOLDER}/request/events.ndjson`;
    // Asks first whether it runs, and reads afterwards: so nothing of a run that has ended is missed.
    const line = `systemctl is-active --quiet ${UNIT}.service; a=$?; tail -c +${String(offset)} ${file} 2>/dev/null; exit $a`;
    const { code, stdout } = await login.run(line, { okCodes: [0, 3, 4], timeoutMs: POLL_LIMIT_MS });
    offset += Buffer.byteLength(stdout);
    const lines = (rest + stdout).split('\n');
    rest = lines.pop() ?? '';
    return { events: lines.map((text) => JSON.parse(text) as PrepareEvent | Ending), hasEnded: code !== 0 };
  };
}

/** Starts the run, a unit of systemd that goes on without us, and watches it. The signal has it undo what it did. */
async function watch(login: Login, wishes: Wishes, emit: (event: PrepareEvent) => void, signal: AbortSignal): Promise<PrepareReport> {
  await request(login, wishes);
  await login.run(`systemd-run --quiet --collect --unit=${UNIT} -- ${FOLDER}/node ${FOLDER}/prepare.cjs answer run ${FOLDER}/request`);
  const read = eventReader(login);
  let heardAt = Date.now();
  let isTold = false;
  let isAwaited = false;
  const look = async (): Promise<PrepareReport | undefined> => {
    try {
      if (isAwaited) await confirm(login);
      isAwaited = false;
      if (signal.aborted && !isTold) {
        await login.run(`systemctl kill --signal=INT ${UNIT}.service`, { okCodes: [0, 1, 5] });
        isTold = true;
      }
      const { events, hasEnded } = await read();
      heardAt = Date.now();
      for (const event of events) {
        if (event.event === 'result') return event.report;
        if (event.event === 'error') throw errorOf(event);
        emit(event);
        isAwaited ||= event.event === 'awaits login' && wishes.confirm === 'login';
      }
      if (hasEnded) throw endedWithoutWord();
    } catch (error) {
      if (!(error instanceof GuestflowError) || error.type !== 'Unreachable' || Date.now() - heardAt > LOST_LIMIT_MS) throw error;
    }
    return undefined;
  };
  return await until(look, { everyMs: POLL_MS });
}

function endedWithoutWord(): GuestflowError {
  return new GuestflowError('ToolFailed', `the program on the host ended without a word: journalctl --unit ${UNIT} says more`, {
    mend: 'run the same command again: what is there already is left as it is',
  });
}

/** Says so by a login of its own, which shows that the host is reached. */
async function confirm(login: Login): Promise<void> {
  await login.drop();
  await login.run(`echo login > ${REACHED_FILE}`, { timeoutMs: POLL_LIMIT_MS });
}

async function reboot(login: Login, target: string, say: (text: string) => void): Promise<boolean> {
  const bootId = async (): Promise<string> => (await login.run('cat /proc/sys/kernel/random/boot_id', { timeoutMs: POLL_LIMIT_MS })).stdout;
  const before = await bootId();
  say(`${target} reboots`);
  await login.run('systemctl reboot', { okCodes: [0, 1] }).catch(() => undefined);
  await login.drop();
  const isBack = async (): Promise<boolean> => (await bootId().catch(() => before)) !== before;
  if (await until(isBack, { everyMs: POLL_MS, limitMs: BOOT_LIMIT_MS })) return true;
  throw new GuestflowError('Unreachable', `${target} did not come back within ${String(BOOT_LIMIT_MS / 60_000)} min of its reboot`, {
    field: '--ssh',
    value: target,
    mend: 'look at its console; run the same command again when it is up',
  });
}
