/** Single files and directories of a managed guest that runs, by its provisioning key. What they hold goes by standard input and output. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { GuestSpec } from '../../../../contract/guest.ts';
import { checkedPath } from '../../tools/arguments.ts';
import type { FileAttributes, FileContent, SystemFiles } from '../../tools/system-files.ts';
import type { GuestKind } from '../port.ts';
import { CHANGE_PATH_SCRIPT, LOOK_AT_PATH_SCRIPT } from '../scripts.ts';

/** A login under emulation takes half a minute. */
export const LIMIT_MS = 2 * 60_000;
/** Exit code of the script for what is no file and no directory, or not where it seems to be. */
const ODD = 41;
const SAID = /^(file|directory) ([0-7]{1,4}) (\d{1,10}) (\d{1,10})\n([A-Za-z0-9+/=\n]*)$/;

interface Found {
  readonly is: string;
  readonly attributes: FileAttributes;
  readonly bytes: Buffer;
}

export class LiveSystem implements SystemFiles {
  private readonly kind: GuestKind;
  private readonly spec: GuestSpec;

  constructor(kind: GuestKind, spec: GuestSpec) {
    this.kind = kind;
    this.spec = spec;
  }

  async read(path: string): Promise<FileContent | undefined> {
    const found = await this.look(path);
    if (found === undefined) return undefined;
    if (found.is !== 'file') throw this.odd(path);
    return { bytes: found.bytes, ...found.attributes };
  }

  async replace(path: string, content: FileContent | undefined): Promise<void> {
    if (content === undefined) await this.change('gone', path);
    else await this.change('file', path, content, content.bytes.toString('base64'));
  }

  async directory(path: string): Promise<FileAttributes | undefined> {
    const found = await this.look(path);
    if (found === undefined) return undefined;
    if (found.is !== 'directory') throw this.odd(path);
    return found.attributes;
  }

  async setDirectory(path: string, wanted: FileAttributes | undefined): Promise<void> {
    await this.change(wanted === undefined ? 'gone' : 'directory', path, wanted);
  }

  private async look(path: string): Promise<Found | undefined> {
    const input = `${checkedPath('file', path)}\n`;
    const { code, stdout } = await this.kind.run(this.spec, { script: LOOK_AT_PATH_SCRIPT, input, timeoutMs: LIMIT_MS, okCodes: [0, ODD] });
    if (code === ODD) throw this.odd(path);
    if (stdout.trim() === '') return undefined;
    const [, is = '', mode = '', uid = '', gid = '', base64 = ''] = SAID.exec(stdout) ?? [];
    if (is === '') throw new GuestflowError('ToolFailed', `${this.spec.name} does not say what ${path} in it is`);
    return { is, attributes: { mode: Number.parseInt(mode, 8), uid: Number(uid), gid: Number(gid) }, bytes: Buffer.from(base64, 'base64') };
  }

  private async change(what: string, path: string, { mode, uid, gid }: FileAttributes = NOBODYS, content = ''): Promise<void> {
    const input = `${what} ${checkedPath('file', path)} ${mode.toString(8)} ${uid} ${gid}\n${content}\n`;
    const { code } = await this.kind.run(this.spec, { script: CHANGE_PATH_SCRIPT, input, timeoutMs: LIMIT_MS, okCodes: [0, ODD] });
    if (code === ODD) throw this.odd(path);
  }

  private odd(path: string): GuestflowError {
    return new GuestflowError(
      'InvalidInput',
      `${path} in ${this.spec.name}, or a directory on the way to it, is a link or something else than a system has there`,
      { field: 'access', mend: 'change it in the guest' },
      false,
    );
  }
}

/** Of what is removed. */
const NOBODYS: FileAttributes = { mode: 0, uid: 0, gid: 0 };
