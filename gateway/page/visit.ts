/** A request to the customer's page: who is signed in, in which language, and with which form. */
import { readForm, type BodyLimits } from '../../system/http/body.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import type { Call, Route } from '../../system/http/router.ts';
import type { PageConfiguration } from '../configuration.ts';
import type { ConsoleHub } from '../console/hub.ts';
import type { FilesHub } from '../files/hub.ts';
import type { GuestApi } from '../v1/guest-api.ts';
import { mustBeOwn } from '../v1/subjects.ts';
import type { PageKeys } from './keys.ts';
import { sessionOf, type Pass } from './sessions.ts';
import { languageOf, type Language } from './texts/language.ts';

export interface PageOptions {
  readonly configuration: PageConfiguration;
  readonly guests: GuestApi;
  /** Uses a ticket up; false when it was used before, by any gateway. */
  readonly spendTicket: (id: string) => Promise<boolean>;
  readonly body: BodyLimits;
  /** The consoles of this process. Default: it has none, and the page offers none. */
  readonly consoles?: ConsoleHub | undefined;
  /** The opened backups of this process. Default: it opens none, and the page offers no files. */
  readonly files?: FilesHub | undefined;
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number;
}

/** What the page's routes share. */
export interface Desk extends Required<PageOptions> {
  readonly keys: PageKeys;
}

export interface Visit {
  readonly call: Call;
  readonly language: Language;
  readonly session: Pass;
  readonly csrf: string;
  /** Of a POST; else it is empty. */
  readonly form: ReadonlyMap<string, string>;
}

type SignedInRoute = Pick<Route, 'method' | 'path' | 'query'> & { readonly handle: (visit: Visit) => Promise<Response> | Response };

/**
 * A route for who is signed in. Of a POST, origin and CSRF token are checked; if the path names a guest, it must be one of the session's own.
 */
export function signedIn(desk: Desk, { handle, ...route }: SignedInRoute): Route {
  return {
    ...route,
    handle: async (call) => {
      const form = route.method === 'POST' ? await formOf(desk, call) : new Map<string, string>();
      const session = sessionOf(desk.keys, call.request, desk.now());
      if (route.method === 'POST' && !desk.keys.isSigned('csrf', session.id, form.get('csrf') ?? ''))
        throw new HttpRefusal(403, 'bad-form', 'the form has no token of this session');
      const { name } = call.path;
      if (name !== undefined) {
        await mustBeOwn(session.subject, name, desk.guests);
        call.note({ guest: name });
      }
      return handle({ call, session, form, csrf: desk.keys.sign('csrf', session.id), language: languageOf(call.request) });
    },
  };
}

/**
 * The form of a POST.
 *
 * @throws HttpRefusal 403 when it does not come from a page of ours; as `readForm`
 */
export async function formOf({ configuration, body }: Desk, { request }: Call): Promise<ReadonlyMap<string, string>> {
  if (request.headers.get('origin') !== configuration.origin)
    throw new HttpRefusal(403, 'bad-form', 'the form does not come from a page of this origin');
  return readForm(request, body);
}
