/** The worker's way to the gateway: it connects out, to the address that the dom0's settings name, and says by its token which console it brings. */
import { WebSocket, type RawData } from 'ws';
import { CONSOLE_BYTES, CONSOLE_PATHS, consoleEnd, type ConsoleEnd } from '../../../contract/console.ts';

/** Until the gateway has taken a connection, in milliseconds. */
const TAKEN_MS = 10_000;

/** The gateway did not take the connection. Its message names no secret. */
export class NotTaken extends Error {
  readonly end: ConsoleEnd;

  constructor(end: ConsoleEnd, message: string) {
    super(message);
    this.name = 'NotTaken';
    this.end = end;
  }
}

/**
 * Connects, and returns when the gateway has taken the console.
 *
 * @param gateway origin
 * @throws NotTaken
 */
export async function connectConsole(gateway: string, id: string, token: string): Promise<WebSocket> {
  const url = new URL(CONSOLE_PATHS.dom0, gateway);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, {
    handshakeTimeout: TAKEN_MS,
    followRedirects: false,
    perMessageDeflate: false,
    maxPayload: CONSOLE_BYTES.typed,
  });
  try {
    await taken(socket, JSON.stringify({ console: id, token }));
    return socket;
  } catch (error) {
    socket.on('error', () => undefined);
    socket.terminate();
    throw error;
  }
}

async function taken(socket: WebSocket, greeting: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const refuse = (end: ConsoleEnd, why: string): void => reject(new NotTaken(end, why));
      timer = setTimeout(() => refuse('unavailable', `the gateway did not take the console within ${TAKEN_MS / 1_000} s`), TAKEN_MS);
      socket.once('open', () => socket.send(greeting));
      socket.once('message', (_data, isBinary) => {
        // Paused in the same turn: what is typed from now on is for the bridge, which listens when it is there.
        socket.pause();
        if (isBinary) refuse('protocol', 'the gateway speaks another protocol');
        else resolve();
      });
      socket.once('error', (error: Error & { readonly code?: string }) =>
        refuse('unavailable', `no connection: ${error.code ?? error.message}`),
      );
      socket.once('close', (code, reason) => {
        const end = consoleEnd(reason.toString('utf8'));
        refuse(end, `the gateway did not take the console: ${end} (${code})`);
      });
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The bytes of a message. */
export function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
