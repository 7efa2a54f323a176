/** The REST API for panels and scripts. */
import { beforeEach, describe, expect, it } from 'vitest';
import { guestNameOfOrder } from '../../../../order/billing-events.ts';
import { OPERATION_KINDS, operationRecord } from '../../../../contract/operations.ts';
import { SCOPES } from '../../../../contract/scopes.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { BODY_LIMITS, type Gateway } from '../../../../gateway/gateway.ts';
import { makeToken, type TokenRecord } from '../../../../gateway/v1/tokens.ts';
import {
  backupListSchema,
  usageSchema,
  capacitySchema,
  guestListSchema,
  guestSchema,
  operationSchema,
  planListSchema,
  takenOrderSchema,
} from '../../../../gateway/v1/answers.ts';
import { DECLARATIONS, v1Routes } from '../../../../gateway/v1/routes.ts';
import { bench, problemOf } from '../bench.ts';
import { BACKUPS, fakeGuests, HASH, type FakeGuests, USAGE } from '../fake-guests.ts';

const all = makeToken('all', Object.keys(SCOPES), new Date());
const reader = makeToken('reader', ['guests:read'], new Date());

let gateway: Gateway;
let guests: FakeGuests;
let lines: object[];
let tokens: TokenRecord[];
beforeEach(async () => {
  guests = fakeGuests();
  tokens = [all.record, reader.record];
  ({ gateway, lines } = await bench({ routes: v1Routes({ guests, plans: await loadPlans(), tokens: () => tokens, body: BODY_LIMITS }) }));
});

/** Kinds of operations that `/v1` takes, with their paths. */
const WITH_ROUTE = OPERATION_KINDS.flatMap((kind) => {
  const { api } = operationRecord(kind);
  return api === undefined ? [] : [[kind, api.path] as const];
});

/** Kinds of operations that are not called as their paths are. */
const KINDS: Readonly<Record<string, string>> = { password: 'setPassword', keys: 'setKeys', hostname: 'setHostname' };

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme';
const PASSWORD_HASH = `$6$salt$${'x'.repeat(86)}`;

/** What a request must hold, where it must hold anything. */
const BODIES: Readonly<Record<string, object>> = {
  resize: { disk: '16GiB' },
  setPassword: { passwordHash: PASSWORD_HASH },
  setKeys: { sshKeys: 'none' },
  setHostname: { hostname: 'shop.example.org' },
  changePlan: { plan: 'large' },
};

interface Ask {
  readonly token?: string;
  readonly body?: unknown;
  readonly key?: string;
}

