/** The lab's dom0 as the tool modules see one: each process is started inside it, over the login that all commands of the lab share. */
import type { Host } from '../../system/host.ts';
import { DEFAULT_TIMEOUT_MS } from '../../system/process.ts';
import {
  createRunner,
  tail,
  ToolError,
  type PipelineOptions,
  type PipelineStage,
  type Runner,
  type RunOptions,
  type RunResult,
} from '../../system/run.ts';
import { shellQuote } from '../../lab/ssh.ts';
import { createLabFiles } from './lab-files.ts';
import { LabShell } from './lab-shell.ts';

const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C', LC_ALL: 'C', HOME: '/root' };
/** env(1) ends so when the tool is not there. */
const NOT_FOUND = 127;

const wordsOf = (env: Readonly<Record<string, string>>): string[] => Object.entries(env).map(([name, value]) => `${name}=${value}`);

const quoted = (words: readonly string[]): string => words.map(shellQuote).join(' ');

/** One command line for the shell of dom0 that starts exactly this tool with exactly these words. */
function remoteCommand(tool: string, args: readonly string[], { env, cwd }: Pick<RunOptions, 'env' | 'cwd'>): string {
  return `cd ${shellQuote(cwd ?? '/')} && exec ${quoted(['env', '-i', ...wordsOf({ ...ENVIRONMENT, ...env }), tool, ...args])}`;
}

/** The same for the shell that stays, which has the environment. */
function commandInShell(tool: string, args: readonly string[], { env = {}, cwd }: Pick<RunOptions, 'env' | 'cwd'>): string {
  const own = Object.keys(env).length === 0 ? [] : ['env', ...wordsOf(env)];
  return `cd ${shellQuote(cwd ?? '/')} && exec ${quoted([...own, tool, ...args])}`;
}

/** The error of ssh as that of the tool which it started. */
function asToolError(error: unknown, { tool, args }: Pick<PipelineStage, 'tool' | 'args'>, label: string): unknown {
  if (!(error instanceof ToolError)) return error;
  const notFound = error.code === NOT_FOUND;
  const { code, stdout, stderr, timedOut, cancelled } = error;
  const message = notFound ? `${tool} is not installed` : error.message.replace(/^ssh /, `${label} `);
  return new ToolError({ tool, args, code, stdout, stderr, timedOut, cancelled, notFound, message });
}

/** A time limit or a cancellation has ended the wait, or the login has ended. */
function unanswered(tool: string, args: readonly string[], { label = tool, signal }: RunOptions, error: unknown): ToolError {
  const cancelled = signal?.aborted === true;
  const why = error instanceof Error ? error.message : String(error);
  const message = cancelled ? `${label} was cancelled` : `${label} has not answered: ${why}`;
  return new ToolError({ tool, args, message, code: undefined, stdout: '', stderr: '', timedOut: !cancelled, cancelled, notFound: false });
}

/** One process by the shell that stays. */
async function runInShell(shell: LabShell, tool: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { label = tool, okCodes = [0], timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options;
  const started = performance.now();
  const answer = await shell.run(commandInShell(tool, args, options), timeoutMs, signal).catch((error: unknown) => {
    throw unanswered(tool, args, options, error);
  });
  if (okCodes.includes(answer.code)) return { ...answer, seconds: (performance.now() - started) / 1000 };
  const notFound = answer.code === NOT_FOUND;
  const said = tail(answer.stderr) || tail(answer.stdout);
  const ended = `${label} ended with exit code ${String(answer.code)}${said === '' ? '' : `: ${said}`}`;
  const message = notFound ? `${tool} is not installed` : ended;
  throw new ToolError({ tool, args, ...answer, timedOut: false, cancelled: false, notFound, message });
}

/**
 * A runner whose tools run in dom0. A time limit or a cancellation ends ssh; what it started in dom0 may run on.
 *
 * @param shell runs what takes no input and is not listened to. Default: each process has a login of its own
 */
export function createLabRunner(sshConfigFile: string, local: Runner = createRunner(), shell?: LabShell): Runner {
  const overSsh = (tool: string, args: readonly string[], options: Pick<RunOptions, 'env' | 'cwd'>): string[] => [
    '-F',
    sshConfigFile,
    '--',
    'dom0',
    remoteCommand(tool, args, options),
  ];

  async function pipeline(stages: readonly PipelineStage[], options: PipelineOptions): ReturnType<Runner['pipeline']> {
    const { env: _env, cwd: _cwd, ...rest } = options;
    const wrapped = stages.map((stage) => ({ ...stage, tool: 'ssh', args: overSsh(stage.tool, stage.args, options) }));
    try {
      return await local.pipeline(wrapped, rest);
    } catch (error) {
      const failed = stages[wrapped.findIndex(({ args }) => error instanceof ToolError && error.args === args)];
      throw failed === undefined ? error : asToolError(error, failed, failed.tool);
    }
  }

  return {
    pipeline,
    run: async (tool, args, options = {}) => {
      if (shell !== undefined && options.input === undefined && options.onOutput === undefined)
        return runInShell(shell, tool, args, options);
      const { env: _env, cwd: _cwd, ...rest } = options;
      try {
        return await local.run('ssh', overSsh(tool, args, options), { ...rest, label: options.label ?? tool });
      } catch (error) {
        throw asToolError(error, { tool, args }, options.label ?? tool);
      }
    },
  };
}

/** The lab's dom0: its tools and its files. `close` ends the shell that its commands share. */
export function labHost(sshConfigFile: string): Host & { close(): void } {
  const shell = new LabShell(sshConfigFile, `exec ${quoted(['env', '-i', ...wordsOf(ENVIRONMENT), 'sh'])}`);
  const runner = createLabRunner(sshConfigFile, createRunner(), shell);
  return {
    ...runner,
    files: createLabFiles(runner),
    close: () => {
      shell.close();
    },
  };
}
