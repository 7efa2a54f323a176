/** The lab's dom0 as the tool modules see one: each process is started inside it, over the login that all commands of the lab share. */
import type { Host } from '../../system/host.ts';
import { createRunner, ToolError, type PipelineOptions, type PipelineStage, type Runner, type RunOptions } from '../../system/run.ts';
import { shellQuote } from '../../lab/ssh.ts';
import { createLabFiles } from './lab-files.ts';

const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C', LC_ALL: 'C', HOME: '/root' };
/** env(1) ends so when the tool is not there. */
const NOT_FOUND = 127;

/** One command line for the shell of dom0 that starts exactly this tool with exactly these words. */
function remoteCommand(tool: string, args: readonly string[], { env, cwd }: Pick<RunOptions, 'env' | 'cwd'>): string {
  const variables = Object.entries({ ...ENVIRONMENT, ...env }).map(([name, value]) => `${name}=${value}`);
  return `cd ${shellQuote(cwd ?? '/')} && exec env -i ${[...variables, tool, ...args].map(shellQuote).join(' ')}`;
}

/** The error of ssh as that of the tool which it started. */
function asToolError(error: unknown, { tool, args }: Pick<PipelineStage, 'tool' | 'args'>, label: string): unknown {
  if (!(error instanceof ToolError)) return error;
  const notFound = error.code === NOT_FOUND;
  const { code, stdout, stderr, timedOut, cancelled } = error;
  const message = notFound ? `${tool} is not installed` : error.message.replace(/^ssh /, `${label} `);
  return new ToolError({ tool, args, code, stdout, stderr, timedOut, cancelled, notFound, message });
}

/** A runner whose tools run in dom0. A time limit or a cancellation ends ssh; what it started in dom0 may run on. */
export function createLabRunner(sshConfigFile: string, local: Runner = createRunner()): Runner {
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
      const { env: _env, cwd: _cwd, ...rest } = options;
      try {
        return await local.run('ssh', overSsh(tool, args, options), { ...rest, label: options.label ?? tool });
      } catch (error) {
        throw asToolError(error, { tool, args }, options.label ?? tool);
      }
    },
  };
}

/** The lab's dom0: its tools and its files. */
export function labHost(sshConfigFile: string): Host {
  const runner = createLabRunner(sshConfigFile);
  return { ...runner, files: createLabFiles(runner) };
}
