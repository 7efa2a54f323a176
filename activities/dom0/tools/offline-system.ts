/**
 * Single small files of an ext file system that nobody has mounted, byte by byte, with mode and owner; no link is followed on the way to them.
 *
 * A new content is made under another name first, and gets the name in a second run of debugfs: killed at any instruction, the file is the former or the new
 * one, or, between the writes of two blocks of its directory, has no name. Each run keeps the blocks that it overwrites in an undo file of dom0;
 * `recover` takes back what a killed one has begun. e2undo refuses a file system that anybody else has written meanwhile.
 */
import { basename, dirname } from 'node:path';
import { GuestflowError } from '../../../contract/errors.ts';
import type { Host } from '../../../system/host.ts';
import { checkedPath } from './arguments.ts';
import { complaintsIn, MISSING, plainName } from './offline-files.ts';
import type { FileAttributes, FileContent, SystemFiles } from './system-files.ts';

interface Stat extends FileAttributes {
  readonly type: string;
  readonly size: number;
}

/** A tenant may have made one large. */
const MOST_BYTES = 256 * 1024;
const MOST_SAID = 64 * 1024;
const LIMIT_MS = 10 * 60_000;
const NEW_NAME = '.guestflow-new';
const NOT_EMPTY = /directory not empty/i;
const STAT = /^Inode: \d+ +Type: (.+?) +Mode: +([0-7]{4}) [^]*?^User: +(\d+) +Group: +(\d+) [^]*?Size: (\d+)$/m;

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function isSame(one: FileAttributes, other: FileAttributes): boolean {
  return one.mode === other.mode && one.uid === other.uid && one.gid === other.gid;
}

export class OfflineSystem implements SystemFiles {
  private readonly host: Host;
  private readonly device: string;
  private readonly signal: AbortSignal;
  private readonly scratch: string;
  private readonly undoFile: string;

  /**
   * @param device a file system that nothing has open
   * @param scratch a directory of dom0 that only root can read, and that this has for itself
   */
  constructor(host: Host, device: string, signal: AbortSignal, scratch: string) {
    this.host = host;
    this.device = checkedPath('device', device);
    this.signal = signal;
    this.scratch = checkedPath('scratch', scratch);
    this.undoFile = `${this.scratch}/undo`;
  }

  /** Takes back what a killed change has begun. Check the file system afterwards, before anything is read of it. */
  async recover(): Promise<void> {
    const { files } = this.host;
    if ((await files.info(this.undoFile)) !== undefined)
      // 1: there is nothing in it, or the file system is not the one of then any more: what was begun was finished.
      await this.host.run('e2undo', [this.undoFile, this.device], { timeoutMs: LIMIT_MS, okCodes: [0, 1] });
    await files.removeTree(this.scratch);
    await files.makeDirectory(this.scratch, 0o700);
  }

  async read(path: string): Promise<FileContent | undefined> {
    const found = await this.at(path);
    if (found === undefined) return undefined;
    const { type, size, ...kept } = found;
    if (type !== 'regular') throw this.odd(path, `is no file but of the type "${type}"`);
    if (size > MOST_BYTES) throw this.odd(path, `is larger than ${MOST_BYTES / 1024} KiB: no system has such a one`);
    const out = `${this.scratch}/read`;
    await this.host.files.remove(out);
    await this.ask(`dump ${checkedPath('file', path)} ${out}`, path);
    const bytes = (await this.host.files.read(out)) ?? Buffer.alloc(0);
    await this.host.files.wipe(out);
    if (bytes.length !== size) throw this.failure(`${path} has ${size} bytes, of which ${bytes.length} could be read`);
    return { bytes, ...kept };
  }

  async replace(path: string, content: FileContent | undefined): Promise<void> {
    this.signal.throwIfAborted();
    const name = plainName(path);
    const cd = `cd ${dirname(path)}`;
    const isThere = (await this.at(path)) !== undefined;
    const removal = isThere ? [`rm ${name}`] : [];
    if (content === undefined) {
      // A killed attempt may have left it, where e2undo could not take it back.
      const all = [...removal, ...((await this.hasNew(path)) ? [`rm ${NEW_NAME}`] : [])];
      if (all.length > 0) await this.change([cd, ...all]);
    } else {
      await this.makeNew(path, content);
      await this.change([cd, ...removal, `ln ${NEW_NAME} ${name}`, `unlink ${NEW_NAME}`]);
    }
    const now = await this.read(path);
    const isRight = content === undefined || now === undefined ? now === content : now.bytes.equals(content.bytes) && isSame(now, content);
    if (!isRight) throw this.failure(`${path} is not as it was written`);
  }

