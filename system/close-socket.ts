/** Ends a WebSocket. */
import type { WebSocket } from 'ws';

/** How long an end that was said is waited for, in milliseconds. */
const LINGER_MS = 2_000;

/** Says an end, and ends the connection soon after, whether the other side has heard it or not. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  // A paused one would not hear the other side's answer.
  socket.resume();
  socket.close(code, reason);
  const timer = setTimeout(() => socket.terminate(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}
