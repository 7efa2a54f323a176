/** The two paths on which the gateway speaks WebSocket: from whom, and how long a message may be. */
import type { IncomingMessage } from 'node:http';
import { WebSocketServer } from 'ws';
import { CONSOLE_BYTES, CONSOLE_PATHS } from '../../contract/console.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import type { Upgrade } from '../../system/http/upgrade.ts';
import type { ConsoleHub } from './hub.ts';

/** What is asked at these paths, and for something else than a WebSocket, is no upgrade: an answer in HTTP tells so. */
export function consoleUpgrade(hub: ConsoleHub): Upgrade {
  const shared = { noServer: true, perMessageDeflate: false, clientTracking: false } as const;
  const servers = {
    browser: new WebSocketServer({ ...shared, maxPayload: CONSOLE_BYTES.typed }),
    dom0: new WebSocketServer({ ...shared, maxPayload: CONSOLE_BYTES.printed }),
  };
  return (incoming, socket, head) => {
    const side = sideOf(incoming);
    if (side === undefined) return undefined;
    const refusal = whyNot(side, incoming, hub);
    if (refusal !== undefined) return refusal;
    servers[side].handleUpgrade(incoming, socket, head, (connection) => {
      (side === 'browser' ? hub.takeBrowser(connection) : hub.arrivals.takeDom0(connection)).catch(() => connection.terminate());
    });
    return 'taken';
  };
}

function sideOf({ url, headers }: IncomingMessage): 'browser' | 'dom0' | undefined {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return undefined;
  return url === CONSOLE_PATHS.browser ? 'browser' : url === CONSOLE_PATHS.dom0 ? 'dom0' : undefined;
}

/** A browser says from which page it comes, always; a dom0's worker is no page. */
function whyNot(side: 'browser' | 'dom0', { headers: { origin } }: IncomingMessage, hub: ConsoleHub): HttpRefusal | undefined {
  if (side === 'browser' ? origin !== hub.origin : origin !== undefined)
    return new HttpRefusal(403, 'origin', 'the connection does not come from a page of this origin');
  return hub.hasRoom() ? undefined : new HttpRefusal(503, 'busy', 'too many connections wait', {}, { 'retry-after': '10' });
}
