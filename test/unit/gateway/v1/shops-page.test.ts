/** docs/shops.md: what it says is sent, with the scopes that it says. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Scope } from '../../../../contract/scopes.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { BODY_LIMITS } from '../../../../gateway/gateway.ts';
import { makeToken } from '../../../../gateway/v1/tokens.ts';
import { v1Routes } from '../../../../gateway/v1/routes.ts';
import { bench } from '../bench.ts';
import { fakeGuests } from '../fake-guests.ts';

const PAGE = readFileSync(new URL('../../../../docs/shops.md', import.meta.url), 'utf8');
const REQUESTS = [...PAGE.matchAll(/^\| [^|]+ \| `(GET|POST) (\/v1\/\S+)` \| (?:`(\{.*\})`)? ?\|$/gm)].map(
  ([, method = '', path = '', body]) => ({
    method,
    path,
    body,
  }),
);
const COMMAND = /guestflow gateway token shop[^`]+/.exec(PAGE)?.[0] ?? '';

it('each request of the page for other shops is taken, with the token of the page and no scope more than it needs', async () => {
  const scopes = [...COMMAND.matchAll(/--scope (\S+)/g)].map(([, scope]) => scope as Scope);
  const used = new Set<string>();
  const guests = fakeGuests();
  const signInLink = () => ({ url: 'https://guests.example.org/my', expiresAt: new Date(0).toISOString() });
  for (const [without, ...granted] of [undefined, ...scopes].map((left) => [left, ...scopes.filter((scope) => scope !== left)])) {
    const { token, record } = makeToken('shop', granted as Scope[], new Date());
    const routes = v1Routes({ guests, signInLink, plans: await loadPlans(), tokens: () => [record], body: BODY_LIMITS });
    const { gateway } = await bench({ routes });
    for (const [index, { method, path, body }] of REQUESTS.entries()) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': `click-${String(index)}` };
      const { status } = await gateway(new Request(`http://gateway${path}`, { method, headers, ...(body === undefined ? {} : { body }) }));
      if (status === 403 && without !== undefined) used.add(without);
      else expect([path, status, without]).toEqual([path, expect.toBeOneOf([200, 202]), without]);
    }
  }
  expect(REQUESTS).toHaveLength(15);
  expect([...used].sort()).toEqual([...scopes].sort());
});