  async directory(path: string): Promise<FileAttributes | undefined> {
    const found = await this.at(path);
    if (found === undefined) return undefined;
    if (found.type !== 'directory') throw this.odd(path, `is no directory but of the type "${found.type}"`);
    const { mode, uid, gid } = found;
    return { mode, uid, gid };
  }

  async setDirectory(path: string, wanted: FileAttributes | undefined): Promise<void> {
    this.signal.throwIfAborted();
    const name = plainName(path);
    const cd = `cd ${dirname(path)}`;
    const found = await this.directory(path);
    if (wanted === undefined) {
      if (found !== undefined) await this.change([cd, `rmdir ${name}`], [NOT_EMPTY]);
      return;
    }
    if (found !== undefined && isSame(found, wanted)) return;
    await this.change([
      cd,
      ...(found === undefined ? [`mkdir ${name}`] : []),
      `sif ${name} mode 004${octal(wanted.mode)}`,
      `sif ${name} uid ${wanted.uid}`,
      `sif ${name} gid ${wanted.gid}`,
    ]);
    const now = await this.directory(path);
    if (now === undefined || !isSame(now, wanted)) throw this.failure(`${path} is not as it was made`);
  }

  private async hasNew(path: string): Promise<boolean> {
    return (await this.stat(`${dirname(path)}/${NEW_NAME}`)) !== undefined;
  }

  /** The new content beside the file. Nothing has its name yet. */
  private async makeNew(path: string, { bytes, mode, uid, gid }: FileContent): Promise<void> {
    const source = `${this.scratch}/new`;
    const isLeft = await this.hasNew(path);
    await this.host.files.writeAtomic(source, bytes);
    await this.change([
      `cd ${dirname(path)}`,
      ...(isLeft ? [`rm ${NEW_NAME}`] : []),
      `write ${source} ${NEW_NAME}`,
      `sif ${NEW_NAME} mode 010${octal(mode)}`,
      `sif ${NEW_NAME} uid ${uid}`,
      `sif ${NEW_NAME} gid ${gid}`,
    ]);
    await this.host.files.wipe(source);
  }

  /** What is at the path; undefined: nothing. Each directory on the way to it must be one, and no link to one. */
  private async at(path: string): Promise<Stat | undefined> {
    const parents = path.split('/').slice(1, -1);
    for (const index of parents.keys()) {
      const parent = `/${parents.slice(0, index + 1).join('/')}`;
      const found = await this.stat(parent);
      if (found === undefined) return undefined;
      if (found.type !== 'directory') throw this.odd(parent, `is no directory but of the type "${found.type}"`);
    }
    return this.stat(path);
  }

  /** debugfs does not follow the last name of a path. */
  private async stat(path: string): Promise<Stat | undefined> {
    const said = await this.ask(`stat ${checkedPath('file', path)}`, path);
    if (said === undefined) return undefined;
    const [, type = '', mode = '', uid = '', gid = '', size = ''] = STAT.exec(said) ?? [];
    if (type === '') throw this.failure(`debugfs does not say what ${path} is`);
    return { type, mode: Number.parseInt(mode, 8), uid: Number(uid), gid: Number(gid), size: Number(size) };
  }

  private async ask(request: string, about: string): Promise<string | undefined> {
    const { stdout, stderr } = await this.host.run('debugfs', ['-R', request, this.device], {
      timeoutMs: LIMIT_MS,
      signal: this.signal,
      maxOutput: MOST_SAID,
    });
    const complaints = complaintsIn(stderr);
    if (complaints.length === 0) return stdout;
    if (complaints.every((line) => MISSING.test(line))) return undefined;
    throw this.failure(`${basename(about)}: ${complaints.slice(0, 3).join('; ')}`);
  }

  /** Short, and not ended by a cancel: that is heeded before and after. */
  private async change(commands: readonly string[], tolerated: readonly RegExp[] = []): Promise<void> {
    await this.host.files.remove(this.undoFile);
    const { stderr } = await this.host.run('debugfs', ['-z', this.undoFile, '-w', '-f', '-', this.device], {
      timeoutMs: LIMIT_MS,
      input: `${commands.join('\n')}\n`,
    });
    const complaints = complaintsIn(stderr).filter((line) => !tolerated.some((pattern) => pattern.test(line)));
    if (complaints.length > 0) throw this.failure(complaints.slice(0, 3).join('; '));
    await this.host.files.remove(this.undoFile);
  }

  private odd(path: string, what: string): GuestflowError {
    return new GuestflowError('InvalidInput', `${path} on ${this.device} ${what}`, { field: 'access' }, false);
  }

  private failure(what: string): GuestflowError {
    return new GuestflowError('ToolFailed', `a file on ${this.device} could not be changed: ${what}`);
  }
}
