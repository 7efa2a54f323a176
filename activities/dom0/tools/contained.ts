/**
 * Tools that start others, mount things and clean up only when they end by themselves: xen-create-image, mmdebstrap.
 *
 * Contained, such a tool has its own process and mount namespaces. When it ends in whatever way, or the worker does, the kernel ends
 * all that it started, takes its mounts away, and with them the loop devices below: there is nothing to clean up.
 */
import type { Runner, RunOptions, RunResult } from '../../../system/run.ts';
import { defined } from '../../../contract/defined.ts';
import { lineReader } from '../../../system/lines.ts';

/** How a contained tool is run. */
export interface ContainedOptions extends Pick<RunOptions, 'timeoutMs' | 'signal'> {
  /** Where it puts its temporary files and mount points: a directory of ours alone. */
  readonly temporary: string;
  /** Called for each line of output, of both streams. */
  readonly onLine?: (line: string) => void;
}

const CONTAINED = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'] as const;

/** Tells the lines of an output that are not empty. A last line without an end is not told. */
function lineSplitter(onLine: (line: string) => void): (text: string) => void {
  const reader = lineReader((line) => {
    if (line.trim() !== '') onLine(line.trim());
  });
  return (text) => reader.push(text);
}

/** Like `host.run`, contained. Needs root. */
export async function runContained(host: Runner, tool: string, args: readonly string[], options: ContainedOptions): Promise<RunResult> {
  const { timeoutMs, signal, temporary, onLine } = options;
  return host.run('setpriv', [...CONTAINED, tool, ...args], {
    label: tool,
    env: { TMPDIR: temporary },
    ...defined({ timeoutMs, signal }),
    ...(onLine === undefined ? {} : { onOutput: lineSplitter(onLine) }),
  });
}
