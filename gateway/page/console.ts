/** A server's console: the page with the terminal, and the ticket by which its script opens it. */
import { jsonResponse } from '../../system/http/problem.ts';
import type { Route } from '../../system/http/router.ts';
import type { ConsoleHub } from '../console/hub.ts';
import { csrfField, page } from './layout.ts';
import { markup, type Markup } from './markup.ts';
import { grantOf } from './grant.ts';
import { fill, languageOf } from './texts/language.ts';
import type { Texts } from './texts/en.ts';
import { signedIn, type Desk, type Visit } from './visit.ts';

/** None where this process opens no consoles. */
export function consoleRoutes(desk: Desk): Route[] {
  const { consoles } = desk;
  if (consoles === undefined) return [];
  const path = '/my/guests/:name/console';
  return [
    signedIn(desk, { method: 'GET', path, handle: (visit) => show(desk, visit) }),
    signedIn(desk, { method: 'POST', path, handle: (visit) => giveTicket(consoles, visit) }),
    { method: 'GET', path: '/my/console', handle: ({ request }) => showByLink(request) },
  ];
}

async function show({ guests }: Desk, { call, csrf, language }: Visit): Promise<Response> {
  const { texts } = language;
  const status = await guests.status(call.path['name'] ?? '');
  const path = `/my/guests/${encodeURIComponent(status.name)}`;
  const title = fill(texts.console.title, { server: status.hostname ?? status.name });
  const open = markup`<form method="post" action="${path}/console">${csrfField(csrf)}<button class="main">${texts.console.again}</button></form>`;
  const main = markup`<h1>${title}</h1>
${terminal(texts, open)}
<p><a class="button" href="${path}">${texts.back}</a></p>`;
  return page({ language, title, main, path: `${path}/console`, csrf, hasTerminal: true });
}

/** For who comes by a link of `/v1`, which has its ticket behind the `#`. */
function showByLink(request: Request): Response {
  const language = languageOf(request);
  const { button } = language.texts.console;
  const main = markup`<h1>${button}</h1>${terminal(language.texts)}`;
  return page({ language, title: button, main, path: '/my/console', hasTerminal: true });
}

/** @param open form that asks for a ticket. Default: the ticket is in the address */
function terminal(texts: Texts, open?: Markup): Markup {
  const { states, ends, script, hint } = texts.console;
  return markup`<div class="card problem" data-no-script><p>${script}</p></div>
<section class="console" aria-label="${texts.console.button}" data-console data-words="${JSON.stringify({ ...states, ...ends })}" hidden>
<p role="status" data-state></p>
<div class="terminal-frame" data-terminal></div>
<p class="hint">${hint}</p>
<div class="buttons">${open}<button type="button" data-close hidden>${texts.console.close}</button></div>
</section>`;
}

function giveTicket(consoles: ConsoleHub, { call, session }: Visit): Response {
  const guest = call.path['name'] ?? '';
  const { ticket } = consoles.ticket(grantOf(guest, session));
  return jsonResponse(200, { ticket });
}
