/** e2fsprogs and mkswap on the fake's disks. */
import { DONE, failed, matchArgs, type Invocation, type ToolOutput, type ToolTable } from './tool.ts';
import { unique, type Content, type GuestFs } from './model.ts';
import { changeOffline, lookOffline } from './offline-files.ts';

export const E2FSPROGS = '1.47.0 (5-Feb-2023)';
const BLOCK = 4096;

const NO_SUPERBLOCK = [
  'The superblock could not be read or does not describe a valid ext2/ext3/ext4',
  'filesystem.  If the device is valid and it really contains an ext2/ext3/ext4',
  'filesystem (and not swap or ufs or something else), then the superblock',
  'is corrupt, and you might try running e2fsck with an alternate superblock:',
  '    e2fsck -b 8193 <device>',
  ' or',
  '    e2fsck -b 32768 <device>',
  '',
].join('\n');

interface Found {
  readonly content: Content;
  readonly bytes: number;
  readonly fs: GuestFs;
  readonly save: () => void;
}

function isFound(found: Found | ToolOutput): found is Found {
  return 'fs' in found;
}

/** The file system on a device, or the tool's words when there is none. */
function openFs({ machine, tool }: Invocation, device: string, codes: { missing: number; bad: number }): Found | ToolOutput {
  const disk = machine.disk(device);
  if (disk === undefined)
    return {
      code: codes.missing,
      stderr: `${tool}: No such file or directory while trying to open ${device}\n`,
      stdout: 'Possibly non-existent device?\n',
    };
  const { fs } = disk.content;
  if (fs === undefined)
    return { code: codes.bad, stderr: `${tool}: Bad magic number in super-block while trying to open ${device}\n`, stdout: NO_SUPERBLOCK };
  return { ...disk, fs };
}

/** What the journal held becomes visible to whoever reads the file system. */
export function replay(fs: GuestFs): void {
  fs.files = { ...fs.files, ...fs.journal };
  fs.journal = {};
  fs.needsRecovery = false;
}

/** `e2fsck -f -n`: nothing is changed. */
function lookThrough(call: Invocation, device: string): ToolOutput {
  const found = openFs(call, device, { missing: 8, bad: 8 });
  if (!isFound(found)) return found;
  return found.fs.damaged || found.fs.needsRecovery
    ? { code: 4, stdout: `${device}: ********** WARNING: Filesystem still has errors **********\n` }
    : DONE;
}

function e2fsck(call: Invocation): ToolOutput | undefined {
  const { machine, args } = call;
  const looked = matchArgs(args, '-f -n <device>')?.['device'];
  if (looked !== undefined) return lookThrough(call, looked);
  const device = (matchArgs(args, '-f -p <device>') ?? matchArgs(args, '-p <device>') ?? matchArgs(args, '-E journal_only -p <device>'))?.[
    'device'
  ];
  if (device === undefined) return undefined;
  const found = openFs(call, device, { missing: 8, bad: 8 });
  if (!isFound(found)) return found;
  const { fs, save } = found;
  const journalOnly = args[0] === '-E';
  const users = machine.usersOf(device);
  if (users.length > 0) return failed(8, `${device} is in use.`, 'e2fsck: Cannot continue, aborting.', '', '');
  if (!fs.needsRecovery && !fs.damaged && (journalOnly || args[0] !== '-f')) return DONE;
  const wasDirty = fs.needsRecovery;
  if (wasDirty && machine.conditions.readOnlyFs && machine.volumeOfDevice(device) === undefined)
    return failed(8, `e2fsck: Read-only file system while trying to open ${device}`);
  replay(fs);
  save();
  if (fs.damaged && !journalOnly) {
    return {
      code: 4,
      stdout: `${device}: Block bitmap differences: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.\n\t(i.e., without -a or -p options)\n`,
    };
  }
  const used = Math.ceil(fs.usedBytes / BLOCK);
  const summary =
    args[0] === '-f'
      ? `${device}: ${String(9_000 + Object.keys(fs.files).length)}/131072 files (0.1% non-contiguous), ${String(used)}/${String(Math.floor(fs.bytes / BLOCK))} blocks\n`
      : '';
  return { code: wasDirty && journalOnly ? 0 : wasDirty ? 1 : 0, stdout: `${wasDirty ? `${device}: recovering journal\n` : ''}${summary}` };
}

