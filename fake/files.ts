/** The fake dom0's files: in a directory of the machine that plays it, without the fsyncs, and with everything that can go wrong. */
import { randomBytes } from 'node:crypto';
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
import { isNoLink, PART_SUFFIX, type FileInfo, type FileSink, type HostFiles } from '../system/host.ts';
import type { WorkingPlan } from './faults.ts';
import type { WorkerLife } from './life.ts';
import type { Machine } from './machine.ts';
import { infoOf, linkOf, listOf, textOf } from './nodes.ts';

/** Room on the file system of a fake dom0 that is not full. */
const FREE_BYTES = 64 * 2 ** 30;

/** What happens to one change: all of it, or half of it when the worker is killed in the middle. */
interface Change<T> {
  /** It needs room. */
  readonly grows?: boolean;
  readonly half?: () => void;
  readonly whole: () => T;
}

function systemError(code: string, text: string, what: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${text}, ${what} '${path}'`), { code, syscall: what, path });
}

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
  const at = (path: string): string => {
    if (!path.startsWith('/') || path.split('/').includes('..')) throw new Error(`not an absolute path: ${path}`);
    return machine.at(path);
  };

  async function change<T>(what: string, path: string, args: readonly string[], { grows = false, half, whole }: Change<T>): Promise<T> {
    await life.mustLive();
    const call = plan.record('file', `file.${what}`, args);
    const rule = plan.take(call);
    if (rule?.kind === 'wait') await life.guard(Promise.resolve(rule.until));
    if (rule?.kind === 'kill-before') return life.dieIn(call);
    call.outcome = 'failed';
    if (machine.conditions.readOnlyFs) throw systemError('EROFS', 'read-only file system', what, path);
    if (machine.conditions.diskFull && grows) throw systemError('ENOSPC', 'no space left on device', what, path);
    if (rule?.kind === 'kill-middle') {
      half?.();
      return life.dieIn(call);
    }
    if (rule !== undefined && /^(fail|hang)/.test(rule.kind)) {
      if (rule.kind === 'fail-middle') half?.();
      if (rule.kind === 'fail-after') whole();
      throw systemError('EIO', 'i/o error', what, path);
    }
    const result = whole();
    if (rule?.kind === 'kill-after') return life.dieIn(call);
    call.outcome = 'ok';
    return result;
  }

  async function sink(path: string, mode = 0o600): Promise<FileSink> {
    const temporary = `${at(path)}.${randomBytes(4).toString('hex')}${PART_SUFFIX}`;
    await change('sink', path, [path], {
      grows: true,
      whole: () => {
        writeFileSync(temporary, '', { mode, flag: 'wx' });
      },
    });
    return {
      write: (chunk) =>
        change('sink.write', path, [path], {
          grows: true,
          half: () => {
            appendFileSync(temporary, chunk.subarray(0, chunk.length / 2));
          },
          whole: () => {
            appendFileSync(temporary, chunk);
          },
        }),
      commit: () =>
        change('sink.commit', path, [path], {
          whole: () => {
            renameSync(temporary, at(path));
          },
        }),
      async abort() {
        if (existsSync(temporary))
          await change('sink.abort', path, [path], {
            whole: () => {
              rmSync(temporary, { force: true });
            },
          });
        else await life.mustLive();
      },
    };
  }

  function writeAtomic(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
    const temporary = `${at(path)}.${randomBytes(4).toString('hex')}${PART_SUFFIX}`;
    const bytes = Buffer.from(data);
    return change('write', path, [path], {
      grows: true,
      half: () => {
        writeFileSync(temporary, bytes.subarray(0, bytes.length / 2), { mode });
      },
      whole: () => {
        writeFileSync(temporary, bytes, { mode });
        renameSync(temporary, at(path));
      },
    });
  }

  async function look<T>(work: () => T): Promise<T> {
    await life.mustLive();
    return work();
  }

  return {
    read: (path) => look(() => textOf(machine, path) ?? orUndefined(() => readFileSync(at(path)))),
    readHead: (path, bytes) => look(() => orUndefined(() => readFileSync(at(path)).subarray(0, bytes))),
    writeAtomic,
    sink,
    info: (path) => look(() => infoOf(machine, path) ?? orUndefined(() => fileInfo(machine, path, at(path)))),
    remove: (path) =>
      change('remove', path, [path], {
        whole: () => {
          orUndefined(() => {
            if (lstatSync(at(path)).isDirectory()) throw systemError('EISDIR', 'illegal operation on a directory', 'unlink', path);
            rmSync(at(path));
          });
        },
      }),
    wipe: (path) =>
      change('wipe', path, [path], {
        half: () => {
          orUndefined(() => {
            overwriteHalf(at(path));
          });
        },
        whole: () => {
          orUndefined(() => {
            if (lstatSync(at(path)).isDirectory()) throw systemError('EISDIR', 'illegal operation on a directory', 'open', path);
            rmSync(at(path));
          });
        },
      }),
    removeTree: (path) =>
      change('removeTree', path, [path], {
        half: () => {
          removeHalf(at(path));
        },
        whole: () => {
          rmSync(at(path), { recursive: true, force: true });
        },
      }),
    rename: (from, to) =>
      change('rename', from, [from, to], {
        whole: () => {
          renameSync(at(from), at(to));
        },
      }),
    makeDirectory: (path, mode = 0o755) =>
      change('makeDirectory', path, [path], {
        grows: !existsSync(at(path)),
        whole: () => {
          mkdirSync(at(path), { recursive: true, mode });
        },
      }),
    list: (path) => look(() => listOf(machine, path) ?? orUndefined(() => readdirSync(at(path))) ?? []),
    symlink: (target, path) =>
      change('symlink', path, [target, path], {
        grows: true,
        whole: () => {
          symlinkSync(target, at(path));
        },
      }),
    readLink: (path) => look(() => linkOf(machine, path) ?? targetOf(at(path))),
    freeBytes: (path) =>
      look(() => {
        if (!existsSync(at(path))) throw systemError('ENOENT', 'no such file or directory', 'statfs', path);
        return machine.conditions.diskFull ? 0 : FREE_BYTES;
      }),
  };
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
  const used = kind === 'file' && path.endsWith('.img') ? machine.disk(path)?.content.fs?.usedBytes : undefined;
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
