/** Signing in by the shop's link, signing out, and the choice of a language. */
import { HttpRefusal } from '../../system/http/problem.ts';
import type { Route } from '../../system/http/router.ts';
import { page, seeOther } from './layout.ts';
import { markup } from './markup.ts';
import { NO_SESSION_COOKIE, openTicket, sessionCookie, sessionHolder } from './sessions.ts';
import { isLanguage, languageCookie, languageOf } from './texts/language.ts';
import { formOf, signedIn, type Desk, type Visit } from './visit.ts';

const SIGN_IN = '/my/sign-in';

export function signInRoutes(desk: Desk): Route[] {
  return [
    { method: 'GET', path: SIGN_IN, query: ['ticket'], handle: ({ request, url }) => offer(desk, request, url) },
    { method: 'POST', path: SIGN_IN, handle: async (call) => enter(desk, await formOf(desk, call)) },
    signedIn(desk, { method: 'POST', path: '/my/sign-out', handle: (visit) => leave(desk, visit) }),
    { method: 'GET', path: '/my/signed-out', handle: ({ request, url }) => signedOut(request, url) },
    { method: 'POST', path: '/my/language', handle: async (call) => choose(await formOf(desk, call)) },
  ];
}

/**
 * The link uses nothing up: whatever looks at links before a person does must not take it away. The form that follows does, and comes from a page of ours, so
 * that the browser gives the cookie along at once.
 */
function offer({ keys, now }: Desk, request: Request, url: URL): Response {
  const language = languageOf(request);
  const { texts } = language;
  const ticket = url.searchParams.get('ticket') ?? '';
  openTicket(keys, ticket, now());
  const main = markup`<h1>${texts.signInTitle}</h1>
<div class="card">
<p>${texts.signInText}</p>
<form method="post" action="${SIGN_IN}" data-submit>
<input type="hidden" name="ticket" value="${ticket}">
<button class="main">${texts.signInButton}</button>
</form>
</div>`;
  return page({ language, title: texts.signInTitle, main, path: `${SIGN_IN}${url.search}` });
}

async function enter({ keys, spendTicket, now }: Desk, form: ReadonlyMap<string, string>): Promise<Response> {
  const ticket = openTicket(keys, form.get('ticket') ?? '', now());
  if (!(await spendTicket(ticket.id))) throw new HttpRefusal(410, 'ticket', 'this link was used before');
  return seeOther(
    ticket.guest === undefined ? '/my' : `/my/guests/${encodeURIComponent(ticket.guest)}`,
    sessionCookie(keys, ticket.subject, now()),
  );
}

/** What this session has open ends with it: consoles, and files of backups. */
function leave({ consoles, files }: Desk, { session }: Visit): Response {
  const isOwn = (holder: string): boolean => holder === sessionHolder(session);
  consoles?.endOf(isOwn);
  files?.endOf(isOwn);
  return seeOther('/my/signed-out', NO_SESSION_COOKIE);
}

function signedOut(request: Request, url: URL): Response {
  const language = languageOf(request);
  const { texts } = language;
  const main = markup`<h1>${texts.signedOut}</h1><div class="card"><p>${texts.signedOutText}</p></div>`;
  return page({ language, title: texts.signedOut, main, path: url.pathname });
}

function choose(form: ReadonlyMap<string, string>): Response {
  const [tag, back = ''] = [form.get('language'), form.get('back')];
  // Only to a page of ours: no other site, and no path that a browser reads as one.
  if (!isLanguage(tag) || !/^\/my(?:[/?][!-~]*)?$/.test(back) || back.includes('\\'))
    throw new HttpRefusal(400, 'bad-form', 'the form is none of ours');
  return seeOther(back, languageCookie(tag));
}
