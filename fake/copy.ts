/** Copying onto and wiping of the fake's disks: qemu-img, blkdiscard, cmp, and the small tools around them. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { EXTENT, labelsIn, unique, type Content } from './model.ts';
import { discard } from './lvm-thin.ts';
import { DONE, failed, matchArgs, type Invocation, type Simulation, type ToolOutput, type ToolTable } from './tool.ts';

/** Parts in which a copy makes progress. */
const PARTS = 10;

function convertArgs(args: readonly string[]): { source: string; device: string; targetIsZero: boolean } | undefined {
  const how = 'convert -p -n -t writeback -f raw -O raw';
  const plain = matchArgs(args, `${how} <source> <device>`);
  const zero = matchArgs(args, `${how} --target-is-zero <source> <device>`);
  const found = plain ?? zero;
  return found === undefined
    ? undefined
    : { source: found['source'] ?? '', device: found['device'] ?? '', targetIsZero: plain === undefined };
}

function qemuImg({ machine, args }: Invocation): Simulation | ToolOutput | undefined {
  const found = convertArgs(args);
  if (found === undefined) return undefined;
  const { source, device, targetIsZero } = found;
  const start = '    (0.00/100%)\r\n';
  const from = machine.disk(source);
  const to = machine.disk(device);
  const missing = from === undefined ? source : to === undefined ? device : undefined;
  if (missing !== undefined)
    return {
      code: 1,
      stdout: start,
      stderr: `qemu-img: Could not open '${missing}': Could not open '${missing}': No such file or directory\n`,
    };
  if (from === undefined || to === undefined) return undefined;
  if (to.bytes < from.bytes) return { code: 1, stdout: start, stderr: 'qemu-img: output file is smaller than input file\n' };
  return copyContent(from.content, to, { targetIsZero, wholeDevice: to.bytes === from.bytes });
}

function* copyContent(
  source: Content,
  target: { content: Content; save: () => void },
  how: { targetIsZero: boolean; wholeDevice: boolean },
): Simulation {
  const before = labelsIn(target.content);
  delete target.content.zeroedTo;
  for (let part = 0; part < PARTS; part += 1) {
    if (source.fs !== undefined) target.content.fs = { ...structuredClone(source.fs), damaged: true };
    // Holes that are not written, and what lies behind the image's end, keep what was there.
    target.content.residue = unique([...before, ...source.residue]);
    target.save();
    yield { done: part / PARTS, stdout: `    (${((100 * part) / PARTS).toFixed(2)}/100%)\r` };
  }
  if (source.fs !== undefined) target.content.fs = structuredClone(source.fs);
  if (source.swapUuid !== undefined) target.content.swapUuid = source.swapUuid;
  target.content.residue = unique([...(how.wholeDevice && !how.targetIsZero ? [] : before), ...source.residue]);
  target.save();
  return { code: 0, stdout: '    (100.00/100%)\r    (100.00/100%)\r\n' };
}

const STEP = 256 * 2 ** 20;

function blkdiscard(call: Invocation): Simulation | ToolOutput | undefined {
  const { machine, args } = call;
  const how = `--zeroout --verbose --step ${String(STEP)}`;
  const found =
    matchArgs(args, `${how} --offset <offset> --length <length> <device>`) ??
    matchArgs(args, `${how} --offset <offset> <device>`) ??
    matchArgs(args, `${how} <device>`);
  if (found === undefined) return discard(call);
  const { device = '', offset = '0', length } = found;
  const volume = machine.volumeOfDevice(device);
  if (volume === undefined) {
    return existsSync(machine.at(device))
      ? failed(1, `blkdiscard: ${device}: not a block device`)
      : failed(1, `blkdiscard: cannot open ${device}: No such file or directory`);
  }
  // blkdiscard is refused only on a device that is held exclusively, as by a mount. xen-blkback holds it otherwise: a running guest's disk is wiped.
  if (machine.state.mounts.some((mount) => mount.source === device))
    return failed(1, `blkdiscard: cannot open ${device}: Device or resource busy`);
  // On a real dom0 it would wait for ever, and could not even be killed.
  if (volume.suspended === true) return failed(1, `blkdiscard: ${device}: the fake does not wait for a device that is suspended`);
  const bytes = volume.extents * EXTENT;
  const from = Number(offset);
  if (from % 512 !== 0) return failed(1, `blkdiscard: ${device}: offset ${offset} is not aligned to sector size 512`);
  if (from > bytes) return failed(1, `blkdiscard: ${device}: offset is greater than device size`);
  if (length !== undefined && from + Number(length) < bytes) return zeroPart(volume.content, device, from, Number(length));
  return zeroOut(volume.content, device, from, bytes);
}

