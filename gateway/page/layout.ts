/** A whole page: its frame, and the headers that bound what a browser does with it. */
import { randomBytes } from 'node:crypto';
import { LANGUAGES, LANGUAGE_TAGS, type Language } from './texts/language.ts';
import { assetPath } from './assets.ts';
import { markup, type Markup } from './markup.ts';

/** What a page is made of. */
export interface Content {
  readonly language: Language;
  /** Of the window; the page's own heading is in `main`. */
  readonly title: string;
  readonly main: Markup;
  /** Where the language switch comes back to: a path of ours. */
  readonly path: string;
  /** Of who is signed in. Default: nobody is. */
  readonly csrf?: string | undefined;
  readonly status?: number;
  /** `Set-Cookie`: one at most. */
  readonly cookie?: string | undefined;
  /** It has a terminal. */
  readonly hasTerminal?: true;
}

/**
 * Nothing inline, nothing of anybody else, no frame around it.
 *
 * @param nonce of style elements that the terminal makes
 */
function policy(nonce?: string): string {
  return [
    "default-src 'none'",
    `style-src 'self'${nonce === undefined ? '' : ` 'nonce-${nonce}'`}`,
    ...['script-src', 'img-src', 'connect-src', 'form-action'].map((what) => `${what} 'self'`),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
}

/** Of every answer that is no asset. `same-origin`: with `no-referrer`, browsers send no origin along with forms. */
const HEADERS = {
  'content-security-policy': policy(),
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function page({ language, title, main, path, csrf, status = 200, cookie, hasTerminal }: Content): Response {
  const { texts, tag } = language;
  const nonce = hasTerminal && randomBytes(16).toString('base64url');
  const document = markup`<!doctype html>
<html lang="${tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title === texts.title ? title : `${title} – ${texts.title}`}</title>
<link rel="icon" href="${assetPath('icon')}">
<link rel="stylesheet" href="${assetPath('style')}">
<script src="${assetPath('script')}" defer></script>
${nonce !== undefined && terminalHead(nonce)}
</head>
<body>
<a class="skip" href="#content">${texts.skip}</a>
<header>
${csrf === undefined ? markup`<span>${texts.title}</span>` : markup`<a href="/my">${texts.title}</a>`}
${LANGUAGE_TAGS.filter((other) => other !== tag).map(
  (other) => markup`<form method="post" action="/my/language">
<input type="hidden" name="back" value="${path}">
<button class="plain" name="language" value="${other}" lang="${other}">${LANGUAGES[other].name}</button>
</form>`,
)}
${csrf !== undefined && markup`<form method="post" action="/my/sign-out">${csrfField(csrf)}<button class="plain">${texts.signOut}</button></form>`}
</header>
<main id="content" tabindex="-1">
${main}
</main>
</body>
</html>
`;
  return new Response(document.toString(), {
    status,
    headers: {
      ...HEADERS,
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy(nonce),
      ...(cookie === undefined ? {} : { 'set-cookie': cookie }),
    },
  });
}

function terminalHead(nonce: string): Markup {
  return markup`<link rel="stylesheet" href="${assetPath('xtermStyle')}">
<script src="${assetPath('xterm')}" defer></script>
<script src="${assetPath('terminal')}" nonce="${nonce}" defer></script>`;
}

/** Sends the browser to another page of ours. */
export function seeOther(path: string, cookie?: string): Response {
  return new Response(null, {
    status: 303,
    headers: { ...HEADERS, location: path, ...(cookie === undefined ? {} : { 'set-cookie': cookie }) },
  });
}

export function csrfField(csrf: string): Markup {
  return markup`<input type="hidden" name="csrf" value="${csrf}">`;
}
