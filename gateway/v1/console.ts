/** Consoles: a link by which a browser opens one, once. */
import { jsonResponse, HttpRefusal } from '../../system/http/problem.ts';
import { consoleSchema } from './answers.ts';
import { declare } from './declaration.ts';
import { emptyRequestSchema } from './requests.ts';
import { customerOf } from './subjects.ts';
import type { TokenRecord } from './tokens.ts';

/** Of the customer's page, which is closed by then, too. */
const LONGEST_MS = 4 * 3_600_000;

const open = declare({
  method: 'POST',
  path: '/v1/guests/:name/console',
  operationId: 'openConsole',
  summary: "Make a link that opens a guest's console in a browser, once",
  scope: 'guests:console',
  about: 'guest',
  body: { published: 'Empty', checks: emptyRequestSchema, mayBeLeftOut: true },
  gives: { 200: ['Console', 'The link. Send the browser there at once, and nobody else.'] },
  async answer({ path: { name }, token, subject, note }, { guests, consoles }) {
    if (consoles === undefined) throw noConsoles();
    await guests.status(name);
    note({ guest: name });
    const until = consoles.now() + LONGEST_MS;
    const of = customerOf(subject) ?? name;
    const { ticket, expiresAt } = consoles.ticket({ guest: name, holder: tokenHolder(token), by: `token ${token.id}`, of, until });
    const url = `${consoles.origin}/my/console#${ticket}`;
    return jsonResponse(200, consoleSchema.parse({ url, expiresAt: expiresAt.toISOString() }));
  },
});

const TOKEN = 'token ';

/** Who holds the consoles of a token. */
export function tokenHolder({ sha256 }: { readonly sha256: string }): string {
  return `${TOKEN}${sha256}`;
}

/** Whether a holder is a token that is no longer there, or no longer for consoles. */
export function isTakenBack(holder: string, tokens: readonly Pick<TokenRecord, 'sha256' | 'scopes'>[]): boolean {
  const good = tokens.filter(({ scopes }) => scopes.includes('guests:console')).map(tokenHolder);
  return holder.startsWith(TOKEN) && !good.includes(holder);
}

/** The answer where there are none. */
function noConsoles(): HttpRefusal {
  return new HttpRefusal(
    501,
    'no-console',
    "this gateway opens no consoles: it is a function, which speaks no WebSocket, or it has no customer's page (--page-origin and --page-key-file)",
  );
}

export const CONSOLE_ROUTES = [open];
