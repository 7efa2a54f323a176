/** One open console: bytes between the tool that is attached to it and the WebSocket to the gateway, neither of which waits for another console. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RawData, WebSocket } from 'ws';
import { CONSOLE_CLOSE_CODE, consoleEnd, type ConsoleEnd } from '../../../contract/console.ts';
import type { Attached } from '../../../system/attached.ts';
import { closeSocket } from '../../../system/close-socket.ts';
import { bytesOf } from '../gateway-socket.ts';

/** How long a console may stay open, and how much it may print. Times in milliseconds. */
export interface BridgeLimits {
  /** Without anything typed. */
  readonly idleMs: number;
  /** In all. */
  readonly sessionMs: number;
  /** The gateway asks whether the worker is there every 20 s; after this time without a word it is gone. */
  readonly silenceMs: number;
  /** What is printed a second at most: a guest that prints without end does not take the dom0's network. */
  readonly bytesPerSecond: number;
}

const LAST_WORDS_MS = 2_000;

/** What a console has moved, when it has ended. Never what was in it. */
export interface BridgeEnd {
  readonly end: ConsoleEnd;
  readonly typed: number;
  readonly printed: number;
}

export class Bridge {
  /** Resolves when both sides have ended. */
  readonly ended: Promise<BridgeEnd>;
  private readonly socket: WebSocket;
  private readonly attached: Attached;
  private readonly limits: BridgeLimits;
  private readonly timers: NodeJS.Timeout[] = [];
  private typed = 0;
  private printed = 0;
  private reason: ConsoleEnd | undefined;

  /** @param socket open, and taken by the gateway: from now on it brings what is typed */
  constructor(socket: WebSocket, attached: Attached, limits: BridgeLimits) {
    this.socket = socket;
    this.attached = attached;
    this.limits = limits;
    const closed = new Promise<void>((resolve) => {
      if (socket.readyState === socket.CLOSED) resolve();
      socket.once('close', (_code: number, reason: Buffer) => {
        this.end(consoleEnd(reason.toString('utf8')));
        resolve();
      });
    });
    const printing = this.print().catch(() => this.end('unavailable'));
    this.ended = Promise.all([closed, this.untilToolEnds(printing)]).then(() => ({
      end: this.reason ?? 'ended',
      typed: this.typed,
      printed: this.printed,
    }));
    this.listen();
  }

  /** Ends both sides; the first reason counts. */
  end(reason: ConsoleEnd): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    for (const timer of this.timers) clearTimeout(timer);
    this.attached.end();
    closeSocket(this.socket, CONSOLE_CLOSE_CODE, reason);
  }

  /** What the tool has printed last is still sent. */
  private async untilToolEnds(printing: Promise<void>): Promise<void> {
    await this.attached.ended;
    await Promise.race([printing, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
    this.end('ended');
  }

  private listen(): void {
    const { idleMs, sessionMs, silenceMs } = this.limits;
    const idle = this.after(idleMs, 'idle');
    const silence = this.after(silenceMs, 'unavailable');
    this.after(sessionMs, 'limit');
    this.socket.on('ping', () => silence.refresh());
    this.socket.on('error', () => this.end('unavailable'));
    this.socket.on('message', (data: RawData, isBinary: boolean) => {
      silence.refresh();
      if (!isBinary) {
        this.end('protocol');
        return;
      }
      idle.refresh();
      this.type(bytesOf(data));
    });
  }

  private after(ms: number, reason: ConsoleEnd): NodeJS.Timeout {
    const timer = setTimeout(() => this.end(reason), ms);
    this.timers.push(timer);
    return timer;
  }

  /** If the guest does not take what is typed, no more of it is read from the network. */
  private type(bytes: Buffer): void {
    if (this.reason !== undefined) return;
    this.typed += bytes.length;
    const { input } = this.attached;
    if (input.write(bytes)) return;
    this.socket.pause();
    input.once('drain', () => this.socket.resume());
  }

  /** A piece is read when the one before has left this machine: a browser that does not read has the tool wait, and nothing else. */
  private async print(): Promise<void> {
    for await (const piece of this.attached.output) {
      const bytes = Buffer.from(piece as Uint8Array);
      await new Promise<void>((resolve, reject) => {
        this.socket.send(bytes, { binary: true }, (error) => (error instanceof Error ? reject(error) : resolve()));
      });
      this.printed += bytes.length;
      await sleep((bytes.length / this.limits.bytesPerSecond) * 1_000, undefined, { ref: false });
    }
  }
}
