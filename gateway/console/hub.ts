/** The consoles of this gateway: who may open one, which dom0 brings it, and when it ends. */
import type { WebSocket } from 'ws';
import { CONSOLE_TICKET_SECONDS, type ConsoleEnd } from '../../contract/console.ts';
import { defined } from '../../contract/defined.ts';
import { GuestflowError, reasonForLog } from '../../contract/errors.ts';
import { later } from '../../system/later.ts';
import type { GatewayLog } from '../gateway.ts';
import { Arrivals, type ArrivalLimits } from './arrivals.ts';
import { closeWith, GREETINGS } from './greeting.ts';
import { ConsoleSession, type Grant } from './session.ts';
import { createTickets, type Tickets } from './tickets.ts';

/** Times in milliseconds. */
export interface HubLimits extends ArrivalLimits {
  /** Consoles at a time. */
  readonly most: number;
  /** Of one customer that are being opened: each takes one of the few steps that a dom0 does at a time. */
  readonly openings: number;
  /** Until a dom0 has brought its console. */
  readonly dom0Ms: number;
  /** How often both sides are asked whether they are there, and how long they may be silent. */
  readonly askMs: number;
  readonly silenceMs: number;
}

export const HUB_LIMITS: Omit<HubLimits, keyof ArrivalLimits> = {
  most: 100,
  openings: 2,
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

export class ConsoleHub {
  readonly origin: string;
  /** Connections of this process, those of dom0s that bring something else than a console among them. */
  readonly arrivals: Arrivals;
  private readonly options: HubOptions;
  private readonly limits: typeof HUB_LIMITS;
  private readonly tickets: Tickets<Grant>;
  private readonly sessions = new Set<ConsoleSession>();
  /** How many are being opened, by whose they are. */
  private readonly openings = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  private isClosed = false;

  constructor(options: HubOptions) {
    this.origin = options.origin;
    this.options = options;
    const { strangers, greetingMs, ...limits } = options.limits ?? {};
    this.limits = { ...HUB_LIMITS, ...limits };
    this.arrivals = new Arrivals(defined({ strangers, greetingMs }));
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
    return !this.isClosed && this.arrivals.hasRoom();
  }

  /** Ends the consoles of those who are no longer to have them. */
  endOf(isGone: (holder: string) => boolean): void {
    for (const session of this.sessions) if (isGone(session.grant.holder)) session.end('signed-out');
  }

  /** Ends all of them, and takes no more. */
  close(): void {
    this.isClosed = true;
    clearInterval(this.timer);
    this.arrivals.close();
    for (const session of this.sessions) session.end('stopped');
  }

  /** Takes a browser's connection, which says its ticket first. */
  async takeBrowser(socket: WebSocket): Promise<void> {
    const greeting = await this.arrivals.greeted(socket, GREETINGS.browser);
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
    const { id, token } = this.arrivals.expect((dom0) => session.join(dom0));
    const { guest, by, until } = grant;
    const began = this.now();
    const timers: NodeJS.Timeout[] = [];
    const session = new ConsoleSession(grant, browser, (end, moved) => {
      for (const timer of timers) clearTimeout(timer);
      this.sessions.delete(session);
      this.arrivals.forget(id);
      this.options.log.info({ console: id, guest, by, end, seconds: Math.round((this.now() - began) / 1_000), ...moved }, 'console ended');
    });
    this.sessions.add(session);
    this.options.log.info({ console: id, guest, by }, 'console asked for');
    timers.push(
      later(until - began, () => session.end('limit')),
      setTimeout(() => {
        if (this.arrivals.forget(id)) session.end('unavailable');
      }, this.limits.dom0Ms),
    );
    try {
      await this.opening(grant.of, () => this.options.openConsole(guest, { id, token }));
    } catch (error) {
      const reason = reasonForLog(error);
      this.options.log.warn({ console: id, guest, reason }, 'console not opened');
      session.end(endOfError(error));
    }
  }
}

/** What a person is told of a failure. The rest is in the log. */
function endOfError(error: unknown): ConsoleEnd {
  if (!(error instanceof GuestflowError)) return 'unavailable';
  if (error.type === 'Busy') return error.details.field === 'phase' ? 'off' : 'busy';
  return error.type === 'HostNotReady' && error.details.field === 'consoleGateway' ? 'setting' : 'unavailable';
}
