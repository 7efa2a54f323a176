/** A gateway that opens consoles, on a socket; dom0s that are none; and browsers of little wit. */
import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';
import { CONSOLE_PATHS } from '../../../../contract/console.ts';
import { ConsoleHub, type HubLimits } from '../../../../gateway/console/hub.ts';
import type { Grant } from '../../../../gateway/console/session.ts';
import { consoleUpgrade } from '../../../../gateway/console/upgrade.ts';
import type { Handler } from '../../../../system/http/handler.ts';
import { serve, type HttpServer } from '../../../../system/http/server.ts';

export const ORIGIN = 'https://panel.example.org';

/** One end of a console, and what it has heard. */
export interface End {
  readonly socket: WebSocket;
  /** Text messages. */
  readonly said: string[];
  bytes: Buffer;
  /** The reason of its close. */
  readonly closed: Promise<string>;
}

export interface Rig {
  readonly hub: ConsoleHub;
  readonly server: HttpServer;
  readonly lines: Record<string, unknown>[];
  /** What is done when a console is asked for. Default: a dom0 connects, and is the last of `dom0s`. */
  asked: (guest: string, console: { readonly id: string; readonly token: string }) => Promise<void>;
  readonly dom0s: End[];
  readonly clock: { now: number };
  readonly grant: (changes?: Partial<Grant>) => Grant;
  /** A browser's connection, which has said its ticket. */
  browser(ticket?: string, options?: ClientOptions): Promise<End>;
  dom0(greeting: object, options?: ClientOptions): Promise<End>;
  /** Both ends of an open console. */
  open(changes?: Partial<Grant>): Promise<{ browser: End; dom0: End }>;
  close(): Promise<void>;
}

function endOf(socket: WebSocket): End {
  const closed = new Promise<string>((resolve) => {
    socket.once('close', (_code, reason) => resolve(reason.toString()));
  });
  const end: End = { socket, said: [], bytes: Buffer.alloc(0), closed };
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) end.bytes = Buffer.concat([end.bytes, data]);
    else end.said.push(data.toString());
  });
  return end;
}

const NOTHING: Handler = () => Promise.resolve(new Response('nothing', { status: 404 }));

export async function openRig(limits: Partial<HubLimits> = {}, handler: Handler = NOTHING): Promise<Rig> {
  const lines: Record<string, unknown>[] = [];
  const clock = { now: Date.now() };
  const write = (fields: object, message: string): void => {
    lines.push({ ...fields, message });
  };
  const hub = new ConsoleHub({
    origin: ORIGIN,
    openConsole: (guest, console) => rig.asked(guest, console),
    log: { info: write, warn: write, error: write },
    now: () => clock.now,
    limits,
  });
  const server = await serve(handler, { port: 0, upgrade: consoleUpgrade(hub) });
  const connect = async (path: string, greeting: object, options: ClientOptions): Promise<End> => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { perMessageDeflate: false, ...options });
    const end = endOf(socket);
    await once(socket, 'open');
    socket.send(JSON.stringify(greeting));
    return end;
  };
  const rig: Rig = {
    ...{ hub, server, lines, clock, dom0s: [] },
    asked: async (_guest, { id, token }) => {
      rig.dom0s.push(await rig.dom0({ console: id, token }));
    },
    grant: (changes = {}) => ({
      guest: 'own',
      holder: 'session s1',
      by: 'customer C-1',
      of: 'C-1',
      until: clock.now + 3_600_000,
      ...changes,
    }),
    browser: (ticket = hub.ticket(rig.grant()).ticket, options = {}) =>
      connect(CONSOLE_PATHS.browser, { ticket }, { origin: ORIGIN, ...options }),
    dom0: (greeting, options = {}) => connect(CONSOLE_PATHS.dom0, greeting, options),
    open: async (changes) => {
      const browser = await rig.browser(hub.ticket(rig.grant(changes)).ticket);
      if (browser.said.length === 0) await once(browser.socket, 'message');
      return { browser, dom0: rig.dom0s.at(-1)! };
    },
    close: async () => {
      hub.close();
      await server.close();
    },
  };
  return rig;
}