/** Wipes a part that does not reach the end. Parts count as a wipe only if they leave no gap from the start of the device on. */
function zeroPart(content: Content, device: string, from: number, length: number): ToolOutput {
  content.residue = labelsIn(content);
  if (from === 0) {
    delete content.fs;
    delete content.swapUuid;
  } else if (content.fs !== undefined && content.fs.bytes > from) content.fs.damaged = true;
  const zeroedTo = content.zeroedTo ?? 0;
  if (from <= zeroedTo) content.zeroedTo = Math.max(zeroedTo, from + length);
  return { code: 0, stdout: `${device}: Zero-filled ${String(length)} bytes from the offset ${String(from)}\n` };
}

function* zeroOut(content: Content, device: string, from: number, bytes: number): Simulation {
  // Until the last step is done, the end of the device still holds what was there.
  content.residue = labelsIn(content);
  if (from === 0) {
    delete content.fs;
    delete content.swapUuid;
  } else if (content.fs !== undefined && content.fs.bytes > from) content.fs.damaged = true;
  const isWhole = from === 0 || content.fs !== undefined || from <= (content.zeroedTo ?? 0);
  const steps = Math.max(1, Math.ceil((bytes - from) / STEP));
  const told = (step: number): string => {
    const at = from + (step - 1) * STEP;
    return `${device}: Zero-filled ${String(Math.min(STEP, bytes - at))} bytes from the offset ${String(at)}\n`;
  };
  for (let step = 1; step <= steps; step += 1) yield { done: (step - 0.5) / steps, ...(step > 1 ? { stdout: told(step - 1) } : {}) };
  // If the part lies behind a file system, nothing is left outside of that. If other bytes lie before it, those stay.
  if (isWhole) content.residue = [];
  delete content.zeroedTo;
  return { code: 0, stdout: told(steps) };
}

/** mkswap writes its header into the first page, and nothing behind it. */
const SWAP_HEADER_BYTES = 4096;

/** `cmp` of a part of a device with /dev/zero. */
function cmp({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, '--silent --bytes=<bytes> --ignore-initial=<offset>:0 <device> /dev/zero');
  if (found === undefined) return undefined;
  const disk = machine.disk(found['device'] ?? '');
  if (disk === undefined) return failed(2, `cmp: ${found['device'] ?? ''}: No such file or directory`);
  if (Number(found['offset']) + Number(found['bytes']) > disk.bytes) return { code: 1, stderr: `cmp: EOF on ${found['device'] ?? ''}\n` };
  const hasSwap = disk.content.swapUuid !== undefined && Number(found['offset']) < SWAP_HEADER_BYTES;
  return labelsIn(disk.content).length === 0 && !hasSwap ? DONE : { code: 1 };
}

function sha256sum({ machine, args }: Invocation): ToolOutput | undefined {
  const path = matchArgs(args, '-- <path>')?.['path'];
  if (path === undefined) return undefined;
  if (!existsSync(machine.at(path))) return failed(1, `sha256sum: ${path}: No such file or directory`);
  return {
    code: 0,
    stdout: `${createHash('sha256')
      .update(readFileSync(machine.at(path)))
      .digest('hex')}  ${path}\n`,
  };
}

function dpkgQuery({ args }: Invocation): ToolOutput | undefined {
  const [flag, format, dashes, ...names] = args;
  if (flag !== '-W' || format !== '-f=${Package} ${Version}\\n' || dashes !== '--') return undefined;
  return { code: 0, stdout: names.map((name) => `${name} 1.0-fake\n`).join('') };
}

function sync({ machine, args }: Invocation): ToolOutput | undefined {
  const path =
    matchArgs(args, '--file-system <path>')?.['path'] ??
    matchArgs(args, '--file-system -- <path>')?.['path'] ??
    matchArgs(args, '-- <path>')?.['path'];
  if (path === undefined) return undefined;
  return existsSync(machine.at(path)) || machine.volumeOfDevice(path) !== undefined
    ? DONE
    : failed(1, `sync: error opening '${path}': No such file or directory`);
}

function tail({ machine, args }: Invocation): ToolOutput | undefined {
  const found = matchArgs(args, '-c <bytes> -- <path>');
  if (found === undefined) return undefined;
  const text = machine.readText(found['path'] ?? '');
  if (text === undefined) return failed(1, `tail: cannot open '${found['path'] ?? ''}' for reading: No such file or directory`);
  return { code: 0, stdout: text.slice(-Number(found['bytes'])) };
}

export const COPY_TOOLS: ToolTable = {
  'qemu-img': { seconds: () => 3, start: qemuImg },
  blkdiscard: { seconds: () => 1.5, start: blkdiscard },
  cmp: { start: cmp },
  sha256sum: { seconds: () => 0.5, start: sha256sum },
  sync: { seconds: () => 0.2, start: sync },
  tail: { start: tail },
  'dpkg-query': { start: dpkgQuery },
};
