/** The console of a guest in a browser: what its three parts (browser, gateway, dom0's worker) say to each other. Free of imports. */

/** Where a dom0's worker connects to the gateway, and where a browser does. */
export const CONSOLE_PATHS = { dom0: '/console/dom0', browser: '/console/browser' } as const;

/** Why a console ends: the reason of the WebSocket's close. */
export const CONSOLE_ENDS = [
  /** The guest's own end: its domain stopped, or the escape character was typed. */
  'ended',
  /** Nothing was typed for too long. */
  'idle',
  /** It was open for as long as one may be. */
  'limit',
  /** The same guest's console was opened anew. */
  'replaced',
  /** Who had opened it has signed out, or the token is taken back. */
  'signed-out',
  /** The ticket is none of ours, was used, or is too old. */
  'ticket',
  /** The guest does not run. */
  'off',
  /** Too many are open, or a person on the dom0 has it open. */
  'busy',
  /** The dom0's settings name no gateway. */
  'setting',
  /** The dom0 could not be reached, or could not open it. */
  'unavailable',
  /** What was sent is not of this protocol, or too long. */
  'protocol',
  /** The other side does not read. */
  'slow',
  /** The gateway or the dom0's worker stops. */
  'stopped',
  /** The browser has gone. */
  'closed',
] as const;

export type ConsoleEnd = (typeof CONSOLE_ENDS)[number];

/** The code of each close; the reason tells them apart. One of those that are for applications. */
export const CONSOLE_CLOSE_CODE = 4_000;

/** Longest message in bytes: of the first one, which is text, and of what is typed or printed, which is binary. */
export const CONSOLE_BYTES = { first: 1_024, typed: 16_384, printed: 65_536 } as const;

/** Seconds for which a ticket is good. */
export const CONSOLE_TICKET_SECONDS = 60;

/** What is asked of a dom0: its token is sealed, since what is asked is kept in a history. */
export interface ConsoleWish {
  /** Id of the console: 1-64 letters, digits, hyphens, underscores. */
  readonly id: string;
  /** One-time token by which the gateway knows the worker, sealed for this dom0. */
  readonly token: string;
}

/** What the token is sealed for: a box is of no other console and no other guest. */
export function consoleContext(id: string, guest: string): string {
  return `console/${id}/${guest}`;
}

/** Narrows a reason that came over the wire. */
export function consoleEnd(reason: string): ConsoleEnd {
  return CONSOLE_ENDS.find((known) => known === reason) ?? 'unavailable';
}
