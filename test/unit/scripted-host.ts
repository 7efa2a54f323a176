/** A host whose tools answer as a test says, and whose files are in a temporary directory. It keeps what was run. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createHostFiles, type Host } from '../../system/host.ts';
import { ToolError, type RunOptions, type RunResult } from '../../system/run.ts';

export interface Answer {
  readonly stdout?: string;
  readonly stderr?: string;
  /** Default 0; a code that the caller does not accept becomes a ToolError, as with the real runner. */
  readonly code?: number;
}

export interface ScriptedHost extends Host {
  /** Command lines in the order in which they were run. */
  readonly calls: string[];
}

/** Recorded output of a real tool. */
export function recorded(name: string): string {
  return readFileSync(new URL(`../fixtures/tools/${name}.txt`, import.meta.url), 'utf8');
}

function toResult(tool: string, args: readonly string[], answer: Answer, okCodes: readonly number[] = [0]): RunResult {
  const { stdout = '', stderr = '', code = 0 } = answer;
  if (okCodes.includes(code)) return { code, stdout, stderr, seconds: 0 };
  throw new ToolError({
    tool,
    args,
    code,
    stdout,
    stderr,
    timedOut: false,
    cancelled: false,
    notFound: false,
    message: `${tool} ended with exit code ${String(code)}`,
  });
}

/** @param answer what a command line gives; nothing: success without output. */
export function scriptedHost(answer: (command: string, options: RunOptions) => Answer | Promise<Answer> | undefined): ScriptedHost {
  const root = mkdtempSync(join(tmpdir(), 'guestflow-unit-'));
  onTestFinished(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const calls: string[] = [];
  const run = async (tool: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> => {
    const command = [tool, ...args].join(' ');
    calls.push(command);
    return toResult(tool, args, (await answer(command, options)) ?? {}, options.okCodes);
  };
  return {
    calls,
    files: createHostFiles(root),
    run,
    async pipeline(stages, options) {
      const results = [];
      for (const stage of stages) results.push(await run(stage.tool, stage.args, { okCodes: stage.okCodes ?? [0] }));
      await options.sink(Buffer.from(results.at(-1)?.stdout ?? ''));
      return { stages: results, seconds: 0 };
    },
  };
}
