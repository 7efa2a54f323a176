/**
 * The schema that is published is the one that checks: what the published one says of a value is what `/v1` says of it, but for the relations
 * below, which JSON Schema cannot say.
 */
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { DISTRIBUTIONS } from '../../../../contract/distributions.ts';
import { SCOPES } from '../../../../contract/scopes.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { TIME_ZONES } from '../../../../contract/time-zones.ts';
import { BODY_LIMITS, type Gateway } from '../../../../gateway/gateway.ts';
import { openApi } from '../../../../gateway/v1/openapi.ts';
import { makeToken } from '../../../../gateway/v1/tokens.ts';
import { DECLARATIONS, v1Routes } from '../../../../gateway/v1/routes.ts';
import { bench } from '../bench.ts';
import { fakeGuests } from '../fake-guests.ts';
import { FIELDS, RELATIONS } from './field-values.ts';

interface Parameter {
  readonly name: string;
  readonly schema: object;
}
const document = JSON.parse(JSON.stringify(openApi(DECLARATIONS))) as {
  paths: Record<string, Record<string, { parameters: Parameter[] }>>;
  components: { schemas: Record<string, { properties: Record<string, object> }> };
};
const ajv = new Ajv2020({ strict: false, validateFormats: false });
const compiled = Object.fromEntries(Object.entries(document.components.schemas).map(([name, schema]) => [name, ajv.compile(schema)]));

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme';

function isPublished(component: string, value: unknown): boolean {
  return compiled[component]?.(JSON.parse(JSON.stringify(value))) === true;
}

const { token, record } = makeToken('all', Object.keys(SCOPES), new Date(), { perMinute: 100_000 });
let gateway: Gateway;
beforeAll(async () => {
  const routes = v1Routes({ guests: fakeGuests(), plans: await loadPlans(), tokens: () => [record], body: BODY_LIMITS });
  ({ gateway } = await bench({ routes }));
});

