/** The form of a simulated tool. */
import type { Machine } from './machine.ts';

/** What a process left when it ended by itself. */
export interface ToolOutput {
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** How far a tool that takes time has come (0 to 1), and what it printed on the way. It can be stopped at each of these. */
export interface Progress {
  readonly done: number;
  readonly stdout?: string;
  readonly stderr?: string;
  /** Bytes for the next process of a pipeline. */
  readonly chunk?: Uint8Array;
}

/** A tool at work: what it does up to a `yield` has happened. */
export type Simulation = Generator<Progress, ToolOutput, void>;

export interface Invocation {
  readonly machine: Machine;
  readonly tool: string;
  readonly args: readonly string[];
  readonly input: string;
}

/** A tool's part of the fake: undefined for a command line that it does not know. */
export interface SimulatedTool {
  /** Seconds that it takes when the speed is `watchable`. Default: 0.1. */
  readonly seconds?: (args: readonly string[]) => number;
  readonly start: (call: Invocation) => Simulation | ToolOutput | undefined;
}

export type ToolTable = Readonly<Record<string, SimulatedTool>>;

export const DONE: ToolOutput = { code: 0 };

export function failed(code: number, ...lines: string[]): ToolOutput {
  return { code, stderr: lines.map((line) => `${line}\n`).join('') };
}

/** Values of a command line of the form `OPTION VALUE …`: what the pattern's `<name>`s stand for, or undefined when it is another one. */
export function matchArgs(args: readonly string[], pattern: string): Record<string, string> | undefined {
  const words = pattern.split(' ');
  if (words.length !== args.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, word] of words.entries()) {
    const arg = args[index] ?? '';
    const hole = /^(.*)<(\w+)>(.*)$/.exec(word);
    if (hole === null) {
      if (arg !== word) return undefined;
      continue;
    }
    const [, before = '', name = '', after = ''] = hole;
    if (!arg.startsWith(before) || !arg.endsWith(after) || arg.length <= before.length + after.length) return undefined;
    found[name] = arg.slice(before.length, arg.length - after.length);
  }
  return found;
}
