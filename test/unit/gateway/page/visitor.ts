/** A browser of little wit: it keeps cookies, sends forms, and shows what came back. */
import { makeToken } from '../../../../gateway/v1/tokens.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { BODY_LIMITS, type Gateway } from '../../../../gateway/gateway.ts';
import { createPage } from '../../../../gateway/page/page.ts';
import { v1Routes } from '../../../../gateway/v1/routes.ts';
import type { ConsoleHub } from '../../../../gateway/console/hub.ts';
import type { FilesHub } from '../../../../gateway/files/hub.ts';
import { quietFiles, quietHub } from '../console/quiet-hub.ts';
import { bench } from '../bench.ts';
import { fakeGuests, type FakeGuests } from '../fake-guests.ts';

export const ORIGIN = 'https://panel.example.org';
export const provider = makeToken('shop', ['guests:sign-in', 'guests:order', 'guests:console'], new Date());

export interface Shop {
  readonly gateway: Gateway;
  readonly guests: FakeGuests;
  readonly lines: object[];
  readonly clock: { now: number };
  readonly consoles: ConsoleHub;
  readonly files: FilesHub;
  /** Orders a guest. */
  readonly order: (body: object) => Promise<void>;
  /** Asks `/v1` as the shop. */
  ask(path: string, body: object): Promise<Record<string, string>>;
  /** The path of a sign-in link for a guest's customer. */
  readonly link: (guest: string) => Promise<string>;
  /** A visitor who is signed in by a guest's link. */
  signedIn(guest: string): Promise<Visitor>;
  readonly visitor: () => Visitor;
}

export interface Sent {
  readonly origin?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Visitor {
  readonly cookies: Map<string, string>;
  get(path: string, sent?: Sent): Promise<Response>;
  post(path: string, form: Readonly<Record<string, string>>, sent?: Sent): Promise<Response>;
  /** The hidden fields of the first form of a page that goes to this path. */
  formOf(html: string, action: string): Record<string, string>;
}

/** A shop with a gateway, or another gateway of the same shop: they share guests, keys, clock and what was spent. */
export async function openShop(
  spent = new Set<string>(),
  secrets = ['a secret of the customer page'],
  guests = fakeGuests(),
  hasConsoles = true,
): Promise<Shop> {
  const clock = { now: Date.now() };
  const consoles = quietHub(guests, () => clock.now);
  const files = quietFiles(guests, consoles, () => clock.now);
  const page = createPage({
    configuration: { origin: ORIGIN, secrets },
    guests,
    spendTicket: (id) => {
      const isNew = !spent.has(id);
      spent.add(id);
      return Promise.resolve(isNew);
    },
    body: BODY_LIMITS,
    now: () => clock.now,
    ...(hasConsoles ? { consoles, files } : {}),
  });
  const v1 = v1Routes({
    guests,
    plans: await loadPlans(),
    tokens: () => [provider.record],
    body: BODY_LIMITS,
    signInLink: page.signInLink,
    ...(hasConsoles ? { consoles } : {}),
  });
  const { gateway, lines } = await bench({ routes: [...v1, ...page.routes], present: page.present });
  const ask = async (path: string, body: object): Promise<Record<string, string>> => {
    const headers = { authorization: `Bearer ${provider.token}`, 'content-type': 'application/json' };
    const response = await gateway(new Request(`http://gateway${path}`, { method: 'POST', headers, body: JSON.stringify(body) }));
    return (await response.json()) as Record<string, string>;
  };
  const visitor = (): Visitor => visitorOf(gateway);
  const link = async (guest: string): Promise<string> => {
    const { url = '' } = await ask(`/v1/guests/${guest}/sign-in`, {});
    return url.slice(ORIGIN.length);
  };
  return {
    ...{ gateway, guests, lines, clock, visitor, link, consoles, files, ask },
    order: async (body) => {
      await ask('/v1/guests', { plan: 'small', ...body });
    },
    signedIn: async (guest) => {
      const one = visitor();
      await one.post('/my/sign-in', { ticket: (await link(guest)).split('=')[1] ?? '' });
      return one;
    },
  };
}

/** A shop with one server, `own`, whose customer is signed in. */
export async function openOwn(): Promise<{ readonly shop: Shop; readonly visitor: Visitor }> {
  const shop = await openShop();
  await shop.order({ name: 'own', order: 'o-own', customer: 'C-1', hostname: 'own.example.org' });
  return { shop, visitor: await shop.signedIn('own') };
}

export function visitorOf(gateway: Gateway): Visitor {
  const cookies = new Map<string, string>();
  const send = async (path: string, init: RequestInit, headers: Readonly<Record<string, string>>): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await gateway(
      new Request(`http://gateway${path}`, { ...init, headers: { ...headers, ...(cookie === '' ? {} : { cookie }) }, redirect: 'manual' }),
    );
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    return response;
  };
  return {
    cookies,
    get: (path, { headers = {} } = {}) => send(path, { method: 'GET' }, headers),
    post: (path, form, sent = {}) => {
      const origin = 'origin' in sent ? sent.origin : ORIGIN;
      return send(
        path,
        { method: 'POST', body: new URLSearchParams(form).toString() },
        {
          'content-type': 'application/x-www-form-urlencoded',
          ...(origin === undefined ? {} : { origin }),
          ...sent.headers,
        },
      );
    },
    formOf: (html, action) => {
      const [, form = ''] = new RegExp(`<form method="post" action="${action}"[^>]*>(.*?)</form>`, 's').exec(html) ?? [];
      return Object.fromEntries(
        [...form.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)].map(([, name = '', value = '']) => [name, value]),
      );
    },
  };
}
