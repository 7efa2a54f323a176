/** One backup that is unpacked, and what is asked of it by the gateway. Each answer has a connection of its own, so that none waits for another. */
import type { RawData, WebSocket } from 'ws';
import { z } from 'zod';
import type { StoredBackup } from '../../../../contract/backup.ts';
import {
  filesEnd,
  isPathFromRoot,
  MOST_ANSWERS,
  type FilesEnd,
  type FilesRequest,
  type OpenedWord,
} from '../../../../contract/backup-files.ts';
import { CONSOLE_CLOSE_CODE } from '../../../../contract/console.ts';
import { GuestflowError, reasonForLog } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import { closeSocket } from '../../../../system/close-socket.ts';
import { parsedJson } from '../../../../system/parsed-json.ts';
import { bytesOf, connectToGateway } from '../../gateway-socket.ts';
import { withPrivatePlace } from '../files/private-place.ts';
import { answerFrom, Unanswerable } from './answers.ts';
import type { ImageTools, OpenedBackupsOptions, OpenedLimits } from './opened-backups.ts';

export interface OpenedWith extends Pick<OpenedBackupsOptions, 'host' | 'directory' | 'repository' | 'log'> {
  readonly gateway: string;
  readonly image: ImageTools;
  readonly backup: StoredBackup;
  readonly program: Uint8Array;
}

const word = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const requestSchema: z.ZodType<FilesRequest> = z.strictObject({
  id: word,
  token: word,
  what: z.enum(['list', 'file', 'tar']),
  path: z.string().refine(isPathFromRoot),
});

/** Of what is told while it is unpacked: not more often than this, in milliseconds. */
const TELL_MS = 500;

export class OpenedBackup {
  /** Resolves when nothing of it is left: neither a connection nor a file. */
  readonly ended: Promise<FilesEnd>;
  private readonly socket: WebSocket;
  private readonly deps: OpenedWith;
  private readonly limits: OpenedLimits;
  private readonly stopped = new AbortController();
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly answers = new Set<Promise<void>>();
  private readonly idle: NodeJS.Timeout;
  private reason: FilesEnd | undefined;
  private readonly closed: Promise<void>;

  /** @param socket open, taken by the gateway, and paused */
  constructor(socket: WebSocket, deps: OpenedWith, limits: OpenedLimits) {
    this.socket = socket;
    this.deps = deps;
    this.limits = limits;
    this.closed = new Promise((resolve) => {
      if (socket.readyState === socket.CLOSED) resolve();
      socket.once('close', (_code: number, reason: Buffer) => {
        this.end(filesEnd(reason.toString('utf8')));
        resolve();
      });
    });
    socket.on('error', () => this.end('unavailable'));
    const silence = this.after(limits.silenceMs, () => this.end('unavailable'));
    socket.on('ping', () => silence.refresh());
    this.idle = this.after(limits.idleMs, () => (this.answers.size > 0 ? this.idle.refresh() : this.end('idle')));
    this.after(limits.sessionMs, () => this.end('limit'));
    this.ended = this.live().then(() => this.reason ?? 'unavailable');
    socket.resume();
  }

