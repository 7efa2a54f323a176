/** The first message of a connection, by which it says what it is for. It is in no URL, so it is in no log. */
import type { RawData, WebSocket } from 'ws';
import { z } from 'zod';
import { CONSOLE_BYTES, CONSOLE_CLOSE_CODE, type ConsoleEnd } from '../../contract/console.ts';
import { closeSocket } from '../../system/close-socket.ts';
import { parsedJson } from '../../system/parsed-json.ts';

const word = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
export const GREETINGS = { browser: z.strictObject({ ticket: word }), dom0: z.strictObject({ console: word, token: word }) };

/** What both sides are told when the console is open. */
export const OPEN = JSON.stringify({ open: true });

/**
 * The greeting; undefined when the connection has closed, or said something else: then it is closed. It is paused after it.
 *
 * @param limitMs how long it is waited for
 */
export async function greetingOf<T>(socket: WebSocket, schema: z.ZodType<T>, limitMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const text = await new Promise<string | undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limitMs);
    socket.once('close', () => resolve(undefined));
    socket.once('message', (data: RawData, isBinary: boolean) => {
      socket.pause();
      resolve(isBinary || !Buffer.isBuffer(data) || data.length > CONSOLE_BYTES.first ? undefined : data.toString('utf8'));
    });
  });
  clearTimeout(timer);
  const parsed = schema.safeParse(text === undefined ? undefined : parsedJson(text));
  if (parsed.success) return parsed.data;
  closeWith(socket, 'protocol');
  return undefined;
}

/** Says an end, and ends the connection soon after. */
export function closeWith(socket: WebSocket, end: ConsoleEnd): void {
  closeSocket(socket, CONSOLE_CLOSE_CODE, end);
}
