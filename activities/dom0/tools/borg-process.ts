/**
 * A process of borg: alone on its repository, or beside other readers. The passphrase goes from its file to borg through cat: this process never has it, and no
 * argument and no environment holds it. Whoever starts borg here holds a lock of the kernel first, which ends with the process: so a lock of borg's own that is
 * found then was left by one that was killed, if it has our name.
 */
import { GuestflowError, type ErrorDetails } from '../../../contract/errors.ts';
import type { Host } from '../../../system/host.ts';
import { plainText } from '../../../system/plain-text.ts';
import { ToolError, type PipelineOptions, type PipelineStage, type RunResult } from '../../../system/run.ts';
import { checkedPath } from './arguments.ts';
import { hearBorg, holdersIn, type Heard } from './borg-words.ts';

/** As borg's own locks name who has them. */
const LOCK_NAME = 'guestflow';
/** Seconds that another process of ours is waited for. */
const OURS_SECONDS = 600;
/** The same for somebody who works on the repository by hand. */
const THEIRS_SECONDS = 10;
/** sysexits(3): EX_TEMPFAIL. */
const LOCKED = 75;
/** What flock ends with if there is no borg: EX_UNAVAILABLE. */
const NOT_FOUND = 69;
const SHORT_MS = 6 * 60 * 60_000;
const LONG_MS = 24 * 60 * 60_000;

/** The machine, and who ends what runs on it. */
export interface Tools {
  readonly host: Host;
  readonly signal: AbortSignal;
}

/** A repository of borg, and what belongs to it. Absolute paths. */
export interface BorgPlace {
  readonly repository: string;
  /** borg's caches and what it remembers of the repository (BORG_BASE_DIR). */
  readonly base: string;
  /** File of the kernel's lock. */
  readonly lock: string;
  /** The first line of this file is the passphrase. */
  readonly passphraseFile: string;
}

/** Whether nothing else may use the repository meanwhile. A reader lets other readers in, and leaves borg's own locks alone. */
export type Use = 'alone' | 'reading';

/** Where what a process prints goes. */
export type Output = Pick<PipelineOptions, 'sink' | 'cwd'>;

export class BorgProcess {
  readonly place: BorgPlace;
  private readonly work: Tools;

  constructor(work: Tools, place: BorgPlace) {
    this.work = work;
    this.place = place;
  }

  repository(): string {
    return checkedPath('repository', this.place.repository);
  }

  private stage(use: Use, args: readonly string[]): PipelineStage {
    const flags = ['--no-fork', '--wait', String(OURS_SECONDS), '--conflict-exit-code', String(LOCKED), '--'];
    const lock = [use === 'alone' ? '--exclusive' : '--shared', ...flags, checkedPath('lock', this.place.lock)];
    return { tool: 'flock', args: [...lock, 'borg', '--log-json', '--lock-wait', String(THEIRS_SECONDS), ...args] };
  }

  private env(): Record<string, string> {
    return {
      BORG_BASE_DIR: checkedPath('base', this.place.base),
      BORG_PASSCOMMAND: `cat -- ${checkedPath('passphrase-file', this.place.passphraseFile)}`,
      BORG_HOST_ID: LOCK_NAME,
      // It asks nobody: a repository may have come from somewhere else, but one without encryption is not ours.
      BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'no',
    };
  }

  /** Runs it to its end. @throws ToolError, Busy, HostNotReady */
  async run(use: Use, args: readonly string[]): Promise<RunResult> {
    const { host, signal } = this.work;
    const { tool, args: all } = this.stage(use, args);
    const options = { timeoutMs: SHORT_MS, signal, env: this.env(), label: `borg ${args[0] ?? ''}` };
    if (use === 'alone') await this.breakOurs();
    const heard = hearBorg({});
    try {
      return await host.run(tool, all, options);
    } catch (error) {
      if (error instanceof ToolError) heard.onStderr(error.stderr);
      throw await this.explained(error, heard);
    }
  }

  /** Runs it, and gives what it prints to the sink, or to the next process. @param heard listens to it @throws as `run` */
  async stream(
    {
      use,
      args,
      heard,
      next,
    }: { readonly use: Use; readonly args: readonly string[]; readonly heard: Heard; readonly next?: PipelineStage },
    options: Output,
  ): Promise<void> {
    const { host, signal } = this.work;
    if (use === 'alone') await this.breakOurs();
    const stage = { ...this.stage(use, args), onStderr: heard.onStderr };
    try {
      await host.pipeline(next === undefined ? [stage] : [stage, next], { timeoutMs: LONG_MS, signal, env: this.env(), ...options });
    } catch (error) {
      throw await this.explained(error, heard);
    }
  }

  /**
   * Takes away a lock of borg's own that a killed process of ours has left. borg does so itself, unless another process has got the number of the dead one.
   * While the kernel's lock is held, no process of ours lives that could have it.
   */
  private async breakOurs(): Promise<void> {
    const holders = await this.holders();
    if (holders.length === 0 || !holders.every((name) => name.startsWith(`${LOCK_NAME}.`))) return;
    const { tool, args } = this.stage('alone', ['break-lock', '--', this.repository()]);
    await this.work.host.run(tool, args, { timeoutMs: SHORT_MS, signal: this.work.signal, env: this.env(), label: 'borg break-lock' });
  }

  /** Who has borg's own locks. */
  private async holders(): Promise<string[]> {
    const { files } = this.work.host;
    const { repository } = this.place;
    const roster = (await files.read(`${repository}/lock.roster`))?.toString('utf8') ?? '';
    return holdersIn(await files.list(`${repository}/lock.exclusive`), roster);
  }

  private async inUse(): Promise<GuestflowError> {
    const { repository } = this.place;
    const [holder = 'another borg'] = await this.holders();
    const mend = `wait for it to end; if no such process runs any more: borg break-lock ${repository}`;
    return busy(`${repository} is in use by ${plainText(holder)}`, { field: 'repository', value: repository, mend });
  }

  /** The error of a borg that failed, in words. */
  private async explained(error: unknown, heard: Heard): Promise<unknown> {
    if (!(error instanceof ToolError) || error.tool !== 'flock' || error.cancelled || error.timedOut || error.code === undefined)
      return error;
    const { repository, passphraseFile } = this.place;
    const names = heard.names();
    if (error.code === LOCKED)
      return busy(`${repository} is in use: another process of guestflow has worked on it for ${OURS_SECONDS} s`, { field: 'repository' });
    if (error.code === NOT_FOUND)
      return new GuestflowError('HostNotReady', 'borg is not installed', { field: 'borg', mend: 'apt-get install borgbackup openssl' });
    if (names.has('LockTimeout')) return await this.inUse();
    if (names.has('PassphraseWrong') || names.has('PasscommandFailure'))
      return new GuestflowError('HostNotReady', `${repository} is not opened by the passphrase in ${passphraseFile}`, {
        field: 'backupPassphraseFile',
        value: passphraseFile,
        mend: 'put the passphrase there with which the repository was made: docs/backups-borg.md',
      });
    const said = heard.complaints();
    if (said === '') return error;
    const { tool, args, code, stdout, stderr, timedOut, cancelled, notFound } = error;
    const message = `borg ended with exit code ${code}: ${said}`;
    return new ToolError({ tool, args, code, stdout, stderr, timedOut, cancelled, notFound, message });
  }
}

/** It may be free later. */
function busy(message: string, details: ErrorDetails): GuestflowError {
  return new GuestflowError('Busy', message, details, true);
}