  /** Ends it; the first reason counts. */
  end(reason: FilesEnd): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    for (const timer of this.timers) clearTimeout(timer);
    this.stopped.abort();
    closeSocket(this.socket, CONSOLE_CLOSE_CODE, reason);
  }

  private after(ms: number, work: () => void): NodeJS.Timeout {
    const timer = setTimeout(work, ms);
    this.timers.push(timer);
    return timer;
  }

  /** Unpacks it, and answers until it ends. What was unpacked goes on every way out. */
  private async live(): Promise<void> {
    try {
      await withPrivatePlace(this.deps.directory, async (place) => {
        await this.unpack(place);
        this.listen(place);
        this.say({ ready: true });
        await this.closed;
        await Promise.all(this.answers);
      });
    } catch (error) {
      if (this.reason === undefined) this.tell(error, 'a backup could not be unpacked');
      this.end(endOf(error));
    }
    await this.closed;
  }

  private async unpack(place: string): Promise<void> {
    const { host, directory, repository, image, backup, program } = this.deps;
    const { signal } = this.stopped;
    const container = repository({ signal, progress: () => undefined }).container(backup);
    const freeAtFirst = await host.files.freeBytes(directory);
    // Orders need room there, too.
    const least = Math.max(this.limits.freeBytes, freeAtFirst / 2);
    const mustHaveRoom = (free: number): void => {
      if (free < least)
        throw new GuestflowError('NoCapacity', `${directory} has ${formatSize(free)} left, and ${formatSize(least)} stay free`);
    };
    let toldAt = 0;
    const onProgress = (bytes: number): void => {
      if (Date.now() - toldAt < TELL_MS) return;
      toldAt = Date.now();
      this.say({ unpacked: Math.min(1, bytes / Math.max(1, backup.dumpedBytes)) });
      // What it will take is not known before: zeros take nothing.
      host.files
        .freeBytes(directory)
        .then(mustHaveRoom)
        .catch(() => this.end('room'));
    };
    mustHaveRoom(freeAtFirst);
    await image.unpack(place, { bytes: backup.dumpedBytes, program, fill: (at) => container.unpackTo(backup, at, onProgress) });
    signal.throwIfAborted();
  }

  private say(said: OpenedWord): void {
    if (this.reason === undefined) this.socket.send(JSON.stringify(said));
  }

  private listen(place: string): void {
    const look = setInterval(() => {
      this.mustBeThere().catch(() => this.end('unavailable'));
    }, this.limits.lookMs);
    this.timers.push(look);
    this.socket.on('message', (data: RawData, isBinary: boolean) => {
      const request = requestSchema.safeParse(isBinary ? undefined : parsedJson(bytesOf(data).toString('utf8')));
      if (!request.success || this.answers.size >= MOST_ANSWERS) {
        this.end('protocol');
        return;
      }
      this.idle.refresh();
      const answering = this.answer(place, request.data).finally(() => {
        this.answers.delete(answering);
        this.idle.refresh();
      });
      this.answers.add(answering);
    });
  }

  /** A backup that retention, or the end of its guest, has removed is not shown any longer. */
  private async mustBeThere(): Promise<void> {
    const { repository, backup } = this.deps;
    const source = repository({ signal: this.stopped.signal, progress: () => undefined });
    if (!(await source.has(backup))) this.end('gone');
  }

  /** Never throws: a connection that does not come is one that the gateway does not wait for long. */
  private async answer(place: string, { id, token, what, path }: FilesRequest): Promise<void> {
    const { gateway, host, image } = this.deps;
    const gone = new AbortController();
    const signal = AbortSignal.any([this.stopped.signal, gone.signal]);
    let socket: WebSocket | undefined;
    try {
      socket = await connectToGateway(gateway, id, token);
      socket.once('close', () => gone.abort());
      socket.on('error', () => gone.abort());
      socket.resume();
      const read = (request: Parameters<typeof image.read>[2]): Promise<void> => image.read({ host, signal }, place, request);
      await answerFrom(socket, { what, path }, { read, signal, bytesPerSecond: this.limits.bytesPerSecond });
      closeSocket(socket, CONSOLE_CLOSE_CODE, 'done' satisfies FilesEnd);
    } catch (error) {
      if (!signal.aborted && !(error instanceof Unanswerable)) this.tell(error, 'files of a backup could not be read');
      if (socket !== undefined) closeSocket(socket, CONSOLE_CLOSE_CODE, error instanceof Unanswerable ? error.end : 'unreadable');
    }
  }

  /** Names of files are not told: they are the customer's. */
  private tell(error: unknown, what: string): void {
    const { log, backup } = this.deps;
    const reason = reasonForLog(error);
    log.warn({ guest: backup.guest, backup: backup.id, reason }, what);
  }
}

function endOf(error: unknown): FilesEnd {
  if (!(error instanceof GuestflowError)) return 'unusable';
  return error.type === 'NoCapacity' ? 'room' : 'unusable';
}