function ask(method: string, path: string, { token = all.token, body, key }: Ask = {}): Promise<Response> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
  };
  return gateway(new Request(`http://gateway${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }));
}

async function ordered(order = 'A-1'): Promise<string> {
  const response = await ask('POST', '/v1/guests', { body: { order, plan: 'small' } });
  return takenOrderSchema.parse(await response.json()).guest;
}

describe('POST /v1/guests', () => {
  it('takes an order as the command line does, and says where its guest is', async () => {
    const response = await ask('POST', '/v1/guests', {
      body: { order: 'A-1', plan: 'small', memory: '1GiB', hostname: 'shop.example.org', customer: 7 },
    });
    expect(response.status).toBe(202);
    const taken = takenOrderSchema.parse(await response.json());
    expect(taken).toEqual({ guest: guestNameOfOrder('A-1'), order: 'A-1', dom0: 'xen1' });
    expect(await (await ask('GET', `/v1/guests/${taken.guest}`)).json()).toMatchObject({ hostname: 'shop.example.org' });
    expect(response.headers.get('location')).toBe(`/v1/guests/${taken.guest}`);
    expect(guests.orders[0]).toMatchObject({ size: { memoryBytes: 2 ** 30 }, hostname: 'shop.example.org', customer: '7' });
  });

  it('sent twice with one Idempotency-Key is one order; the key is another one with another token', async () => {
    const body = { plan: 'small' };
    const first = await (await ask('POST', '/v1/guests', { body, key: 'k1' })).json();
    expect(await (await ask('POST', '/v1/guests', { body, key: 'k1' })).json()).toEqual(first);
    expect(guests.orders).toHaveLength(1);
    expect((await ask('POST', '/v1/guests', { body: { plan: 'large' }, key: 'k1' })).status).toBe(422);
    const other = makeToken('other', ['guests:order'], new Date());
    tokens.push(other.record);
    await ask('POST', '/v1/guests', { body, key: 'k1', token: other.token });
    expect(guests.orders).toHaveLength(2);
  });

  it.each([
    ['order', { plan: 'small' }],
    ['plan', { order: 'A-1', plan: 'smal' }],
    ['memory', { order: 'A-1', memory: 512 }],
    ['name', { order: 'A-1', name: 'snapshot-1' }],
    ['hostname', { order: 'A-1', hostname: 'a b' }],
    ['memroy', { order: 'A-1', memroy: '1GiB' }],
  ])('says what is wrong with %s', async (field, body) => {
    expect(await problemOf(await ask('POST', '/v1/guests', { body }))).toMatchObject({ status: 422, field });
    expect(guests.orders).toEqual([]);
  });
});

describe('a guest', () => {
  it('is shown without its keys and hashes', async () => {
    const text = await (await ask('GET', `/v1/guests/${await ordered()}`)).text();
    expect(guestSchema.strict().parse(JSON.parse(text))).toMatchObject({ phase: 'running', ip: '192.0.2.10', memoryBytes: 256 * 2 ** 20 });
    expect(text).not.toContain(HASH);
  });

  it.each(WITH_ROUTE)('takes %s, because the table of operations gives it a route', async (kind, path) => {
    const guest = await ordered();
    const body = BODIES[kind];
    const response = await ask('POST', `/v1/guests/${guest}/${path}`, { key: 'k1', body });
    // The guests of this test are suspended at once; the rest takes its time.
    expect(response.status).toBe(kind === 'suspend' ? 200 : 202);
    const operation = operationSchema.strict().parse(await response.json());
    expect(operation).toMatchObject({ kind, guest });
    expect((await ask('GET', response.headers.get('location') ?? '')).status).toBe(200);
    expect(await (await ask('POST', `/v1/guests/${guest}/${path}`, { key: 'k1', body })).json()).toEqual(operation);
    expect(guests.requests).toHaveLength(1);
  });

  it('refuses an Idempotency-Key that was used for another operation', async () => {
    const guest = await ordered();
    await ask('POST', `/v1/guests/${guest}/suspend`, { key: 'k1' });
    expect((await ask('POST', `/v1/guests/${guest}/terminate`, { key: 'k1' })).status).toBe(409);
  });

  it.each([
    ['restore', { backup: '20260101T020000Z' }, { backup: '20260101T020000Z' }],
    ['restore', { at: '2026-01-02T03:00:00Z' }, { at: '2026-01-02T03:00:00.000Z' }],
    ['prove', { backup: '20260101T020000Z' }, { backup: '20260101T020000Z' }],
    ['password', { passwordHash: PASSWORD_HASH, how: 'offline' }, { access: { passwordHash: PASSWORD_HASH, how: 'offline' } }],
    ['keys', { sshKeys: [`${KEY} me@home`] }, { access: { sshKeys: [KEY] } }],
    ['keys', { sshKeys: 'none', how: 'offline' }, { access: { sshKeys: [], how: 'offline' } }],
    ['hostname', { hostname: 'Shop.Example.org.' }, { access: { hostname: 'shop.example.org' } }],
    ['reinstall', { dist: 'trixie', sshKeys: [KEY] }, { reinstall: { dist: 'trixie', sshKeys: [KEY] } }],
    ['rescue', { sshKeys: [`${KEY} me@home`] }, { rescue: { sshKeys: [KEY] } }],
    ['rescue', { passwordHash: PASSWORD_HASH }, { rescue: { passwordHash: PASSWORD_HASH } }],
    ['unrescue', {}, {}],
    ['resize', { disk: '16GiB', how: 'offline' }, { resize: { diskBytes: 2 ** 34, how: 'offline' } }],
  ])('is asked for what a request of %s holds: %j', async (kind, body, wish) => {
    expect((await ask('POST', `/v1/guests/${await ordered()}/${kind}`, { body })).status).toBe(202);
    expect(guests.requests).toEqual([{ kind: KINDS[kind] ?? kind, id: expect.any(String) as string, ...wish }]);
  });

  it('asks for a guest whose dom0 is lost to be made on the dom0 that a restore names', async () => {
    const path = `/v1/guests/${await ordered()}/restore`;
    const { status } = await ask('POST', path, { body: { dom0: 'xen2', backup: '20260101T020000Z' } });
    expect(status).toBe(202);
    const id = expect.any(String) as string;
    expect(guests.requests).toEqual([{ kind: 'restoreElsewhere', id, dom0: 'xen2', backup: '20260101T020000Z' }]);
  });

  it.each([
    [{ plan: 'large' }, true],
    [{ plan: 'large', restart: false }, false],
  ])('is asked for the sizes of the plan that a request names: %j', async (body, mayRestart) => {
    expect((await ask('POST', `/v1/guests/${await ordered()}/change-plan`, { body })).status).toBe(202);
    const change = { plan: 'large', memoryBytes: 2 ** 32, vcpus: 4, diskBytes: 40 * 2 ** 30, mayRestart };
    expect(guests.requests).toEqual([{ kind: 'changePlan', id: expect.any(String) as string, change }]);
  });

  it.each([
    ['restore', { backup: '../../etc' }, 'backup'],
    ['restore', { at: 'yesterday' }, 'at'],
    ['restore', { dom0: '../xen2' }, 'dom0'],
    ['restore', { backup: '20260101T020000Z', at: '2026-01-02T03:00:00Z' }, 'at'],
    ['prove', { at: '2026-01-02T03:00:00Z' }, 'at'],
    ['password', {}, 'passwordHash'],
    ['password', { passwordHash: 'hunter2' }, 'passwordHash'],
    ['password', { passwordHash: PASSWORD_HASH, password: 'hunter2' }, 'password'],
    ['keys', {}, 'sshKeys'],
    ['keys', { sshKeys: [] }, 'sshKeys'],
    ['keys', { sshKeys: ['ssh-ed25519 AAAA'] }, 'sshKeys[0]'],
    ['keys', { sshKeys: 'all' }, 'sshKeys'],
    ['keys', { sshKeys: [KEY], how: 'live' }, 'how'],
    ['hostname', {}, 'hostname'],
    ['hostname', { hostname: '10.0.0.1' }, 'hostname'],
    ['reinstall', { dist: 'warty' }, 'dist'],
    ['reinstall', { sshKeys: [] }, 'sshKeys'],
    ['reinstall', { recipe: 'how-to' }, 'recipe'],
    ['rescue', { sshKeys: [] }, 'sshKeys'],
    ['rescue', { password: 'hunter2' }, 'password'],
    ['resize', {}, 'disk'],
    ['resize', { disk: 17 }, 'disk'],
    ['resize', { disk: '16GiB', how: 'soon' }, 'how'],
    ['change-plan', {}, 'plan'],
    ['change-plan', { plan: 'larg' }, 'plan'],
    ['change-plan', { plan: '__proto__' }, 'plan'],
    ['change-plan', { plan: 'large', restart: 'no' }, 'restart'],
  ])('is not asked for a %s of %j: the answer says what is wrong', async (kind, body, field) => {
    expect(await problemOf(await ask('POST', `/v1/guests/${await ordered()}/${kind}`, { body }))).toMatchObject({ status: 422, field });
    expect(guests.requests).toEqual([]);
  });

  it('that refuses what it is asked for says which field is wrong, as for an order', async () => {
    const refused = await ask('POST', `/v1/guests/${await ordered()}/resize`, { body: { disk: '1GiB' } });
    expect(await problemOf(refused)).toMatchObject({ status: 422, field: 'disk', detail: 'what is on the disk does not fit' });
  });

  it('shows its backups, newest first, with their proofs and without the places where they lie', async () => {
    const text = await (await ask('GET', `/v1/guests/${await ordered()}/backups`)).text();
    const { backups } = backupListSchema.strict().parse(JSON.parse(text));
    expect(backups.map(({ id }) => id)).toEqual(BACKUPS.map(({ id }) => id).reverse());
    expect(backups).toMatchObject([
      { state: 'verified', warnings: ['a warning'] },
      { state: 'proven', proof: { outcome: 'proven', seconds: 40 } },
    ]);
    expect(text).not.toContain('planted');
  });

  it('shows its traffic by month and what it has now', async () => {
    const answer = await ask('GET', `/v1/guests/${await ordered()}/usage`);
    expect(usageSchema.strict().parse(await answer.json())).toEqual(USAGE);
  });

  it('goes at once only when its name is given twice', async () => {
    const guest = await ordered();
    expect(await problemOf(await ask('POST', `/v1/guests/${guest}/terminate`, { body: { now: true } }))).toMatchObject({
      status: 422,
      field: 'confirm',
    });
    expect((await ask('POST', `/v1/guests/${guest}/terminate`, { body: { now: true, confirm: 'another' } })).status).toBe(422);
    expect((await ask('POST', `/v1/guests/${guest}/terminate`, { body: { now: true, confirm: guest } })).status).toBe(202);
    expect(guests.requests).toMatchObject([{ kind: 'terminate', now: true }]);
  });

  it.each([['/v1/guests/nobody'], ['/v1/guests/..%2f..%2fetc'], ['/v1/guests/A%20B'], ['/v1/nothing'], ["/v1/guests/x'%20OR%20'1'='1"]])(
    'that is none gets 404: %s',
    async (path) => {
      expect((await ask('GET', path)).status).toBe(404);
    },
  );
});

describe('GET /v1/guests', () => {
  it('comes in pages, each guest once', async () => {
    for (let index = 0; index < 7; index += 1) await ordered(`A-${index}`);
    const names: string[] = [];
    for (let cursor = ''; ;) {
      const page = guestListSchema.strict().parse(await (await ask('GET', `/v1/guests?limit=3${cursor}`)).json());
      names.push(...page.guests.map(({ name }) => name));
      if (page.next === undefined) break;
      cursor = `&cursor=${page.next}`;
    }
    expect(new Set(names).size).toBe(7);
    expect(names).toHaveLength(7);
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=1e9', 'limit'],
    ['limit=x', 'limit'],
    ['phase=vanished', 'phase'],
    ["dom0=x'%20OR%20'1", 'dom0'],
    ['limit=', 'limit'],
    ['limit=%205', 'limit'],
    ['limit=0x10', 'limit'],
    ['limit=%D9%A3', 'limit'],
    ['cursor=%00', 'cursor'],
    ['cursor=', 'cursor'],
    ['cursor=abc', 'cursor'],
    ['cursor=e30', 'cursor'],
  ])('refuses %s', async (query, field) => {
    expect(await problemOf(await ask('GET', `/v1/guests?${query}`))).toMatchObject({ status: 422, field });
  });
});

describe('GET /v1/plans', () => {
  it('shows the plans in the order of their file, with their sizes in bytes', async () => {
    const { plans } = planListSchema.strict().parse(await (await ask('GET', '/v1/plans')).json());
    expect(plans.map(({ name }) => name)).toEqual(['small', 'medium', 'large']);
    expect(plans[2]).toEqual({
      name: 'large',
      memoryBytes: 2 ** 32,
      vcpus: 4,
      diskBytes: 40 * 2 ** 30,
      swapBytes: 2 ** 30,
      type: 'pv',
      dist: 'bookworm',
      graceDays: 7,
    });
  });
});

describe('GET /v1/capacity', () => {
  it('shows what of each dom0 and network is sold and left, and names no guest', async () => {
    const text = await (await ask('GET', '/v1/capacity')).text();
    const { dom0s, networks } = capacitySchema.strict().parse(JSON.parse(text));
    expect(dom0s).toMatchObject([
      {
        dom0: 'xen1',
        isServed: true,
        guests: 1,
        sold: { vcpus: 3 },
        left: { memoryBytes: 2 ** 32, vcpus: 4, diskBytes: 2 ** 35 },
        pools: [{ name: 'vg01', leftBytes: 2 ** 35 }],
        networks: ['192.0.2.0/29'],
        // Of six hosts the gateway, one lease and one address of a cfg file are gone.
        freeAddresses: 3,
      },
      { dom0: 'xen2', isServed: false, drained: true, plans: ['small'], networks: [], freeAddresses: 0 },
    ]);
    expect(dom0s[1]).not.toHaveProperty('left');
    expect(networks).toEqual([{ cidr: '192.0.2.0/29', dom0s: ['xen1'], leased: 1, free: 3 }]);
    expect(text).not.toContain('planted');
  });
});

describe('tokens', () => {
  it.each([[''], ['gf_all_wrong'], ['gf_all_' + 'a'.repeat(43)], [all.token + 'x']])('%j gets 401', async (token) => {
    const refused = await ask('GET', '/v1/guests', { token });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('Bearer');
  });

  it.each(DECLARATIONS.map((declaration) => [declaration.operationId, declaration] as const))(
    'that are for all but what %s is for do not open it, and are told what is missing',
    async (_id, { method, path, scope }) => {
      const other = makeToken(
        'other',
        Object.keys(SCOPES).filter((known) => known !== scope),
        new Date(),
      );
      tokens.push(other.record);
      const refused = await ask(method, path.replace(':name', await ordered()).replace(':id', 'suspend.x'), { token: other.token });
      expect(await problemOf(refused)).toMatchObject({ status: 403, scope });
      expect(refused.headers.get('www-authenticate')).toContain(`insufficient_scope", scope="${scope}"`);
    },
  );

  it('are good for what they are for', async () => {
    await ordered();
    expect((await ask('GET', '/v1/guests', { token: reader.token })).status).toBe(200);
  });

  it('are refused as soon as they are taken back', async () => {
    tokens.splice(0);
    expect((await ask('GET', '/v1/guests')).status).toBe(401);
  });

  it('are not written down', async () => {
    await ordered();
    await ask('GET', '/v1/guests', { token: 'gf_planted_token' });
    expect(JSON.stringify(lines)).not.toMatch(new RegExp(`${all.token.slice(7)}|planted`));
    expect(JSON.stringify(lines)).toContain('"token":"all"');
  });
});

describe('GET /v1/openapi.json', () => {
  it('describes every route, with its scope, and needs no token', async () => {
    const document = (await (await gateway(new Request('http://gateway/v1/openapi.json'))).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { security: { token: string[] }[] }>>;
      components: { schemas: object };
    };
    expect(document.openapi).toBe('3.1.1');
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    const routes = v1Routes({ guests, plans: await loadPlans(), tokens: () => [], body: BODY_LIMITS })
      .map(({ method, path }) => `${method} ${path}`)
      .filter((route) => !route.endsWith('openapi.json'));
    expect(described.sort()).toEqual(routes.sort());
    for (const methods of Object.values(document.paths))
      for (const { security } of Object.values(methods)) expect(Object.keys(SCOPES)).toContain(security[0]?.token[0]);
  });

  it('refers only to what it has', async () => {
    const text = await (await gateway(new Request('http://gateway/v1/openapi.json'))).text();
    const document = JSON.parse(text) as { components: { schemas: object; responses: object } };
    const known = [
      ...Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`),
      ...Object.keys(document.components.responses).map((name) => `#/components/responses/${name}`),
    ];
    for (const [, target] of text.matchAll(/"\$ref":"([^"]+)"/g)) expect(known).toContain(target);
  });
});