/** `resize2fs -P`: an estimate, which is more than what is used. */
function leastSize(call: Invocation, device: string): ToolOutput {
  const banner = `resize2fs ${E2FSPROGS}\n`;
  const found = openFs(call, device, { missing: 1, bad: 1 });
  if (!isFound(found)) return { ...found, stderr: `${banner}${found.stderr ?? ''}` };
  const blocks = Math.ceil((found.fs.usedBytes * 1.1) / BLOCK);
  return { code: 0, stderr: banner, stdout: `Estimated minimum size of the filesystem: ${String(blocks)}\n` };
}

function resize2fs(call: Invocation): ToolOutput | undefined {
  const asked = matchArgs(call.args, '-P <device>')?.['device'];
  if (asked !== undefined) return leastSize(call, asked);
  const args = matchArgs(call.args, '<device> <size>K') ?? matchArgs(call.args, '<device>');
  if (args === undefined) return undefined;
  const { device = '', size } = args;
  const banner = `resize2fs ${E2FSPROGS}\n`;
  const disk = call.machine.disk(device);
  if (disk === undefined) return { code: 1, stderr: `${banner}open: No such file or directory while opening ${device}\n` };
  const { fs } = disk.content;
  if (fs === undefined) {
    const stderr = `${banner}resize2fs: Bad magic number in super-block while trying to open ${device}\n`;
    return { code: 1, stderr, stdout: "Couldn't find valid filesystem superblock.\n" };
  }
  if (fs.needsRecovery || fs.damaged) return { code: 1, stderr: banner, stdout: `Please run 'e2fsck -f ${device}' first.\n\n` };
  const bytes = size === undefined ? disk.bytes : Number(size) * 1024;
  const blocks = String(Math.floor(bytes / BLOCK));
  if (bytes > disk.bytes) {
    const has = `The containing partition (or device) is only ${String(Math.floor(disk.bytes / BLOCK))} (4k) blocks.\nYou requested a new size of ${blocks} blocks.\n\n`;
    return { code: 1, stderr: `${banner}${has}` };
  }
  if (fs.bytes === bytes) return { code: 0, stderr: `${banner}The filesystem is already ${blocks} (4k) blocks long.  Nothing to do!\n\n` };
  if (bytes < fs.usedBytes)
    return { code: 1, stderr: `${banner}resize2fs: New size smaller than minimum (${String(Math.ceil(fs.usedBytes / BLOCK))})\n\n` };
  // What lay behind the new end is still on the disk.
  if (bytes < fs.bytes) disk.content.residue = unique([...disk.content.residue, fs.label]);
  fs.bytes = bytes;
  disk.save();
  return {
    code: 0,
    stderr: banner,
    stdout: `Resizing the filesystem on ${device} to ${blocks} (4k) blocks.\nThe filesystem on ${device} is now ${blocks} (4k) blocks long.\n\n`,
  };
}

function dumpe2fs(call: Invocation): ToolOutput | undefined {
  const device = (matchArgs(call.args, '-h <device>') ?? matchArgs(call.args, '<device>'))?.['device'];
  if (device === undefined) return undefined;
  const found = openFs(call, device, { missing: 2, bad: 19 });
  if (!isFound(found))
    return { ...found, stdout: "Couldn't find valid filesystem superblock.\n", stderr: `dumpe2fs ${E2FSPROGS}\n${found.stderr ?? ''}` };
  const { fs } = found;
  const features = [...fs.features, ...(fs.needsRecovery ? ['needs_recovery'] : [])].join(' ');
  const rows: [string, string | number][] = [
    ['Filesystem volume name', '<none>'],
    ['Last mounted on', '/'],
    ['Filesystem UUID', fs.uuid],
    ['Filesystem magic number', '0xEF53'],
    ['Filesystem revision #', '1 (dynamic)'],
    ['Filesystem features', features],
    ['Filesystem state', fs.damaged ? 'not clean' : 'clean'],
    ['Errors behavior', 'Continue'],
    ['Filesystem OS type', 'Linux'],
    ['Inode count', 131_072],
    ['Block count', Math.floor(fs.bytes / BLOCK)],
    ['Reserved block count', Math.floor(fs.bytes / BLOCK / 20)],
    ['Free blocks', Math.floor((fs.bytes - fs.usedBytes) / BLOCK)],
    ['Free inodes', 122_072],
    ['First block', 0],
    ['Block size', BLOCK],
    ['Fragment size', BLOCK],
  ];
  return {
    code: 0,
    stderr: `dumpe2fs ${E2FSPROGS}\n`,
    stdout: `${rows.map(([name, value]) => `${`${name}:`.padEnd(26)}${String(value)}`).join('\n')}\n\n`,
  };
}

