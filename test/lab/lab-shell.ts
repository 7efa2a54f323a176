/**
 * A shell in dom0 that stays: it is told one command after the other. Under emulation a command over ssh takes half a second before its tool has
 * started, even over a login that is shared; this takes a tenth of that.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { on } from 'node:events';

/** What a command left behind. */
export interface ShellAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where standard error waits until the command has ended: both in one stream could not be told apart. */
const ERRORS = '/run/lab-shell';

export class LabShell {
  private readonly sshConfigFile: string;
  private readonly command: string;
  private child: ChildProcessWithoutNullStreams | undefined;
  private last: Promise<unknown> = Promise.resolve();

  /** @param command becomes the shell, in dom0 */
  constructor(sshConfigFile: string, command: string) {
    this.sshConfigFile = sshConfigFile;
    this.command = command;
  }

  /**
   * Runs a command line, after those that came before.
   *
   * @param line for the shell of dom0; what it starts has no input
   * @param limitMs then the shell ends, and the next command gets a new one
   * @param signal ends it before
   * @throws Error when the limit has passed, it was ended, or the login has ended
   */
  async run(line: string, limitMs: number, signal?: AbortSignal): Promise<ShellAnswer> {
    const limit = AbortSignal.any([AbortSignal.timeout(limitMs), ...(signal === undefined ? [] : [signal])]);
    const answer = this.last.then(() => this.next(line, limit));
    this.last = answer.catch(() => undefined);
    return answer;
  }

  close(): void {
    this.child?.kill();
    this.child = undefined;
  }

  private open(): ChildProcessWithoutNullStreams {
    const child = spawn('ssh', ['-F', this.sshConfigFile, '--', 'dom0', this.command]);
    child.stderr.resume();
    // That it has ended is seen by the end of its output.
    child.stdin.on('error', () => undefined);
    return child;
  }

  private async next(line: string, limit: AbortSignal): Promise<ShellAnswer> {
    if (this.child?.exitCode !== null) this.child = this.open();
    const { child } = this;
    const mark = randomBytes(12).toString('hex');
    const errors = `${ERRORS}.${String(process.pid)}`;
    child.stdin.write(
      `( ${line}\n) < /dev/null 2> ${errors}; printf '${mark} %d ' $?; [ ! -s ${errors} ] || cat ${errors}; printf '${mark}'\n`,
    );
    try {
      const text = await textUntil(child, mark, limit);
      const [stdout = '', rest = ''] = text.split(mark);
      const [, code = '', stderr = ''] = /^ (\d+) (.*)$/s.exec(rest) ?? [];
      return { code: Number(code), stdout, stderr };
    } catch (error) {
      this.close();
      throw error;
    }
  }
}

/** What the shell says until it has said the mark twice. */
async function textUntil({ stdout }: ChildProcessWithoutNullStreams, mark: string, limit: AbortSignal): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const [piece] of on(stdout, 'data', { signal: limit, close: ['close'] }) as AsyncIterable<[Buffer]>) {
    pieces.push(piece);
    const text = Buffer.concat(pieces).toString();
    if (text.split(mark).length > 2) return text;
  }
  throw new Error('the shell in dom0 has ended');
}
