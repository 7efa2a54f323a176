/** A raw connection to a server of this machine. */
import { connect, type Socket } from 'node:net';

/** All that it is answered until it is closed, which the server must do. */
export function talk(port: number, write: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => write(socket));
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}
