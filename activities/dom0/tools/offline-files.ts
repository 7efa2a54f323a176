/**
 * Files of an ext file system that nobody has mounted, read and written by debugfs: dom0's kernel sees nothing of what a tenant may have made of it.
 *
 * debugfs exits with 0 whatever happens, so each line on its standard error counts, and what was written is read back. `write` takes no path, only a name in
 * its current directory, and does not overwrite.
 */
import { basename, dirname, join } from 'node:path';
import { GuestflowError } from '../../../contract/errors.ts';
import type { Host } from '../../../system/host.ts';
import { ToolError } from '../../../system/run.ts';
import { checkedPath, checkedPattern } from './arguments.ts';

/** What is to become of one path. */
export type OfflineChange =
  | { readonly path: string; readonly is: 'file'; readonly content: string; readonly mode: number; readonly gid?: number }
  | { readonly path: string; readonly is: 'link'; readonly to: string }
  | { readonly path: string; readonly is: 'directory'; readonly mode: number }
  | { readonly path: string; readonly is: 'gone' };

/** An entry of a directory. */
export interface OfflineEntry {
  readonly name: string;
  readonly is: 'file' | 'link' | 'directory' | 'other';
  readonly gid: number;
}

/** The files that are changed here are small ones; a tenant may have made one large. */
const MOST_BYTES = 256 * 1024;
const LIMIT_MS = 10 * 60_000;
const VERSION = /^debugfs \d/;
/** debugfs says this of a path at which nothing is. */
export const MISSING = /File not found by ext2_lookup/;
const ENTRY = /^\/\d+\/([0-7]{6})\/\d+\/(\d+)\/([^/]+)\/\d*\/$/;
const KINDS: Readonly<Record<string, OfflineEntry['is']>> = { '10': 'file', '12': 'link', '04': 'directory' };

export class OfflineFiles {
  private readonly host: Host;
  private readonly device: string;
  private readonly signal: AbortSignal;

  /** @param device a file system that was checked, and that nothing has open */
  constructor(host: Host, device: string, signal: AbortSignal) {
    this.host = host;
    this.device = checkedPath('device', device);
    this.signal = signal;
  }

  /** A file's text; undefined: there is none. @throws InvalidInput when it is larger than any that a system has */
  async read(path: string): Promise<string | undefined> {
    // debugfs (1.47) prints the whole room of a small file that lies in its inode (`inline_data`), with NUL bytes behind its end. No text ends so.
    return (await this.ask(`cat ${checkedPath('file', path)}`, path))?.replace(/\0+$/, '');
  }

  /** What is in a directory; undefined: there is none. Names that hold a line break are left out. */
  async list(directory: string): Promise<OfflineEntry[] | undefined> {
    const said = await this.ask(`ls -p ${checkedPath('directory', directory)}`, directory);
    return said?.split('\n').flatMap((line) => {
      const [, mode = '', gid = '', name = ''] = ENTRY.exec(line) ?? [];
      return name === '' || name === '.' || name === '..'
        ? []
        : [{ name, is: KINDS[mode.slice(0, 2)] ?? ('other' as const), gid: Number(gid) }];
    });
  }

  /**
   * Makes the changes, in their order, and compares what is there then. Files are root's, and of its group, unless they say another.
   *
   * @param scratch a directory of dom0 that only root can read: contents lie there meanwhile
   * @throws ToolFailed when one of them was not made. The file system must not be used then
   */
  async change(changes: readonly OfflineChange[], scratch: string): Promise<void> {
    const before = await this.entriesFor(changes);
    const commands: string[] = [];
    for (const [index, change] of changes.entries())
      commands.push(...(await this.commandsOf(change, before.get(change.path), `${scratch}/${index}`)));
    const { stderr } = await this.debugfs(['-w', '-f', '-'], `${commands.join('\n')}\n`);
    const complaints = complaintsIn(stderr);
    if (complaints.length > 0) throw this.failure(complaints.slice(0, 3).join('; '));
    const after = await this.entriesFor(changes);
    for (const change of changes) await this.mustBe(change, after.get(change.path));
  }

  /** What is at the paths of these changes, by path. Each directory is listed once. */
  private async entriesFor(changes: readonly OfflineChange[]): Promise<Map<string, OfflineEntry>> {
    const found = new Map<string, OfflineEntry>();
    for (const directory of new Set(changes.map(({ path }) => dirname(path))))
      for (const entry of (await this.list(directory)) ?? []) found.set(join(directory, entry.name), entry);
    return found;
  }

  private async commandsOf(change: OfflineChange, there: OfflineEntry | undefined, source: string): Promise<string[]> {
    const name = plainName(change.path);
    const cd = `cd ${dirname(change.path)}`;
    const remove = there === undefined ? [] : [`rm ${name}`];
    switch (change.is) {
      case 'gone':
        return there === undefined ? [] : [cd, ...remove];
      case 'link':
        return [cd, ...remove, `symlink ${name} ${checkedPath('link', change.to)}`];
      case 'directory':
        return there === undefined ? [`mkdir ${change.path}`, cd, `sif ${name} mode 0040${change.mode.toString(8)}`] : [];
      case 'file':
        await this.host.files.writeAtomic(source, change.content);
        return [
          cd,
          ...remove,
          `write ${checkedPath('source', source)} ${name}`,
          `sif ${name} mode 0100${change.mode.toString(8)}`,
          ...(change.gid === undefined ? [] : [`sif ${name} gid ${change.gid}`]),
        ];
    }
  }

  private async mustBe(change: OfflineChange, there: OfflineEntry | undefined): Promise<void> {
    const isRight =
      change.is === 'gone'
        ? there === undefined
        : there?.is === change.is &&
          (change.is !== 'file' || (there.gid === (change.gid ?? 0) && (await this.read(change.path)) === change.content));
    if (!isRight) throw this.failure(`${change.path} is not as it was written`);
  }

  /** @param about the path that it is about, for errors */
  private async ask(request: string, about: string): Promise<string | undefined> {
    try {
      const { stdout, stderr } = await this.debugfs(['-R', request]);
      const complaints = complaintsIn(stderr);
      if (complaints.length === 0) return stdout;
      if (complaints.every((line) => MISSING.test(line))) return undefined;
      throw this.failure(`${about}: ${complaints.slice(0, 3).join('; ')}`);
    } catch (error) {
      if (error instanceof ToolError && error.tooMuch)
        throw new GuestflowError(
          'InvalidInput',
          `${about} on ${this.device} is larger than ${MOST_BYTES / 1024} KiB: no system has such a one`,
          {
            field: 'backup',
          },
        );
      throw error;
    }
  }

  private async debugfs(args: readonly string[], input?: string): Promise<{ stdout: string; stderr: string }> {
    return await this.host.run('debugfs', [...args, this.device], {
      timeoutMs: LIMIT_MS,
      signal: this.signal,
      maxOutput: MOST_BYTES,
      ...(input === undefined ? {} : { input }),
    });
  }

  private failure(what: string): GuestflowError {
    return new GuestflowError('ToolFailed', `files on ${this.device} could not be changed: ${what}`);
  }
}

/** The name at the end of a path of plain characters: debugfs takes words apart at blanks. */
export function plainName(path: string): string {
  return checkedPattern('file', basename(checkedPath('file', path)), /^[A-Za-z0-9._][A-Za-z0-9._-]*$/, 'a plain name is needed');
}

/** What debugfs complains of: all that it says on its standard error but its version. */
export function complaintsIn(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line.trim() !== '' && !VERSION.test(line));
}
