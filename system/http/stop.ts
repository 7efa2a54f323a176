/** Stops an HTTP server. Node's own way waits for connections that have asked nothing, and no longer looks at their time limits. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** For a server that does not listen yet: a function that takes no new requests, has those answered that were taken, and ends all connections. */
export function stopperOf(server: Server): () => Promise<void> {
  /** How many requests of each connection are not answered. */
  const unanswered = new Map<Socket, number>();
  const add = (socket: Socket, more: number): void => {
    const count = unanswered.get(socket);
    if (count !== undefined) unanswered.set(socket, count + more);
  };
  const endIfIdle = (socket: Socket): void => {
    if (unanswered.get(socket) === 0) socket.destroySoon();
  };
  server.on('connection', (socket) => {
    unanswered.set(socket, 0);
    socket.once('close', () => unanswered.delete(socket));
  });
  const take = ({ socket }: IncomingMessage, outgoing: ServerResponse): void => {
    add(socket, 1);
    outgoing.once('finish', () => {
      add(socket, -1);
      if (!server.listening) endIfIdle(socket);
    });
  };
  server.on('request', take);
  server.on('checkContinue', take);
  return async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of unanswered.keys()) endIfIdle(socket);
    await closed;
  };
}
