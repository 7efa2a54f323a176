/** For whom a token speaks: every route of `/v1`, for every kind of subject. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OPERATION_KINDS, operationRecord } from '../../../../contract/operations.ts';
import { SCOPES } from '../../../../contract/scopes.ts';
import { loadPlans } from '../../../../order/plans.ts';
import type { ConsoleHub } from '../../../../gateway/console/hub.ts';
import type { Declaration } from '../../../../gateway/v1/declaration.ts';
import { BODY_LIMITS, type Gateway } from '../../../../gateway/gateway.ts';
import { DECLARATIONS, v1Routes } from '../../../../gateway/v1/routes.ts';
import type { About } from '../../../../gateway/v1/subjects.ts';
import { makeToken, type TokenBounds } from '../../../../gateway/v1/tokens.ts';
import { bench, problemOf } from '../bench.ts';
import { quietHub } from '../console/quiet-hub.ts';
import { fakeGuests, type FakeGuests } from '../fake-guests.ts';

/** Guests of this test: two of customer C-1, one of C-2. */
const GUESTS = [
  { name: 'own', customer: 'C-1' },
  { name: 'also-own', customer: 'C-1' },
  { name: 'foreign', customer: 'C-2' },
];

const SUBJECTS = {
  provider: {},
  customer: { customer: 'C-1' },
  guest: { guest: 'own' },
} as const satisfies Readonly<Record<string, TokenBounds>>;
type Kind = keyof typeof SUBJECTS;
const KINDS = Object.keys(SUBJECTS) as Kind[];

const tokens = Object.fromEntries(
  KINDS.map((kind) => [kind, makeToken(kind, Object.keys(SCOPES), new Date(), SUBJECTS[kind])]),
) as Readonly<Record<Kind, ReturnType<typeof makeToken>>>;

let gateway: Gateway;
let guests: FakeGuests;
let consoles: ConsoleHub;
afterEach(() => consoles.close());
beforeEach(async () => {
  guests = fakeGuests();
  const plans = await loadPlans();
  const signInLink = (): { url: string; expiresAt: string } => ({
    url: 'https://panel.example.org/my',
    expiresAt: new Date().toISOString(),
  });
  consoles = quietHub(guests);
  ({ gateway } = await bench({
    routes: v1Routes({
      guests,
      plans,
      signInLink,
      consoles,
      tokens: () => Object.values(tokens).map(({ record }) => record),
      body: BODY_LIMITS,
    }),
  }));
  for (const body of GUESTS) await ask('POST', '/v1/guests', 'provider', { order: `o-${body.name}`, plan: 'small', ...body });
});

