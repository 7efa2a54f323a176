/**
 * What is published in docs/ is what is served, and what is served is what checks requests. After a change that is meant:
 * `npx vitest run --project unit test/unit/gateway/v1/published.test.ts -u`.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SCOPES } from '../../../../contract/scopes.ts';
import { signupEventSchema } from '../../../../order/billing-events.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { BODY_LIMITS, type Gateway } from '../../../../gateway/gateway.ts';
import { DECLARATIONS, v1Routes } from '../../../../gateway/v1/routes.ts';
import { bench, paid, signup } from '../bench.ts';
import { fakeGuests } from '../fake-guests.ts';

async function start(): Promise<Gateway> {
  const routes = v1Routes({ guests: fakeGuests(), plans: await loadPlans(), tokens: () => [], body: BODY_LIMITS });
  return (await bench({ routes })).gateway;
}

async function served(path: string): Promise<unknown> {
  const response = await (await start())(new Request(`http://gateway${path}`));
  expect(response.status).toBe(200);
  return response.json();
}

describe('docs/', () => {
  it.each([
    ['/v1/openapi.json', 'openapi.json'],
    ['/schemas/signup.json', 'signup.schema.json'],
  ])('has what is served at %s', async (path, file) => {
    await expect(`${JSON.stringify(await served(path), undefined, 2)}\n`).toMatchFileSnapshot(`../../../../docs/${file}`);
  });
});

describe('docs/api.md', () => {
  const rows = readFileSync(new URL('../../../../docs/api.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));

  it.each(DECLARATIONS.map((declaration) => [declaration.operationId, declaration] as const))(
    'has a row for %s, with its scope',
    (_id, { method, path, scope }) => {
      const shown = path.replace(':name', 'NAME').replace(':id', 'ID');
      const row = rows.find(
        (line) => line.includes(`\`${method} ${shown}\``) || line.includes(`\`${shown.slice(shown.lastIndexOf('/'))}\``),
      );
      expect(row).toContain(`\`${scope}\``);
    },
  );

  it.each(Object.keys(SCOPES))('says what %s allows', (scope) => {
    expect(rows.some((line) => line.startsWith(`| \`${scope}\` |`))).toBe(true);
  });
});

describe('the schema of signup events', () => {
  it.each([
    ['a good one', paid()],
    ['one with a plan that cannot be one', paid('A-1', { plan: 'NO PLAN' })],
    ['one without an order', paid('A-1', { order: undefined })],
    ['one with a bad host name', paid('A-1', { hostname: '-' })],
    ['one of the wrong type', { ...paid(), type: 'order.terminated', data: {} }],
    ['one without a time', { ...paid(), timestamp: 'yesterday' }],
    ['one with a price', paid('A-1', { plan: undefined, price: 'price_large' })],
    ['one with plan and price', paid('A-1', { price: 'price_small' })],
    ['one with neither', paid('A-1', { plan: undefined })],
    ['one with both left empty', paid('A-1', { plan: '', price: '' })],
    ['one with the fields left empty that may be', paid('A-1', { price: '', sshKeys: '', dist: '', timezone: '', passwordHash: '' })],
    ['one with an order that is a number', paid('A-1', { order: 17 })],
    ['one with an order that is a negative number', paid('A-1', { order: -17 })],
    ['one with an order that is too long', paid('A-1', { order: 'A'.repeat(201) })],
    ['one with a host name that ends in a dot', paid('A-1', { hostname: 'Shop.Example.org.' })],
    ['one with a host name that is an address', paid('A-1', { hostname: '192.0.2.1' })],
    ['one with a host name of 253 characters', paid('A-1', { hostname: `${'a.'.repeat(126)}b` })],
    ['one with a host name of 255 characters', paid('A-1', { hostname: `${'a.'.repeat(127)}b` })],
    ['one with a key that is none', paid('A-1', { sshKeys: ['a key'] })],
    ['one with a distribution that there is not', paid('A-1', { dist: 'warty' })],
    ['one with a time zone that cannot be one', paid('A-1', { timezone: 'mars' })],
    ['one with a password', paid('A-1', { passwordHash: 'correct horse' })],
    ['another plan by price and by name', { ...paid(), type: 'order.upgraded', data: { order: 'A', plan: 'small', price: 'price_small' } }],
    ['another plan by neither', { ...paid(), type: 'order.upgraded', data: { order: 'A' } }],
    ['another plan', { ...paid(), type: 'order.upgraded', data: { order: 'A', plan: 'small' } }],
    ['an end', { ...paid(), type: 'order.terminated', data: { order: 17, hostname: 7 } }],
  ])('says of %s what the gateway says of it', async (_what, event) => {
    const published = z.fromJSONSchema((await served('/schemas/signup.json')) as Parameters<typeof z.fromJSONSchema>[0]);
    const document: unknown = JSON.parse(JSON.stringify(event));
    const { status } = await (await start())(signup(document));
    expect(published.safeParse(document).success).toBe(status === 200);
    expect(signupEventSchema.safeParse(document).success).toBe(status === 200);
  });
});
