/** One backup that is opened for somebody: the connection of its dom0, over which it is asked, and what is known of it. */
import type { RawData, WebSocket } from 'ws';
import { z } from 'zod';
import {
  filesEnd,
  MOST_ANSWERS,
  type FilesEnd,
  type FilesQuestion,
  type FilesRequest,
  type FilesRow,
  type OpenedWord,
} from '../../contract/backup-files.ts';
import { CONSOLE_CLOSE_CODE } from '../../contract/console.ts';
import { closeSocket } from '../../system/close-socket.ts';
import type { Arrivals } from '../console/arrivals.ts';
import { OPEN } from '../console/greeting.ts';
import type { Grant } from '../console/session.ts';
import { contentFrom, NoAnswer, rowsFrom, type Content } from './answer.ts';
import { parsedJson } from '../../system/parsed-json.ts';

/** For whom a backup is opened: as for a console. */
export interface FilesGrant extends Grant {
  /** Id of the backup. */
  readonly backup: string;
}

/** `asked`: the dom0 has not connected yet. `done`: 0 to 1. */
export type FilesState =
  | { readonly is: 'asked' }
  | { readonly is: 'unpacking'; readonly done: number }
  | { readonly is: 'ready' }
  | { readonly is: 'ended'; readonly why: FilesEnd };

const wordSchema: z.ZodType<OpenedWord> = z.union([
  z.strictObject({ unpacked: z.number().min(0).max(1) }),
  z.strictObject({ ready: z.literal(true) }),
]);

export interface SessionWith {
  readonly arrivals: Arrivals;
  /** Until a dom0 has begun to answer, in milliseconds. */
  readonly answerMs: number;
  readonly onEnd: (why: FilesEnd) => void;
}

export class FilesSession {
  readonly grant: FilesGrant;
  private readonly deps: SessionWith;
  private current: FilesState = { is: 'asked' };
  private dom0: WebSocket | undefined;
  private readonly answers = new Set<WebSocket>();
  /** Questions that have no end yet. */
  private asked = 0;
  private heardAt = Date.now();

  constructor(grant: FilesGrant, deps: SessionWith) {
    this.grant = grant;
    this.deps = deps;
  }

  get state(): FilesState {
    return this.current;
  }

  /** The dom0's connection has come. It is paused. */
  join(dom0: WebSocket): void {
    if (this.current.is === 'ended') {
      closeSocket(dom0, CONSOLE_CLOSE_CODE, this.current.why);
      return;
    }
    this.dom0 = dom0;
    this.heardAt = Date.now();
    this.current = { is: 'unpacking', done: 0 };
    dom0.on('error', () => this.end('protocol'));
    dom0.on('pong', () => (this.heardAt = Date.now()));
    dom0.on('message', (data: RawData, isBinary: boolean) => this.hear(data, isBinary));
    dom0.once('close', (_code: number, reason: Buffer) => this.end(filesEnd(reason.toString('utf8'))));
    dom0.send(OPEN);
    dom0.resume();
  }

  /** The first reason counts. */
  end(why: FilesEnd): void {
    if (this.current.is === 'ended') return;
    this.current = { is: 'ended', why };
    if (this.dom0 !== undefined) closeSocket(this.dom0, CONSOLE_CLOSE_CODE, why);
    for (const socket of this.answers) socket.terminate();
    this.deps.onEnd(why);
  }

  /** Asks the dom0 whether it is there. @param silenceMs after this time without an answer it ends */
  ask(silenceMs: number): void {
    if (this.dom0 === undefined || this.current.is === 'ended') return;
    if (Date.now() - this.heardAt > silenceMs) this.end('unavailable');
    else this.dom0.ping();
  }

  /** What is in a directory, in no order. @throws NoAnswer */
  async list(path: string): Promise<FilesRow[]> {
    return await rowsFrom(await this.answerTo('list', path));
  }

  /** Returns when the content begins. @throws NoAnswer */
  async read(what: Exclude<FilesQuestion, 'list'>, path: string): Promise<Content> {
    return await contentFrom(await this.answerTo(what, path));
  }

  private hear(data: RawData, isBinary: boolean): void {
    this.heardAt = Date.now();
    const word = wordSchema.safeParse(isBinary || !Buffer.isBuffer(data) ? undefined : parsedJson(data.toString('utf8')));
    if (!word.success) this.end('protocol');
    else if (this.current.is === 'unpacking')
      this.current = 'ready' in word.data ? { is: 'ready' } : { is: 'unpacking', done: word.data.unpacked };
  }

  /** The connection that brings the answer, paused. */
  private async answerTo(what: FilesQuestion, path: string): Promise<WebSocket> {
    const { dom0, current } = this;
    if (current.is === 'ended') throw new NoAnswer(current.why);
    if (dom0 === undefined || current.is !== 'ready' || this.asked >= MOST_ANSWERS) throw new NoAnswer('busy');
    this.asked += 1;
    const { arrivals, answerMs } = this.deps;
    let timer: NodeJS.Timeout | undefined;
    try {
      const socket = await new Promise<WebSocket>((resolve, reject) => {
        const { id, token } = arrivals.expect(resolve);
        timer = setTimeout(() => {
          if (arrivals.forget(id)) reject(new NoAnswer('unavailable'));
        }, answerMs);
        dom0.send(JSON.stringify({ id, token, what, path } satisfies FilesRequest));
      });
      this.answers.add(socket);
      socket.once('close', () => {
        this.answers.delete(socket);
        this.asked -= 1;
      });
      return socket;
    } catch (error) {
      this.asked -= 1;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
