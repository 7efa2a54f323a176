/** The fake dom0's files: in a directory of the machine that plays it, without the fsyncs, and with everything that can go wrong. */
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { isNoLink, type FileInfo, type FileSink, type HostFiles } from '../system/host.ts';
import { partName } from '../system/whole-file.ts';
import { allocatedBelow } from './disk-files.ts';
import { FaultyDisk, systemError } from './faulty-disk.ts';
import type { WorkingPlan } from './faults.ts';
import type { WorkerLife } from './life.ts';
import type { Machine } from './machine.ts';
import { infoOf, linkOf, listOf, textOf } from './nodes.ts';

/** Room on the file system of a fake dom0 that is not full. */
const FREE_BYTES = 64 * 2 ** 30;

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function orUndefined<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The files as one worker process changes them. */
export function createFakeFiles(machine: Machine, plan: WorkingPlan, life: WorkerLife): HostFiles {
  const disk = new FaultyDisk(machine, plan, life);
  const at = (path: string): string => disk.at(path);
  return {
    read: (path) => disk.look(() => textOf(machine, path) ?? orUndefined(() => readFileSync(at(path)))),
    readHead: (path, bytes) => disk.look(() => orUndefined(() => readFileSync(at(path)).subarray(0, bytes))),
    info: (path) => disk.look(() => infoOf(machine, path) ?? orUndefined(() => fileInfo(machine, path, at(path)))),
    list: (path) => disk.look(() => listOf(machine, path) ?? orUndefined(() => readdirSync(at(path))) ?? []),
    readLink: (path) => disk.look(() => linkOf(machine, path) ?? targetOf(at(path))),
    freeBytes: (path) =>
      disk.look(() => {
        if (!existsSync(at(path))) throw systemError('ENOENT', 'no such file or directory', 'statfs', path);
        return machine.conditions.diskFull ? 0 : FREE_BYTES - allocatedBelow(machine, path);
      }),
    writeAtomic: (path, data, mode = 0o600) => writeAtomic(disk, path, Buffer.from(data), mode),
    sink: (path, mode = 0o600) => openSink(disk, path, mode),
    remove: (path) => disk.change('remove', path, { whole: () => removeFile(at(path), 'unlink', path) }),
    wipe: (path) =>
      disk.change('wipe', path, {
        half: () => orUndefined(() => overwriteHalf(at(path))),
        whole: () => removeFile(at(path), 'open', path),
      }),
    removeTree: (path) =>
      disk.change('removeTree', path, {
        half: () => removeHalf(at(path)),
        whole: () => rmSync(at(path), { recursive: true, force: true }),
      }),
    rename: (from, to) => disk.change('rename', from, { whole: () => renameSync(at(from), at(to)) }, [from, to]),
    makeDirectory: (path, mode = 0o755) =>
      disk.change('makeDirectory', path, {
        grows: !existsSync(at(path)),
        whole: () => {
          mkdirSync(at(path), { recursive: true, mode });
        },
      }),
    symlink: (target, path) => disk.change('symlink', path, { grows: true, whole: () => symlinkSync(target, at(path)) }, [target, path]),
  };
}

function writeAtomic(disk: FaultyDisk, path: string, bytes: Buffer, mode: number): Promise<void> {
  const temporary = partName(disk.at(path));
  return disk.change('write', path, {
    grows: true,
    half: () => writeFileSync(temporary, bytes.subarray(0, bytes.length / 2), { mode }),
    whole: () => {
      writeFileSync(temporary, bytes, { mode });
      renameSync(temporary, disk.at(path));
    },
  });
}

async function openSink(disk: FaultyDisk, path: string, mode: number): Promise<FileSink> {
  const temporary = partName(disk.at(path));
  await disk.change('sink', path, { grows: true, whole: () => writeFileSync(temporary, '', { mode, flag: 'wx' }) });
  return {
    write: (chunk) =>
      disk.change('sink.write', path, {
        grows: true,
        half: () => appendFileSync(temporary, chunk.subarray(0, chunk.length / 2)),
        whole: () => appendFileSync(temporary, chunk),
      }),
    commit: () => disk.change('sink.commit', path, { whole: () => renameSync(temporary, disk.at(path)) }),
    async abort() {
      if (await disk.look(() => existsSync(temporary)))
        await disk.change('sink.abort', path, { whole: () => rmSync(temporary, { force: true }) });
    },
  };
}

/** Removes a file; does nothing if there is none. @param syscall that a directory refuses */
function removeFile(file: string, syscall: string, path: string): void {
  orUndefined(() => {
    if (lstatSync(file).isDirectory()) throw systemError('EISDIR', 'illegal operation on a directory', syscall, path);
    rmSync(file);
  });
}

function targetOf(file: string): string | undefined {
  try {
    return orUndefined(() => readlinkSync(file));
  } catch (error) {
    if (isNoLink(error)) return undefined;
    throw error;
  }
}

function fileInfo(machine: Machine, path: string, file: string): FileInfo {
  const found = lstatSync(file);
  const kind = found.isFile() ? 'file' : found.isDirectory() ? 'directory' : found.isSymbolicLink() ? 'symlink' : 'other';
  const content = kind === 'file' && path.endsWith('.img') ? machine.disk(path)?.content : undefined;
  const used = content?.allocated === true ? found.size : content?.fs?.usedBytes;
  return { kind, bytes: found.size, allocatedBytes: used ?? found.blocks * 512, modifiedAt: found.mtime, mode: found.mode & 0o7777 };
}

/** From its start on, as a wipe goes. Never through a link. */
function overwriteHalf(file: string): void {
  if (!lstatSync(file).isFile()) return;
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0, 0, Math.ceil(bytes.length / 2)));
}

/** The first half of a directory's entries, in the order of their names. */
function removeHalf(directory: string): void {
  const names = orUndefined(() => readdirSync(directory).sort()) ?? [];
  for (const name of names.slice(0, Math.ceil(names.length / 2))) rmSync(`${directory}/${name}`, { recursive: true, force: true });
  if (names.length === 0 && existsSync(dirname(directory))) rmSync(directory, { recursive: true, force: true });
}
