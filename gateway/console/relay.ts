/** Bytes from one side of a console to the other, as fast as the slower one takes them. */
import type { RawData, WebSocket } from 'ws';

/** Bytes that may wait for a side. Above the first, the other one is not read; below the second, it is again. */
const [HIGH, LOW] = [262_144, 65_536];

/**
 * Passes on binary messages.
 *
 * @param onBytes told how many have come
 * @param onText called for a message that is text: there is none in this protocol
 */
export function relay(from: WebSocket, to: WebSocket, onBytes: (bytes: number) => void, onText: () => void): void {
  from.on('message', (data: RawData, isBinary: boolean) => {
    if (!isBinary || !Buffer.isBuffer(data)) {
      onText();
      return;
    }
    onBytes(data.length);
    to.send(data, { binary: true }, () => {
      if (from.isPaused && to.bufferedAmount < LOW) from.resume();
    });
    if (to.bufferedAmount > HIGH) from.pause();
  });
}