/** `debugfs -f - DEVICE`: none of the fake's files has extents that were never written. */
function debugfs(call: Invocation): ToolOutput | undefined {
  const { args, input } = call;
  const banner = `debugfs ${E2FSPROGS}\n`;
  if (matchArgs(args, '-f - <device>') !== undefined) return { code: 0, stderr: banner, stdout: input.replaceAll(/^/gm, 'debugfs: ') };
  const device = (matchArgs(args, '-w -f - <device>') ??
    matchArgs(args, '-z <undo> -w -f - <device>') ??
    (args[0] === '-R' ? { device: args[2] ?? '' } : undefined))?.['device'];
  if (device === undefined) return undefined;
  const found = openFs(call, device, { missing: 0, bad: 0 });
  if (!isFound(found)) return { ...found, stderr: `${banner}${found.stderr ?? ''}` };
  if (args[0] === '-R') {
    const said = lookOffline(call.machine, found.fs.files, args[1] ?? '');
    return { code: 0, stdout: said.stdout ?? '', stderr: `${banner}${said.stderr ?? ''}` };
  }
  const undoFile = matchArgs(args, '-z <undo> -w -f - <device>')?.['undo'];
  if (undoFile !== undefined) call.machine.writeText(undoFile, 'what was overwritten\n', 0o600);
  const stderr = changeOffline(call.machine, found.fs.files, input);
  // Whose data it is, is told by the host name that it was made for. With an undo file, a machine is given another one that is at work already.
  if (undoFile === undefined) found.fs.label = found.fs.files['/etc/hostname']?.trim() || found.fs.label;
  found.save();
  return { code: 0, stderr: `${banner}${stderr}` };
}

/** Its file systems are changed in one go, so that there is never anything to take back. */
function e2undo(call: Invocation): ToolOutput | undefined {
  const { undo, device } = matchArgs(call.args, '<undo> <device>') ?? {};
  if (undo === undefined || device === undefined) return undefined;
  return call.machine.readText(undo) === undefined
    ? failed(1, `e2undo: No such file or directory while opening undo file \`${undo}'`)
    : failed(1, 'e2undo: Lifetime write counter does not match.');
}

function tune2fs(call: Invocation): ToolOutput | undefined {
  const device = matchArgs(call.args, '-U random <device>')?.['device'];
  if (device === undefined) return undefined;
  const banner = `tune2fs ${E2FSPROGS}\n`;
  const found = openFs(call, device, { missing: 1, bad: 1 });
  if (!isFound(found)) return { code: 1, stdout: banner, stderr: `${found.stderr ?? ''}Couldn't find valid filesystem superblock.\n` };
  found.fs.uuid = call.machine.uuid();
  found.save();
  return { code: 0, stdout: banner };
}

function mkswap({ machine, args }: Invocation): ToolOutput | undefined {
  const device = matchArgs(args, '-q <device>')?.['device'];
  if (device === undefined) return undefined;
  const disk = machine.disk(device);
  if (disk === undefined) return failed(1, `mkswap: cannot open ${device}: No such file or directory`);
  if (machine.usersOf(device).length > 0) return failed(1, `mkswap: cannot open ${device}: Device or resource busy`);
  const { fs } = disk.content;
  if (fs !== undefined) {
    // Its header is overwritten, its blocks are not.
    disk.content.residue = unique([...disk.content.residue, fs.label]);
    delete disk.content.fs;
  }
  disk.content.swapUuid = machine.uuid();
  disk.save();
  return DONE;
}

export const EXT4_TOOLS: ToolTable = {
  e2fsck: { seconds: () => 1, start: e2fsck },
  resize2fs: { seconds: () => 1, start: resize2fs },
  dumpe2fs: { start: dumpe2fs },
  debugfs: { start: debugfs },
  e2undo: { start: e2undo },
  tune2fs: { start: tune2fs },
  mkswap: { seconds: () => 0.3, start: mkswap },
};
