/** The worker's way to the gateway: it connects out, to the address that the dom0's settings name, and says by its token what it brings: a console, or files of a backup. */
import { WebSocket, type RawData } from 'ws';
import { CONSOLE_BYTES, CONSOLE_PATHS } from '../../contract/console.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { printable } from '../../contract/printable.ts';

/** Until the gateway has taken a connection, in milliseconds. */
const TAKEN_MS = 10_000;

/** The gateway did not take the connection. Its message names no secret. */
export class NotTaken extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotTaken';
  }
}

/**
 * Where the dom0's settings say that the gateway is.
 *
 * @throws GuestflowError HostNotReady when they name none
 */
export function mustHaveGateway(gateway: string | undefined): string {
  if (gateway !== undefined) return gateway;
  throw new GuestflowError('HostNotReady', 'this dom0 connects to no gateway: its settings name none (consoleGateway)', {
    field: 'consoleGateway',
    mend: 'set consoleGateway: https://… in /etc/guestflow/dom0.yaml, and restart guestflow-dom0',
  });
}

/**
 * Connects, and returns when the gateway has taken the connection, which is paused then.
 *
 * @param gateway origin
 * @throws NotTaken
 */
export async function connectToGateway(gateway: string, id: string, token: string): Promise<WebSocket> {
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
      const refuse = (why: string): void => reject(new NotTaken(why));
      timer = setTimeout(() => refuse(`the gateway did not take the connection within ${TAKEN_MS / 1_000} s`), TAKEN_MS);
      socket.once('open', () => socket.send(greeting));
      socket.once('message', (_data, isBinary) => {
        // Paused in the same turn: what is typed from now on is for the bridge, which listens when it is there.
        socket.pause();
        if (isBinary) refuse('the gateway speaks another protocol');
        else resolve();
      });
      socket.once('error', (error: Error & { readonly code?: string }) => refuse(`no connection: ${error.code ?? error.message}`));
      socket.once('close', (code, reason) => {
        refuse(`the gateway did not take the connection: ${printable(reason.toString('utf8'))} (${code})`);
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
