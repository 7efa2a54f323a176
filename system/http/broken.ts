/** Answers requests that Node cannot parse: Node's own answers are not problem documents. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { problemParts, HttpRefusal } from './problem.ts';

/** What Node's parser says: why, and the bytes that it was given last. */
type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

/** For the event `clientError` of an HTTP server. Ends the connection. */
export function answerBroken(error: ParserError, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const refusal = refusalOf(error);
  const { headers, body } = problemParts(refusal);
  const fields = Object.entries({ ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' });
  const lines = [`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function refusalOf({ code, rawPacket }: ParserError): HttpRefusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return isLongTarget(rawPacket)
        ? new HttpRefusal(414, 'long-target', 'the path with its query is too long')
        : new HttpRefusal(431, 'headers', 'the headers are too long');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new HttpRefusal(413, 'too-large', 'the extensions of the chunks of the body are too long');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HttpRefusal(408, 'slow', 'the request did not come in time');
    default:
      return new HttpRefusal(400, 'bad-request', 'this is no request of HTTP/1.1');
  }
}

/** First lines that are longer are too long by themselves. */
const LONG_LINE = 8_192;

/** Whether bytes are the start of a request whose first line is what is long. */
function isLongTarget(bytes: Buffer | undefined): boolean {
  if (bytes === undefined || !/^[A-Z]+ /.test(bytes.toString('latin1', 0, 16))) return false;
  const end = bytes.indexOf('\r\n');
  return end === -1 || end > LONG_LINE;
}
