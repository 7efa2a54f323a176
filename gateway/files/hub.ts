/** The backups that are opened in this gateway: for whom, by which dom0, and until when. */
import type { FilesEnd } from '../../contract/backup-files.ts';
import { GuestflowError, reasonForLog } from '../../contract/errors.ts';
import { later } from '../../system/later.ts';
import type { Arrivals, Expected } from '../console/arrivals.ts';
import type { GatewayLog } from '../gateway.ts';
import { FilesSession, type FilesGrant } from './session.ts';

/** Times in milliseconds. */
export interface FilesLimits {
  /** At a time, those that have ended and are still told of among them. */
  readonly most: number;
  /** Of one customer that are being opened: each takes one of the few steps that a dom0 does at a time. */
  readonly openings: number;
  /** Until a dom0 has connected. */
  readonly dom0Ms: number;
  /** Until it has begun to answer. */
  readonly answerMs: number;
  /** How often a dom0 is asked whether it is there, and how long it may be silent. */
  readonly askMs: number;
  readonly silenceMs: number;
  /** How long it is told why one has ended. */
  readonly toldMs: number;
}

export const FILES_LIMITS: FilesLimits = {
  most: 50,
  openings: 2,
  dom0Ms: 60_000,
  answerMs: 30_000,
  askMs: 20_000,
  silenceMs: 60_000,
  toldMs: 600_000,
};

export interface FilesHubOptions {
  /** Through which connections of dom0s come. */
  readonly arrivals: Arrivals;
  /** Asks a guest's dom0 to open a backup. @throws GuestflowError */
  readonly openFiles: (guest: string, wish: Expected & { readonly backup: string }) => Promise<void>;
  readonly log: GatewayLog;
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: (() => number) | undefined;
  readonly limits?: Partial<FilesLimits>;
}

/** A backup as its holder asks for it. */
export type FilesOf = Pick<FilesGrant, 'guest' | 'backup' | 'holder'>;

export class FilesHub {
  private readonly options: FilesHubOptions;
  private readonly limits: FilesLimits;
  private readonly sessions = new Set<FilesSession>();
  private readonly timer: NodeJS.Timeout;
  private isClosed = false;

  constructor(options: FilesHubOptions) {
    this.options = options;
    this.limits = { ...FILES_LIMITS, ...options.limits };
    this.timer = setInterval(() => {
      for (const session of this.sessions) session.ask(this.limits.silenceMs);
    }, this.limits.askMs);
    this.timer.unref();
  }

  readonly now = (): number => (this.options.now ?? Date.now)();

  /** What is open of it, or has ended a short time ago. */
  find({ guest, backup, holder }: FilesOf): FilesSession | undefined {
    for (const session of this.sessions) {
      const { grant } = session;
      if (grant.guest === guest && grant.backup === backup && grant.holder === holder) return session;
    }
    return undefined;
  }

  /** Opens a backup, unless it is open. Another one of the guest's ends. @throws GuestflowError Busy when as many are open as may be */
  open(grant: FilesGrant): FilesSession {
    const found = this.find(grant);
    if (found !== undefined && found.state.is !== 'ended') return found;
    for (const session of this.sessions) {
      if (session.grant.guest !== grant.guest) continue;
      session.end('replaced');
      this.sessions.delete(session);
    }
    return this.begin(grant);
  }

  /** Ends those of holders who are no longer to have them. */
  endOf(isGone: (holder: string) => boolean): void {
    for (const session of this.sessions) if (isGone(session.grant.holder)) session.end('signed-out');
  }

  /** Ends all of them, and takes no more. */
  close(): void {
    this.isClosed = true;
    clearInterval(this.timer);
    for (const session of this.sessions) session.end('stopped');
  }

  private isBusy(of: string): boolean {
    const openings = [...this.sessions].filter(({ grant, state }) => grant.of === of && state.is === 'asked').length;
    return this.isClosed || this.sessions.size >= this.limits.most || openings >= this.limits.openings;
  }

  private begin(grant: FilesGrant): FilesSession {
    const { arrivals, openFiles, log } = this.options;
    const { guest, backup, by, until } = grant;
    if (this.isBusy(grant.of) || until <= this.now()) throw new GuestflowError('Busy', 'as many backups are open as may be');
    const { id, token } = arrivals.expect((dom0) => session.join(dom0));
    const began = this.now();
    const timers: NodeJS.Timeout[] = [];
    const session = new FilesSession(grant, {
      arrivals,
      answerMs: this.limits.answerMs,
      onEnd: (end) => {
        for (const timer of timers) clearTimeout(timer);
        arrivals.forget(id);
        setTimeout(() => this.sessions.delete(session), this.limits.toldMs).unref();
        log.info({ files: id, guest, backup, by, end, seconds: Math.round((this.now() - began) / 1_000) }, 'files of a backup ended');
      },
    });
    this.sessions.add(session);
    log.info({ files: id, guest, backup, by }, 'files of a backup asked for');
    timers.push(
      later(until - began, () => session.end('limit')),
      setTimeout(() => {
        if (session.state.is === 'asked') session.end('unavailable');
      }, this.limits.dom0Ms),
    );
    openFiles(guest, { id, token, backup }).catch((error: unknown) => {
      const reason = reasonForLog(error);
      log.warn({ files: id, guest, backup, reason }, 'files of a backup not opened');
      session.end(endOfError(error));
    });
    return session;
  }
}

const ENDS: Partial<Record<string, FilesEnd>> = {
  Busy: 'busy',
  NotFound: 'gone',
  InvalidInput: 'unusable',
  BackupUnusable: 'unusable',
  NoCapacity: 'room',
};

/** What a person is told of a failure. The rest is in the log. */
function endOfError(error: unknown): FilesEnd {
  if (!(error instanceof GuestflowError)) return 'unavailable';
  if (error.type === 'HostNotReady' && error.details.field === 'consoleGateway') return 'setting';
  return ENDS[error.type] ?? 'unavailable';
}
