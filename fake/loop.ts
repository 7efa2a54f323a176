/** Loop devices and mounts of the fake dom0. */
import type { Machine } from './machine.ts';
import { DONE, failed, matchArgs, type Invocation, type ToolOutput, type ToolTable } from './tool.ts';

/** The next free loop device, or undefined when the kernel's limit is reached. */
export function freeLoop(machine: Machine): string | undefined {
  const { loops } = machine.state;
  const { maxLoop } = machine.options;
  if (machine.conditions.noLoop) return undefined;
  for (let number = 0; maxLoop === 0 || number < maxLoop; number += 1) {
    const name = `/dev/loop${String(number)}`;
    if (!loops.some((loop) => loop.name === name)) return name;
  }
  return undefined;
}

/** As `losetup --json` prints it; nothing at all for no device, unless one file was asked about. */
function table(loops: readonly { name: string; file: string; autoclear: boolean }[], ofFile: boolean): ToolOutput {
  if (loops.length === 0) return { code: 0, stdout: ofFile ? '{\n   "loopdevices": [\n\n   ]\n}\n' : '' };
  const rows = loops.map(({ name, file, autoclear }) => ({ name, 'back-file': file, autoclear }));
  return { code: 0, stdout: `${JSON.stringify({ loopdevices: rows }, undefined, 3)}\n` };
}

function losetup({ machine, args }: Invocation): ToolOutput | undefined {
  const { loops, mounts } = machine.state;
  const list = '--json --list --output NAME,BACK-FILE,AUTOCLEAR';
  if (matchArgs(args, list) !== undefined) return table(loops, false);
  const file = matchArgs(args, `${list} --associated <file>`)?.['file'];
  if (file !== undefined)
    return table(
      loops.filter((loop) => loop.file === file),
      true,
    );
  if (matchArgs(args, '--find') !== undefined) {
    const free = freeLoop(machine);
    return free === undefined ? failed(1, 'losetup: cannot find an unused loop device') : { code: 0, stdout: `${free}\n` };
  }
  const device = matchArgs(args, '--detach <device>')?.['device'];
  if (device === undefined) return setCapacity(loops, args);
  const loop = loops.find(({ name }) => name === device);
  if (loop === undefined) return failed(1, `losetup: ${device}: detach failed: No such device or address`);
  // The kernel detaches a device in use when its last user has gone, and says nothing.
  const isUsed = machine.usersOf(loop.file).length > 0 || mounts.some((mount) => mount.source === device);
  if (isUsed) loop.autoclear = true;
  else loops.splice(loops.indexOf(loop), 1);
  return DONE;
}

/** The fake's loop devices always have the size of their files. */
function setCapacity(loops: readonly { name: string }[], args: readonly string[]): ToolOutput | undefined {
  const device = matchArgs(args, '--set-capacity <device>')?.['device'];
  if (device === undefined) return undefined;
  return loops.some(({ name }) => name === device) ? DONE : failed(1, `losetup: ${device}: set capacity failed: No such device or address`);
}

function umount({ machine, args }: Invocation): ToolOutput | undefined {
  const target = (matchArgs(args, '-- <target>') ?? matchArgs(args, '<target>'))?.['target'];
  if (target === undefined) return undefined;
  const { mounts } = machine.state;
  const index = mounts.findLastIndex((mount) => mount.target === target);
  if (index < 0)
    return failed(32, `umount: ${target}: ${machine.readText(target) === undefined ? 'no mount point specified' : 'not mounted'}.`);
  mounts.splice(index, 1);
  dropUnusedLoops(machine);
  return DONE;
}

/** What the kernel does with loop devices of the autoclear kind when their last user has gone. */
export function dropUnusedLoops(machine: Machine): void {
  const { state } = machine;
  state.loops = state.loops.filter(
    (loop) => !loop.autoclear || machine.usersOf(loop.file).length > 0 || state.mounts.some((mount) => mount.source === loop.name),
  );
}

export const LOOP_TOOLS: ToolTable = {
  losetup: { start: losetup },
  umount: { start: umount },
};