/** Why the gateway refuses a request, or undefined when it takes it. */
async function whyRefused(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<string | undefined> {
  const response = await gateway(
    new Request(`http://gateway${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );
  if (response.ok) return undefined;
  expect(response.status).toBe(422);
  return JSON.stringify(await response.json());
}

let count = 0;
/** An order that says nothing but this field, and what it cannot be said without. */
function orderWith(field: string, value: unknown): Record<string, unknown> {
  count += 1;
  return {
    ...(field === 'order' ? {} : { order: `A-${String(count)}` }),
    ...(field === 'netmask' || field === 'gateway' ? { ip: '192.0.2.10' } : {}),
    [field]: value,
  };
}

/** What schema and check say of a value. */
async function verdicts(field: string, value: unknown): Promise<{ published: boolean; reason: string | undefined }> {
  const order = orderWith(field, value);
  return { published: isPublished('Order', order), reason: await whyRefused('/v1/guests', order) };
}

describe.each(Object.entries(FIELDS))('%s of an order', (field, { taken, refused }) => {
  it('is taken by schema and check alike, at its edges', async () => {
    for (const value of taken) expect([value, await verdicts(field, value)]).toEqual([value, { published: true, reason: undefined }]);
  });

  it('is refused by schema and check alike, beyond its edges', async () => {
    for (const value of refused)
      expect([value, await verdicts(field, value)]).toEqual([value, { published: false, reason: expect.any(String) as string }]);
  });

  it('near what is taken and what is refused is one for both, or the relation is listed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...taken, ...refused).chain(near), async (value) => {
        const { published, reason } = await verdicts(field, value);
        if (published && reason !== undefined && RELATIONS[field]?.isOne(value, reason) === true) return;
        expect([value, published, reason]).toEqual([value, reason === undefined, reason]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the published schema of an order', () => {
  it('has every field that is tried here, and says of each what it holds', () => {
    const { properties = {} } = document.components.schemas['Order'] ?? {};
    expect(Object.keys(FIELDS).sort()).toEqual(Object.keys(properties).sort());
    for (const schema of Object.values(properties)) {
      expect(schema).toHaveProperty('type');
      expect(schema).toHaveProperty('description');
    }
  });

  it('has no pattern that engines read differently: no class but of characters', () => {
    const patterns = [...JSON.stringify(document).matchAll(/"pattern":"((?:[^"\\]|\\.)*)"/g)].map(([, pattern = '']) => pattern);
    expect(patterns.length).toBeGreaterThan(20);
    for (const pattern of patterns) expect(pattern).not.toMatch(/\\\\[dDwWsSbBpP]|\(\?</);
  });

  it('takes every time zone and every distribution that the check takes', async () => {
    for (const timezone of TIME_ZONES) expect([timezone, isPublished('Order', { timezone })]).toEqual([timezone, true]);
    for (const { name } of DISTRIBUTIONS) expect(await verdicts('dist', name)).toEqual({ published: true, reason: undefined });
  });

  it.each(Object.entries(RELATIONS))('does not say what is a relation: %s', async (field, { examples, isOne }) => {
    for (const value of examples) {
      const { published, reason } = await verdicts(field, value);
      expect([value, published, reason]).toEqual([value, true, expect.any(String)]);
      expect(isOne(value, reason ?? '')).toBe(true);
    }
  });

  it.each([
    ['a key that there is not', { order: 'A', memroy: '1GiB' }, false],
    ['a netmask without an address', { order: 'A', netmask: '255.255.255.0' }, false],
    ['a gateway without an address', { order: 'A', gateway: '192.0.2.1' }, false],
    ['an address with both', { order: 'A', ip: '192.0.2.10', netmask: '255.255.255.0', gateway: '192.0.2.1' }, true],
    ['debootstrap and golden', { order: 'A', debootstrap: true, installMethod: 'golden' }, false],
    ['no debootstrap, and golden', { order: 'A', debootstrap: false, installMethod: 'golden' }, true],
    ['a list', [], false],
    ['a text', 'order', false],
  ])('says of %s what the check says', async (_what, order, isTaken) => {
    expect(isPublished('Order', order)).toBe(isTaken);
    expect((await whyRefused('/v1/guests', order)) === undefined).toBe(isTaken);
  });
});

describe('the published schemas of operations', () => {
  it.each([
    ['terminate', 'Terminate', {}, true],
    ['terminate', 'Terminate', { now: false }, true],
    ['terminate', 'Terminate', { now: true }, false],
    ['terminate', 'Terminate', { now: true, confirm: 'guest1' }, true],
    ['terminate', 'Terminate', { confirm: 'guest1' }, true],
    ['terminate', 'Terminate', { confirm: 'guest 1' }, false],
    ['terminate', 'Terminate', { now: 'yes' }, false],
    ['terminate', 'Terminate', { now: null }, false],
    ['terminate', 'Terminate', { force: true }, false],
    ['terminate', 'Terminate', [], false],
    ['prove', 'OneBackup', {}, true],
    ['prove', 'OneBackup', { backup: '20260101T020000Z' }, true],
    ['prove', 'OneBackup', { backup: '20260101T020000' }, false],
    ['prove', 'OneBackup', { backup: 20260101 }, false],
    ['prove', 'OneBackup', { at: '2026-01-01T02:00:00Z' }, false],
    ['protect', 'OneBackup', { backup: '20260101T020000Z' }, true],
    ['unprotect', 'OneBackup', { backup: '../20260101T020000Z' }, false],
    ['restore', 'Restore', {}, true],
    ['restore', 'Restore', { backup: '20260101T020000Z' }, true],
    ['restore', 'Restore', { backup: '20260101T020000Z\n' }, false],
    ['restore', 'Restore', { at: '2026-01-01T02:00:00.5Z' }, true],
    ['restore', 'Restore', { at: '2026-01-01T24:00:00Z' }, false],
    ['restore', 'Restore', { at: '2026-13-01T02:00:00Z' }, false],
    ['restore', 'Restore', { at: '2026-01-01T02:00:00+01:00' }, false],
    ['restore', 'Restore', { at: '2026-01-01' }, false],
    ['restore', 'Restore', { at: null }, false],
    ['restore', 'Restore', { at: '2026-01-01T02:00:00Z', backup: '20260101T020000Z' }, false],
    ['resize', 'Resize', { disk: '16GiB' }, true],
    ['resize', 'Resize', { disk: '16GiB', how: 'live' }, true],
    ['resize', 'Resize', { disk: '16GiB', how: 'LIVE' }, false],
    ['resize', 'Resize', { disk: '1KiB' }, false],
    ['resize', 'Resize', { how: 'live' }, false],
    ['resize', 'Resize', { disk: '16GiB', mayRestart: true }, false],
    ['password', 'Password', { passwordHash: `$6$salt$${'x'.repeat(86)}` }, true],
    ['password', 'Password', { passwordHash: `$6$salt$${'x'.repeat(86)}`, how: 'offline' }, true],
    ['password', 'Password', { passwordHash: `$6$salt$${'x'.repeat(86)}`, how: 'live' }, false],
    ['password', 'Password', { passwordHash: 'hunter2' }, false],
    ['password', 'Password', {}, false],
    ['keys', 'Keys', { sshKeys: [KEY] }, true],
    ['keys', 'Keys', { sshKeys: [`${KEY} me@home`], how: 'offline' }, true],
    ['keys', 'Keys', { sshKeys: 'none' }, true],
    ['keys', 'Keys', { sshKeys: [] }, false],
    ['keys', 'Keys', { sshKeys: 'all' }, false],
    ['keys', 'Keys', { sshKeys: Array(21).fill(KEY) }, false],
    ['keys', 'Keys', { how: 'offline' }, false],
    ['keys', 'Keys', { sshKeys: null }, false],
    ['hostname', 'Hostname', { hostname: 'shop.example.org', how: 'offline' }, true],
    ['hostname', 'Hostname', { hostname: 'Shop.' }, true],
    ['hostname', 'Hostname', { hostname: 'a b' }, false],
    ['hostname', 'Hostname', { hostname: 'a.1' }, false],
    ['hostname', 'Hostname', { hostname: 7 }, false],
    ['hostname', 'Hostname', {}, false],
    ['reinstall', 'Reinstall', {}, true],
    ['reinstall', 'Reinstall', { dist: 'trixie', sshKeys: [KEY], passwordHash: `$6$salt$${'x'.repeat(86)}` }, true],
    ['reinstall', 'Reinstall', { recipe: 'direct' }, true],
    ['reinstall', 'Reinstall', { recipe: 'how-to' }, false],
    ['reinstall', 'Reinstall', { dist: 'warty' }, false],
    ['reinstall', 'Reinstall', { sshKeys: 'none' }, false],
    ['reinstall', 'Reinstall', { ip: '192.0.2.1' }, false],
    ['rescue', 'Rescue', {}, true],
    ['rescue', 'Rescue', { sshKeys: [KEY], passwordHash: `$6$salt$${'x'.repeat(86)}` }, true],
    ['rescue', 'Rescue', { sshKeys: [] }, false],
    ['rescue', 'Rescue', { passwordHash: 'hunter2' }, false],
    ['rescue', 'Rescue', { dist: 'trixie' }, false],
    ['change-plan', 'ChangePlan', { plan: 'large' }, true],
    ['change-plan', 'ChangePlan', { plan: 'large', restart: false }, true],
    ['change-plan', 'ChangePlan', { plan: 'large', restart: null }, false],
    ['change-plan', 'ChangePlan', { plan: 'LARGE' }, false],
    ['change-plan', 'ChangePlan', { restart: true }, false],
    ['change-plan', 'ChangePlan', { plan: 'large', memory: '1GiB' }, false],
    ...['start', 'stop', 'reboot', 'destroy', 'suspend', 'resume', 'undelete', 'backup', 'undo-restore', 'keep-restored'].flatMap(
      (kind): [string, string, unknown, boolean][] => [
        [kind, 'Empty', {}, true],
        [kind, 'Empty', { now: true }, false],
        [kind, 'Empty', [], false],
        [kind, 'Empty', 'now', false],
      ],
    ),
  ])('say of %s (%s) with %j what the check says', async (kind, component, body, isTaken) => {
    await whyRefused('/v1/guests', { order: 'G-1', name: 'guest1' });
    expect(isPublished(component, body)).toBe(isTaken);
    expect((await whyRefused(`/v1/guests/guest1/${kind}`, body)) === undefined).toBe(isTaken);
  });
});

describe('the published parameters', () => {
  const parameter = (path: string, method: string, name: string, value: unknown): boolean => {
    const schema = document.paths[path]?.[method]?.parameters.find(({ name: at }) => at === name)?.schema;
    if (schema === undefined) throw new Error(`no parameter ${name}`);
    return ajv.validate(schema, value);
  };

  it.each([
    ['limit', '1', true],
    ['limit', '200', true],
    ['limit', '0', false],
    ['limit', '201', false],
    ['limit', '-1', false],
    ['limit', '1.5', false],
    ['limit', 'x', false],
    ['limit', '', false],
    ['phase', 'running', true],
    ['phase', 'Running', false],
    ['phase', '', false],
    ['dom0', 'xen1.example.org', true],
    ['dom0', 'a'.repeat(63), true],
    ['dom0', 'a'.repeat(64), false],
    ['dom0', 'Xen1', false],
    ['dom0', '-xen1', false],
    ['dom0', '', false],
    ['cursor', '', false],
    ['cursor', 'a b', false],
    ['cursor', 'a'.repeat(2_001), false],
  ])('say of %s=%s what the check says', async (name, text, isTaken) => {
    const value = name === 'limit' && text !== '' && !Number.isNaN(Number(text)) ? Number(text) : text;
    expect(parameter('/v1/guests', 'get', name, value)).toBe(isTaken);
    expect((await whyRefused(`/v1/guests?${name}=${encodeURIComponent(text)}`)) === undefined).toBe(isTaken);
  });

  it.each([
    ['k', true],
    ['!~', true],
    ['a'.repeat(200), true],
    ['a'.repeat(201), false],
    ['a b', false],
    ['é', false],
  ])('say of Idempotency-Key: %s what the check says', async (key, isTaken) => {
    expect(parameter('/v1/guests', 'post', 'Idempotency-Key', key)).toBe(isTaken);
    expect((await whyRefused('/v1/guests', { plan: 'small' }, { 'idempotency-key': key })) === undefined).toBe(isTaken);
  });
});

/** Values near one: other types, another character, one more, one less, beyond a bound. */
function near(value: unknown): fc.Arbitrary<unknown> {
  const other = fc.oneof(fc.constant(value), fc.jsonValue(), fc.constantFrom(String(value), [value], { value }, null, ''));
  if (typeof value === 'string') return fc.oneof({ weight: 8, arbitrary: edited(value) }, other);
  if (typeof value === 'number')
    return fc.oneof(
      fc.integer({ min: -3, max: 3 }).map((by) => value + by),
      fc.constantFrom(value + 0.5, -value, value * 10),
      other,
    );
  if (Array.isArray(value)) {
    const items = value as unknown[];
    const repeated = fc.integer({ min: 0, max: 40 }).map((times) => Array.from({ length: times }, () => items[0] ?? 'quiet'));
    const one = items.length === 0 ? fc.constant([]) : near(items[0]).map((item) => [item, ...items.slice(1)]);
    return fc.oneof(repeated, one, other);
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value as Record<string, unknown>);
    const [key, held] = entries[0] ?? ['key', 1];
    return fc.oneof(
      near(held).map((changed) => ({ ...value, [key]: changed })),
      fc.constant({ ...value, other: 1 }),
      other,
    );
  }
  return other;
}

const SIGNS = [
  ...Array.from('09aAfFgzZ.-_:/ \t\n\r\0%@=,+~$?#[]{}\\"\''),
  '\u00a0',
  '\u212a',
  '\u017f',
  '\u0663',
  'é',
  '😀',
  'root=',
  'init',
  '%40',
  'kib',
  '.0',
  '.5',
];

function edited(text: string): fc.Arbitrary<string> {
  const sign = fc.oneof(fc.constantFrom(...SIGNS), fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }));
  const edit = fc.record({ at: fc.nat(text.length), drop: fc.nat(2), put: fc.oneof(fc.constant(''), sign, sign) });
  const otherNumber = fc.oneof(fc.nat(600), fc.nat(2 ** 32)).map((number) => text.replace(/[0-9]+/, String(number)));
  return fc.oneof(
    otherNumber,
    fc
      .array(edit, { minLength: 1, maxLength: 2 })
      .map((edits) => edits.reduce((held, { at, drop, put }) => held.slice(0, at) + put + held.slice(at + drop), text)),
    fc.constantFrom(text.toUpperCase(), text.toLowerCase(), `${text}\n`, ` ${text}`, text + text, `${text} ${text}`, text.repeat(40)),
  );
}
