/** The consoles of this gateway: who may open one, which dom0 brings it, and when it ends. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { WebSocket } from 'ws';
import { CONSOLE_TICKET_SECONDS, type ConsoleEnd } from '../../contract/console.ts';
import { GuestflowError } from '../../contract/errors.ts';
import type { GatewayLog } from '../gateway.ts';
import { closeWith, GREETINGS, greetingOf } from './greeting.ts';
import { ConsoleSession, type Grant } from './session.ts';
import { createTickets, type Tickets } from './tickets.ts';

/** Times in milliseconds. */
export interface HubLimits {
  /** Consoles at a time. */
  readonly most: number;
  /** Of one customer that are being opened: each takes one of the few steps that a dom0 does at a time. */
  readonly openings: number;
  /** Connections that have not said what they are for. */
  readonly strangers: number;
  /** How long they may take to. */
  readonly greetingMs: number;
  /** Until a dom0 has brought its console. */
  readonly dom0Ms: number;
  /** How often both sides are asked whether they are there, and how long they may be silent. */
  readonly askMs: number;
  readonly silenceMs: number;
}

export const HUB_LIMITS: HubLimits = {
  most: 100,
  openings: 2,
  strangers: 64,
  greetingMs: 10_000,
  dom0Ms: 30_000,
  askMs: 20_000,
  silenceMs: 60_000,
};

export interface HubOptions {
  /** Of the customer's page: only pages of it may connect. */
  readonly origin: string;
  /** Asks a guest's dom0 for its console. @throws GuestflowError */
  readonly openConsole: (guest: string, console: { readonly id: string; readonly token: string }) => Promise<void>;
  readonly log: GatewayLog;
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: (() => number) | undefined;
  readonly limits?: Partial<HubLimits>;
}

/** A console that no dom0 has brought yet. */
interface Awaited {
  readonly session: ConsoleSession;
  /** Hash of the token by which the dom0 is known. */
  readonly hash: Buffer;
}

export class ConsoleHub {
  readonly origin: string;
  private readonly options: HubOptions;
  private readonly limits: HubLimits;
  private readonly tickets: Tickets<Grant>;
  private readonly sessions = new Set<ConsoleSession>();
  private readonly awaited = new Map<string, Awaited>();
  /** How many are being opened, by whose they are. */
  private readonly openings = new Map<string, number>();
  private readonly strangers = new Set<WebSocket>();
  private readonly timer: NodeJS.Timeout;
  private isClosed = false;

  constructor(options: HubOptions) {
    this.origin = options.origin;
    this.options = options;
    this.limits = { ...HUB_LIMITS, ...options.limits };
    this.tickets = createTickets(CONSOLE_TICKET_SECONDS, this.now);
    this.timer = setInterval(() => {
      for (const session of this.sessions) session.ask(this.limits.silenceMs);
    }, this.limits.askMs);
    this.timer.unref();
  }

  readonly now = (): number => (this.options.now ?? Date.now)();

  /** A ticket for one console. */
  ticket(grant: Grant): { readonly ticket: string; readonly expiresAt: Date } {
    return this.tickets.make(grant, grant.of);
  }

  /** Whether another connection is taken. */
  hasRoom(): boolean {
    return !this.isClosed && this.strangers.size < this.limits.strangers;
  }

  /** Ends the consoles of those who are no longer to have them. */
  endOf(isGone: (holder: string) => boolean): void {
    for (const session of this.sessions) if (isGone(session.grant.holder)) session.end('signed-out');
  }

  /** Ends all of them, and takes no more. */
  close(): void {
    this.isClosed = true;
    clearInterval(this.timer);
    for (const socket of this.strangers) closeWith(socket, 'stopped');
    for (const session of this.sessions) session.end('stopped');
  }

  /** Takes a browser's connection, which says its ticket first. */
  async takeBrowser(socket: WebSocket): Promise<void> {
    const greeting = await this.greeted(socket, GREETINGS.browser);
    if (greeting === undefined) return;
    const grant = this.tickets.use(greeting.ticket);
    if (grant === undefined || grant.until <= this.now()) closeWith(socket, 'ticket');
    else if (this.hasRoomFor(grant)) await this.open(grant, socket);
    else closeWith(socket, 'busy');
  }

  /** A guest has one console: the one of before ends, so nobody has more of them than guests. */
  private hasRoomFor({ guest, of }: Grant): boolean {
    for (const session of this.sessions) if (session.grant.guest === guest) session.end('replaced');
    const { most, openings } = this.limits;
    return !this.isClosed && this.sessions.size < most && (this.openings.get(of) ?? 0) < openings;
  }

  /** Takes a dom0's connection, which says first which console it brings, and by what. */
  async takeDom0(socket: WebSocket): Promise<void> {
    const greeting = await this.greeted(socket, GREETINGS.dom0);
    if (greeting === undefined) return;
    const awaited = this.awaited.get(greeting.console);
    if (awaited === undefined || !timingSafeEqual(awaited.hash, hashOf(greeting.token))) {
      closeWith(socket, 'ticket');
      return;
    }
    this.awaited.delete(greeting.console);
    awaited.session.join(socket);
  }

  private async greeted<T>(socket: WebSocket, schema: Parameters<typeof greetingOf<T>>[1]): Promise<T | undefined> {
    socket.on('error', () => socket.terminate());
    this.strangers.add(socket);
    try {
      return await greetingOf(socket, schema, this.limits.greetingMs);
    } finally {
      this.strangers.delete(socket);
    }
  }

  private async opening(of: string, work: () => Promise<void>): Promise<void> {
    this.openings.set(of, (this.openings.get(of) ?? 0) + 1);
    try {
      await work();
    } finally {
      const left = (this.openings.get(of) ?? 1) - 1;
      if (left === 0) this.openings.delete(of);
      else this.openings.set(of, left);
    }
  }

  private async open(grant: Grant, browser: WebSocket): Promise<void> {
    const [id, token] = [randomBytes(16), randomBytes(32)].map((bytes) => bytes.toString('base64url')) as [string, string];
    const { guest, by, until } = grant;
    const began = this.now();
    const timers: NodeJS.Timeout[] = [];
    const session = new ConsoleSession(grant, browser, (end, moved) => {
      for (const timer of timers) clearTimeout(timer);
      this.sessions.delete(session);
      this.awaited.delete(id);
      this.options.log.info({ console: id, guest, by, end, seconds: Math.round((this.now() - began) / 1_000), ...moved }, 'console ended');
    });
    this.sessions.add(session);
    this.awaited.set(id, { session, hash: hashOf(token) });
    this.options.log.info({ console: id, guest, by }, 'console asked for');
    timers.push(
      setTimeout(() => session.end('limit'), Math.min(until - began, LONGEST_TIMER_MS)),
      setTimeout(() => {
        if (this.awaited.has(id)) session.end('unavailable');
      }, this.limits.dom0Ms),
    );
    try {
      await this.opening(grant.of, () => this.options.openConsole(guest, { id, token }));
    } catch (error) {
      const reason = error instanceof GuestflowError ? error.message : error instanceof Error ? error.name : 'unknown';
      this.options.log.warn({ console: id, guest, reason }, 'console not opened');
      session.end(endOfError(error));
    }
  }
}

/** Longer ones fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** What a person is told of a failure. The rest is in the log. */
function endOfError(error: unknown): ConsoleEnd {
  if (!(error instanceof GuestflowError)) return 'unavailable';
  if (error.type === 'Busy') return error.details.field === 'phase' ? 'off' : 'busy';
  return error.type === 'HostNotReady' && error.details.field === 'consoleGateway' ? 'setting' : 'unavailable';
}
