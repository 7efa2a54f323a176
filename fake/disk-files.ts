/** Tools that work on files that are disks, on the fake dom0: fallocate, truncate and cp. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { readImage, type Machine } from './machine.ts';
import { emptyContent } from './model.ts';
import { DONE, failed, matchArgs, type Invocation, type Simulation, type ToolOutput, type ToolTable } from './tool.ts';

/** What lies below a directory in files that have all of their room. */
export function allocatedBelow(machine: Machine, directory: string): number {
  if (!existsSync(machine.at(directory))) return 0;
  const images = readdirSync(machine.at(directory), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.img'));
  const files = images.map((path) => machine.at(`${directory}/${path}`)).filter((file) => readImage(file).allocated === true);
  return files.reduce((sum, file) => sum + statSync(file).size, 0);
}

function fallocate({ machine, args }: Invocation): ToolOutput | undefined {
  const { bytes, path } = matchArgs(args, '--length <bytes> -- <path>') ?? {};
  if (bytes === undefined || path === undefined) return undefined;
  const problem = machine.writeProblem();
  if (problem !== undefined) return failed(1, `fallocate: fallocate failed: ${problem}`);
  const there = machine.disk(path);
  const size = Math.max(Number(bytes), there?.bytes ?? 0);
  machine.makeImage(path, size, { ...(there?.content ?? emptyContent()), allocated: true });
  return DONE;
}

function truncate({ machine, args }: Invocation): ToolOutput | undefined {
  const { bytes, path } = matchArgs(args, '--no-create --size <bytes> -- <path>') ?? {};
  if (bytes === undefined || path === undefined) return undefined;
  const there = machine.disk(path);
  if (there === undefined) return DONE;
  if (machine.writeProblem() === 'Read-only file system')
    return failed(1, `truncate: cannot open '${path}' for writing: Read-only file system`);
  const { fs } = there.content;
  if (fs !== undefined && fs.bytes > Number(bytes)) fs.damaged = true;
  machine.makeImage(path, Number(bytes), { ...there.content, residue: [] });
  return DONE;
}

function cp({ machine, args }: Invocation): Simulation | ToolOutput | undefined {
  const shared = matchArgs(args, '--reflink=always --no-target-directory -- <from> <to>');
  const { from, to } = shared ?? matchArgs(args, '--reflink=never --sparse=always --no-target-directory -- <from> <to>') ?? {};
  if (from === undefined || to === undefined) return undefined;
  const source = machine.disk(from);
  if (source === undefined) return failed(1, `cp: cannot stat '${from}': No such file or directory`);
  const problem = machine.writeProblem();
  if (problem !== undefined) return failed(1, `cp: cannot create regular file '${to}': ${problem}`);
  if (shared !== undefined && !machine.options.reflink) {
    rmSync(machine.at(to), { force: true });
    return failed(1, `cp: failed to clone '${to}' from '${from}': Operation not supported`);
  }
  const { allocated: _room, ...content } = structuredClone(source.content);
  if (shared === undefined) return copying(machine, from, to);
  machine.makeImage(to, source.bytes, content);
  return DONE;
}

/** What is written to the file while it is copied makes the copy worthless. */
function* copying(machine: Machine, from: string, to: string): Simulation {
  const source = machine.disk(from);
  if (source === undefined) return failed(1, `cp: cannot stat '${from}': No such file or directory`);
  const { allocated: _room, ...content } = structuredClone(source.content);
  const { fs } = content;
  const wrote = machine.state.domains.some(({ state, disks }) => state === 'running' && disks.some((disk) => disk.source === from));
  machine.makeImage(to, source.bytes, { ...content, ...(fs === undefined ? {} : { fs: { ...fs, damaged: true } }) });
  yield { done: 0.5 };
  if (!wrote) machine.makeImage(to, source.bytes, content);
  return DONE;
}

export const DISK_FILE_TOOLS: ToolTable = {
  fallocate: { seconds: () => 0.2, start: fallocate },
  truncate: { start: truncate },
  cp: { seconds: () => 2, start: cp },
};
