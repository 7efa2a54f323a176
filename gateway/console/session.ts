/** One console in this gateway: a browser that waits for a dom0, or both of them joined, until one goes. */
import type { RawData, WebSocket } from 'ws';
import { consoleEnd, type ConsoleEnd } from '../../contract/console.ts';
import { closeWith, OPEN } from './greeting.ts';
import { relay } from './relay.ts';

/** For whom a console is. */
export interface Grant {
  readonly guest: string;
  /** Who holds it: a session of the customer's page, or a token. When the holder goes, so does the console. */
  readonly holder: string;
  /** The same for the log, without a secret: `customer C-1`, `token shop`. */
  readonly by: string;
  /** The customer, or the guest, whose it is: so many of one are opened at a time. */
  readonly of: string;
  /** Milliseconds since 1970: no console of it is open any longer. */
  readonly until: number;
}

/** What it has moved. Never what that was. */
export interface Moved {
  readonly typed: number;
  readonly printed: number;
}

export class ConsoleSession {
  readonly grant: Grant;
  private readonly browser: WebSocket;
  private dom0: WebSocket | undefined;
  private readonly onEnd: (end: ConsoleEnd, moved: Moved) => void;
  private isOver = false;
  private typed = 0;
  private printed = 0;
  private readonly heard = { browser: Date.now(), dom0: Date.now() };

  /** @param browser greeted, and paused */
  constructor(grant: Grant, browser: WebSocket, onEnd: (end: ConsoleEnd, moved: Moved) => void) {
    this.grant = grant;
    this.browser = browser;
    this.onEnd = onEnd;
    this.listen(browser, 'browser', () => 'closed');
  }

  /** Joins the dom0's connection to the browser's. */
  join(dom0: WebSocket): void {
    this.dom0 = dom0;
    this.heard.dom0 = Date.now();
    this.listen(dom0, 'dom0', consoleEnd);
    const broken = (): void => this.end('protocol');
    relay(this.browser, dom0, (bytes) => (this.typed += bytes), broken);
    relay(dom0, this.browser, (bytes) => (this.printed += bytes), broken);
    dom0.send(OPEN);
    this.browser.send(OPEN);
    dom0.resume();
    this.browser.resume();
  }

  /** Ends it: both sides are told why. The first reason counts. */
  end(end: ConsoleEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    closeWith(this.browser, end);
    if (this.dom0 !== undefined) closeWith(this.dom0, end);
    this.onEnd(end, { typed: this.typed, printed: this.printed });
  }

  /**
   * Asks both sides whether they are there. A side that is not read, because the other one is slow, cannot answer.
   *
   * @param silenceMs after this time without an answer the console ends
   */
  ask(silenceMs: number): void {
    for (const [side, socket] of [['browser', this.browser] as const, ['dom0', this.dom0] as const]) {
      if (socket === undefined) continue;
      if (socket.isPaused) this.heard[side] = Date.now();
      else if (Date.now() - this.heard[side] > silenceMs) this.end('slow');
      socket.ping();
    }
  }

  private listen(socket: WebSocket, side: keyof ConsoleSession['heard'], endOf: (reason: string) => ConsoleEnd): void {
    const hear = (): void => {
      this.heard[side] = Date.now();
    };
    socket.on('pong', hear);
    socket.on('message', (_data: RawData) => hear());
    // What is too long, or no WebSocket; the close that follows would not say so.
    socket.on('error', () => this.end('protocol'));
    socket.on('close', (_code: number, reason: Buffer) => this.end(endOf(reason.toString('utf8'))));
  }
}
