/** Requests that ask for another protocol on their connection. */
import { ServerResponse, type IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HttpRefusal, problemParts } from './problem.ts';

/** Takes a connection, refuses the request, or (undefined) has it answered in HTTP, as if it had asked for nothing. */
export type Upgrade = (incoming: IncomingMessage, socket: Duplex, head: Buffer) => 'taken' | HttpRefusal | undefined;

/**
 * What is done with such a request. Node hands over the connection of each, of those too whose protocol nobody here speaks, which HTTP would have ignored.
 *
 * @param respond answers a request in HTTP
 */
export function onUpgrade(
  upgrade: Upgrade,
  respond: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
): (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void {
  return (incoming, socket, head) => {
    const outcome = upgrade(incoming, socket, head);
    if (outcome === 'taken') return;
    if (!(socket instanceof Socket)) {
      socket.destroy();
      return;
    }
    socket.on('error', () => socket.destroy());
    const outgoing = new ServerResponse(incoming);
    outgoing.shouldKeepAlive = false;
    outgoing.assignSocket(socket);
    outgoing.once('finish', () => socket.destroySoon());
    // Its body was not read by Node's parser, and is not read here.
    const hasBody = incoming.headers['content-length'] !== undefined || incoming.headers['transfer-encoding'] !== undefined;
    const refusal =
      outcome ?? (hasBody ? new HttpRefusal(400, 'upgrade', 'a request with a body cannot ask for another protocol') : undefined);
    if (refusal === undefined) respond(incoming, outgoing);
    else refuse(refusal, outgoing);
  };
}

function refuse(refusal: HttpRefusal, outgoing: ServerResponse): void {
  const { headers, body } = problemParts(refusal);
  outgoing.writeHead(refusal.status, { ...headers, connection: 'close', 'content-length': Buffer.byteLength(body) }).end(body);
}
