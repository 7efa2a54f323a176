/** A refusal, as a page with its status, in plain words. What the refusal says itself is for programs, and in English. */
import type { HttpRefusal } from '../../system/http/problem.ts';
import { page } from './layout.ts';
import { markup } from './markup.ts';
import { languageOf } from './texts/language.ts';
import type { Texts } from './texts/en.ts';

type ErrorName = keyof Texts['errors'];

/** By code, else by status. */
const BY_CODE: Readonly<Record<string, ErrorName>> = {
  'signed-out': 'signed-out',
  ticket: 'ticket',
  'bad-form': 'bad-form',
  'bad-query': 'not-found',
};
const BY_STATUS: Readonly<Record<number, ErrorName>> = {
  400: 'bad-form',
  403: 'bad-form',
  404: 'not-found',
  405: 'not-found',
  409: 'busy',
  415: 'bad-form',
  422: 'invalid-input',
  503: 'unreachable',
};

/** The page for a refusal; undefined when the request was not for the customer's page. */
export function problemPage(refusal: HttpRefusal, request: Request): Response | undefined {
  const { pathname } = new URL(request.url);
  if (pathname !== '/my' && !pathname.startsWith('/my/')) return undefined;
  const language = languageOf(request);
  const { texts } = language;
  const words = texts.errors[BY_CODE[refusal.code] ?? BY_STATUS[refusal.status] ?? 'other'];
  const main = markup`<h1>${texts.errorTitle}</h1>
<div class="card problem"><p>${words}</p><p><a href="/my">${texts.title}</a></p></div>`;
  const response = page({ language, title: texts.errorTitle, main, path: '/my', status: refusal.status });
  for (const [name, value] of Object.entries(refusal.headers)) response.headers.set(name, value);
  return response;
}
