/** The files of the lab's dom0, by small commands over ssh, behind the same interface as those of this machine. */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { once } from 'node:events';
import { isNoLink, PART_SUFFIX, type FileInfo, type FileSink, type HostFiles } from '../../system/host.ts';
import { ToolError, type Runner } from '../../system/run.ts';

/** What the C library says, and the code that Node has for it. */
const CODES: readonly (readonly [RegExp, string])[] = [
  [/No such file or directory|Directory nonexistent/, 'ENOENT'],
  [/Not a directory/, 'ENOTDIR'],
  [/File exists/, 'EEXIST'],
  [/Directory not empty/, 'ENOTEMPTY'],
  [/Is a directory/, 'EISDIR'],
  [/Invalid argument/, 'EINVAL'],
  [/No space left on device/, 'ENOSPC'],
  [/Read-only file system/, 'EROFS'],
];

function asFileError(error: unknown): unknown {
  if (!(error instanceof ToolError)) return error;
  const code = CODES.find(([said]) => said.test(error.stderr))?.[1];
  return code === undefined ? error : Object.assign(new Error(error.message), { code });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

const KINDS: Readonly<Record<number, FileInfo['kind']>> = {
  0o100000: 'file',
  0o040000: 'directory',
  0o120000: 'symlink',
  0o060000: 'block',
};

/** A line of `stat -c '%f %s %b %B %Y'`. */
function parseInfo(line: string): FileInfo {
  const [mode = '', bytes, blocks, blockBytes, seconds] = line.trim().split(' ');
  const bits = Number.parseInt(mode, 16);
  return {
    kind: KINDS[bits & 0o170000] ?? 'other',
    bytes: Number(bytes),
    allocatedBytes: Number(blocks) * Number(blockBytes),
    modifiedAt: new Date(Number(seconds) * 1000),
    mode: bits & 0o7777,
  };
}

/** What umask makes a new directory or file be of this mode, with the usual one in force. */
function umaskFor(mode: number): string {
  return ((~mode & 0o777) | 0o022).toString(8).padStart(3, '0');
}

/**
 * The files behind a runner whose tools run in dom0.
 *
 * @param shell runs a fixed script there; its words are `$1`, `$2`, …
 */
export function createLabFiles(runner: Runner): HostFiles {
  const shell = async (script: string, words: readonly string[], input?: Readable): Promise<string> => {
    try {
      return (await runner.run('sh', ['-euc', script, 'sh', ...words], input === undefined ? {} : { input, timeoutMs: 600_000 })).stdout;
    } catch (error) {
      throw asFileError(error);
    }
  };
  const orUndefined = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  };

  async function readBytes(path: string): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    try {
      await runner.pipeline([{ tool: 'cat', args: ['--', path] }], { sink: (chunk) => void chunks.push(chunk) });
    } catch (error) {
      throw asFileError(error);
    }
    return Buffer.concat(chunks);
  }

  async function sink(path: string, mode = 0o600): Promise<FileSink> {
    const temporary = `${path}.${randomBytes(4).toString('hex')}${PART_SUFFIX}`;
    await shell('umask "$2"; set -C; : > "$1"; chmod "$3" "$1"', [temporary, umaskFor(mode), (mode & ~0o022).toString(8)]);
    // Deciphering is the slowest that dom0 does under emulation.
    const stream = createGzip();
    const written = shell('gzip -dc >> "$1"; sync "$1"', [temporary], stream);
    written.catch(() => undefined);
    let open = true;
    const close = async (): Promise<void> => {
      open = false;
      stream.end();
      await written;
    };
    return {
      async write(chunk) {
        if (!stream.write(chunk)) await Promise.race([once(stream, 'drain'), written]);
      },
      async commit() {
        await close();
        await shell('mv -fT -- "$1" "$2"; sync "$(dirname -- "$2")"', [temporary, path]);
      },
      async abort() {
        if (open) await close().catch(() => undefined);
        await shell('rm -f -- "$1"', [temporary]);
      },
    };
  }

  return {
    read: (path) => orUndefined(readBytes(path)),
    readHead: async (path, bytes) => {
      const text = await orUndefined(
        shell('stat -- "$1" > /dev/null; if [ -d "$1" ]; then echo "Is a directory" >&2; exit 1; fi; head -c "$2" -- "$1" | base64', [
          path,
          String(bytes),
        ]),
      );
      return text === undefined ? undefined : Buffer.from(text, 'base64');
    },
    async writeAtomic(path, data, mode = 0o600) {
      const file = await sink(path, mode);
      try {
        await file.write(typeof data === 'string' ? Buffer.from(data) : data);
        await file.commit();
      } finally {
        await file.abort();
      }
    },
    sink,
    async info(path) {
      const line = await orUndefined(shell('stat -c "%f %s %b %B %Y" -- "$1"', [path]));
      return line === undefined ? undefined : parseInfo(line);
    },
    async remove(path) {
      await orUndefined(shell('rm -f -- "$1"', [path]));
    },
    async wipe(path) {
      await shell('if [ -f "$1" ] && [ ! -L "$1" ]; then shred -n 0 -z -- "$1"; fi; rm -f -- "$1"; sync "$(dirname -- "$1")"', [path]);
    },
    async removeTree(path) {
      await shell('rm -rf -- "$1"', [path]);
    },
    async rename(from, to) {
      await shell('mv -fT -- "$1" "$2"; sync "$(dirname -- "$2")"', [from, to]);
    },
    async makeDirectory(path, mode = 0o755) {
      await shell('umask "$2"; mkdir -p -- "$1"', [path, umaskFor(mode)]);
    },
    async list(path) {
      const text = (await orUndefined(shell('ls -A1 -- "$1/"', [path]))) ?? '';
      return text.split('\n').filter((name) => name !== '');
    },
    async symlink(target, path) {
      await shell('ln -sT -- "$1" "$2"; sync "$(dirname -- "$2")"', [target, path]);
    },
    readLink: (path) =>
      orUndefined(shell('readlink -nv -- "$1"', [path])).catch((error: unknown) => {
        if (isNoLink(error)) return undefined;
        throw error;
      }),
    async freeBytes(path) {
      const [blocks, bytes] = (await shell('stat -f -c "%a %S" -- "$1"', [path])).trim().split(' ');
      return Number(blocks) * Number(bytes);
    },
  };
}
