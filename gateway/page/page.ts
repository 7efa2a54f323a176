/** The customer's page, at `/my`: HTML that works without a script, for who comes by a sign-in link of the shop. */
import { OPERATION_ID } from '../v1/requests.ts';
import type { HttpRefusal } from '../../system/http/problem.ts';
import type { Route } from '../../system/http/router.ts';
import type { SignInLink } from '../v1/declaration.ts';
import { act, ask } from './act.ts';
import { assetRoute } from './assets.ts';
import { consoleRoutes } from './console.ts';
import { filesRoutes } from './files.ts';
import { showList } from './guest-list.ts';
import { guestView, type Shown } from './guest-view.ts';
import { pageKeys } from './keys.ts';
import { page } from './layout.ts';
import { problemPage } from './problem-page.ts';
import { makeTicket } from './sessions.ts';
import { signInRoutes } from './sign-in.ts';
import { showTraffic } from './traffic.ts';
import { signedIn, type Desk, type PageOptions, type Visit } from './visit.ts';

export interface CustomerPage {
  readonly routes: readonly Route[];
  /** Makes a link that signs somebody in, once. */
  readonly signInLink: SignInLink;
  /** A refusal, as a page; undefined when the request was for something else. */
  readonly present: (refusal: HttpRefusal, request: Request) => Response | undefined;
}

export function createPage(options: PageOptions): CustomerPage {
  const desk: Desk = { now: Date.now, consoles: undefined, files: undefined, ...options, keys: pageKeys(options.configuration.secrets) };
  return {
    routes: [
      assetRoute(desk.consoles !== undefined),
      ...consoleRoutes(desk),
      ...filesRoutes(desk),
      ...signInRoutes(desk),
      signedIn(desk, { method: 'GET', path: '/my', query: ['cursor'], handle: (visit) => showList(desk, visit) }),
      signedIn(desk, { method: 'GET', path: '/my/guests/:name', handle: (visit) => showGuest(desk, visit) }),
      signedIn(desk, { method: 'GET', path: '/my/guests/:name/traffic', handle: (visit) => showTraffic(desk, visit) }),
      signedIn(desk, { method: 'GET', path: '/my/guests/:name/:action', query: ['backup'], handle: (visit) => ask(desk, visit) }),
      signedIn(desk, { method: 'POST', path: '/my/guests/:name/:action', handle: (visit) => act(desk, visit) }),
    ],
    signInLink: (subject, guest, seconds) => {
      const now = desk.now();
      const ticket = makeTicket(desk.keys, { subject, guest }, seconds, now);
      return { url: `${desk.configuration.origin}/my/sign-in?ticket=${ticket}`, expiresAt: new Date(now + seconds * 1_000).toISOString() };
    },
    present: problemPage,
  };
}

async function showGuest({ guests, consoles, files }: Desk, { call, csrf, language }: Visit): Promise<Response> {
  const status = await guests.status(call.path['name'] ?? '');
  const title = status.hostname ?? status.name;
  const running = await runningOf(guests, status);
  return page({
    language,
    title,
    main: guestView({ status, running, csrf, language, hasConsole: consoles !== undefined, hasFiles: files !== undefined }),
    path: call.url.pathname,
    csrf,
  });
}

/** What runs, with its steps; without them where they cannot be had now. */
async function runningOf(guests: Desk['guests'], { name, operation }: Shown['status']): Promise<Shown['running']> {
  if (operation === undefined) return undefined;
  const { kind, workflowId, startedAt } = operation;
  // `guest/<name>/<kind>/<id>`
  const id = workflowId.split('/').slice(2).join('.');
  const [, type = '', key = ''] = OPERATION_ID.exec(id) ?? [];
  const { steps } = await guests.operation(name, type, key).catch(() => ({ steps: undefined }));
  return { kind, startedAt, steps };
}