function ask(method: string, path: string, kind: Kind, body?: object): Promise<Response> {
  const headers = {
    authorization: `Bearer ${tokens[kind].token}`,
    'idempotency-key': 'k1',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return gateway(new Request(`http://gateway${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }));
}

/** What each operation must be given. */
const BODIES: Readonly<Record<string, object>> = {
  Resize: { disk: '16GiB' },
  Password: { passwordHash: `$6$salt$${'x'.repeat(86)}` },
  ChangePlan: { plan: 'large' },
  Keys: { sshKeys: 'none' },
  Hostname: { hostname: 'www' },
};
const BODY_OF = new Map<string, object>(
  OPERATION_KINDS.flatMap((kind) => {
    const { api } = operationRecord(kind);
    const body = api === undefined ? undefined : BODIES[api.takes];
    return api === undefined || body === undefined ? [] : [[`/v1/guests/:name/${api.path}`, body] as const];
  }),
);

function call({ method, path, about }: Declaration, guest: string, kind: Kind): Promise<Response> {
  const at = path.replace(':name', guest).replace(':id', 'stop.x');
  return ask(method, at, kind, about === 'order' ? { plan: 'small' } : BODY_OF.get(path));
}

/** Whether each subject is served, by what a route is about: `own` is a guest of customer C-1. */
const SERVED: Readonly<Record<About, Readonly<Record<Kind, number | 'served'>>>> = {
  guest: { provider: 'served', customer: 'served', guest: 'served' },
  list: { provider: 'served', customer: 'served', guest: 'served' },
  order: { provider: 'served', customer: 'served', guest: 403 },
  plans: { provider: 'served', customer: 'served', guest: 'served' },
  fleet: { provider: 'served', customer: 403, guest: 403 },
  provider: { provider: 'served', customer: 403, guest: 403 },
};

const EVERY = DECLARATIONS.flatMap((declaration) => KINDS.map((kind) => [declaration.operationId, kind, declaration] as const));
const OF_ONE = DECLARATIONS.filter(({ path }) => path.includes('/:name'));

describe('every route', () => {
  it.each(EVERY)('%s, asked by a token of a %s: served or refused as what it is about says', async (_id, kind, declaration) => {
    const { status } = await call(declaration, 'own', kind);
    const wanted = SERVED[declaration.about][kind];
    if (wanted === 'served') expect(status).toBeLessThan(300);
    else expect(status).toBe(wanted);
  });

  it.each(OF_ONE.map((declaration) => [declaration.operationId, declaration] as const))(
    '%s names a guest, so it is about that guest',
    (_id, { about }) => {
      expect(['guest', 'provider']).toContain(about);
    },
  );

  it.each(
    OF_ONE.filter(({ about }) => about === 'guest').flatMap((declaration) =>
      (['customer', 'guest'] as const).map((kind) => [declaration.operationId, kind, declaration] as const),
    ),
  )('%s answers a %s of a foreign guest, byte for byte, as of one that does not exist', async (_id, kind, declaration) => {
    const [foreign, none] = [await call(declaration, 'foreign', kind), await call(declaration, 'none-such', kind)];
    expect(foreign.status).toBe(404);
    expect([...foreign.headers]).toEqual([...none.headers]);
    expect(await foreign.text()).toBe(await none.text());
    expect(guests.requests).toEqual([]);
  });

  it.each(OF_ONE.filter(({ about }) => about === 'guest').map((declaration) => [declaration.operationId, declaration] as const))(
    "%s of another guest of the same customer is for the customer's token, and not for the guest's",
    async (_id, declaration) => {
      expect((await call(declaration, 'also-own', 'customer')).status).toBeLessThan(300);
      expect((await call(declaration, 'also-own', 'guest')).status).toBe(404);
    },
  );
});

describe('a list', () => {
  const names = async (kind: Kind, query = ''): Promise<string[]> => {
    const { guests: rows } = (await (await ask('GET', `/v1/guests${query}`, kind)).json()) as { guests: { name: string }[] };
    return rows.map(({ name }) => name);
  };

  it("has each subject's own guests, whatever it asks for", async () => {
    expect(await names('provider')).toEqual(['own', 'also-own', 'foreign']);
    expect(await names('provider', '?customer=C-2')).toEqual(['foreign']);
    expect(await names('customer')).toEqual(['own', 'also-own']);
    expect(await names('customer', '?customer=C-2')).toEqual([]);
    expect(await names('guest')).toEqual(['own']);
    expect(await names('guest', '?customer=C-2')).toEqual([]);
  });

  it('goes on, page by page, with the own ones', async () => {
    const page = (await (await ask('GET', '/v1/guests?limit=1', 'customer')).json()) as { guests: object[]; next: string };
    expect(page.guests).toHaveLength(1);
    expect(await names('customer', `?limit=1&cursor=${page.next}`)).toEqual(['also-own']);
  });
});

describe('an order of a customer', () => {
  it('is that customer’s, also when it does not say so', async () => {
    expect((await ask('POST', '/v1/guests', 'customer', { plan: 'small' })).status).toBe(202);
    expect(guests.orders.at(-1)).toMatchObject({ customer: 'C-1' });
  });

  it.each([
    ['customer', { plan: 'small', customer: 'C-2' }],
    ['name', { plan: 'small', name: 'foreign' }],
    ['order', { plan: 'small', order: 'o-foreign' }],
    ['ip', { plan: 'small', ip: '192.0.2.10' }],
    ['dom0', { plan: 'small', dom0: 'xen1' }],
    ['memory', { plan: 'small', memory: '64GiB' }],
  ])('cannot say %s', async (field, body) => {
    expect(await problemOf(await ask('POST', '/v1/guests', 'customer', body))).toMatchObject({ status: 403, field });
    expect(guests.orders).toHaveLength(GUESTS.length);
  });
});

describe('a token', () => {
  it('cannot speak for a customer and a guest', () => {
    expect(() => makeToken('both', ['guests:read'], new Date(), { customer: 'C-1', guest: 'own' })).toThrow(/does not go with customer/);
  });

  it.each([{ customer: 'C 1' }, { guest: '../x' }])('cannot speak for %o', (subject) => {
    expect(() => makeToken('bad', ['guests:read'], new Date(), subject)).toThrow(/the token/);
  });
});
