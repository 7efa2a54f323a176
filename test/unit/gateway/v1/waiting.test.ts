/** What a client has already is not sent again, and what has not happened yet can be waited for. */
import { beforeEach, describe, expect, it } from 'vitest';
import { SCOPES } from '../../../../contract/scopes.ts';
import { BODY_LIMITS, type Gateway } from '../../../../gateway/gateway.ts';
import type { OperationDocument } from '../../../../gateway/v1/answers.ts';
import { etagOf, namesTag } from '../../../../gateway/v1/etags.ts';
import { v1Routes } from '../../../../gateway/v1/routes.ts';
import { makeToken } from '../../../../gateway/v1/tokens.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { bench } from '../bench.ts';
import { fakeGuests, type FakeGuests } from '../fake-guests.ts';

const token = makeToken('panel', Object.keys(SCOPES), new Date());
const OPERATION = '/v1/guests/own/operations/backup.b1';

let gateway: Gateway;
let guests: FakeGuests;
let stopping: AbortController;
/** The operation as it is now, and how often it was looked at. */
let operation: OperationDocument;
let looks: number;
async function begin(options: { readonly waits: boolean } = { waits: true }): Promise<void> {
  stopping = new AbortController();
  guests = fakeGuests();
  looks = 0;
  operation = { id: 'backup.b1', guest: 'own', kind: 'backup', state: 'pending', steps: [{ name: 'snapshot', state: 'running' }] };
  guests.operation = () => {
    looks += 1;
    return Promise.resolve(structuredClone(operation));
  };
  const routes = v1Routes({
    ...{ guests, plans: await loadPlans(), tokens: () => [token.record], body: BODY_LIMITS },
    ...(options.waits ? { stopping: stopping.signal } : {}),
  });
  ({ gateway } = await bench({ routes }));
  await ask('/v1/guests', {}, { order: 'o-own', plan: 'small', name: 'own' });
}
beforeEach(() => begin());

function ask(path: string, headers: Readonly<Record<string, string>> = {}, body?: object): Promise<Response> {
  return gateway(
    new Request(`http://gateway${path}`, {
      headers: {
        authorization: `Bearer ${token.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    }),
  );
}

describe('an answer to GET', () => {
  it.each(['/v1/guests/own', '/v1/guests', '/v1/plans', '/v1/capacity', '/v1/guests/own/backups', OPERATION])(
    '%s has a tag, and is 304 without a body for who has it',
    async (path) => {
      const first = await ask(path);
      const etag = first.headers.get('etag') ?? '';
      expect(etag).toMatch(/^"[\w-]{27}"$/);
      expect(first.headers.get('cache-control')).toBe('private, no-cache');
      const again = await ask(path, { 'if-none-match': `"other", W/${etag}` });
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag]);
      expect(again.headers.get('ratelimit')).toMatch(/^"token";r=/);
      expect((await ask(path, { 'if-none-match': '"other"' })).status).toBe(200);
    },
  );

  it('that is refused has none, and neither has an answer to POST', async () => {
    const refused = await ask('/v1/guests/none-such', { 'if-none-match': '*' });
    expect([refused.status, refused.headers.get('etag'), refused.headers.get('cache-control')]).toEqual([404, null, 'no-store']);
    const posted = await ask('/v1/guests/own/stop', { 'if-none-match': '*' }, {});
    expect([posted.status, posted.headers.get('etag')]).toEqual([202, null]);
  });

  it('has another tag when it is another answer', () => {
    expect(etagOf('a')).not.toBe(etagOf('b'));
    expect([namesTag(null, '"a"'), namesTag('"b"', '"a"'), namesTag('*', '"a"'), namesTag('"b" ,W/"a"', '"a"')]).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });
});

describe('an operation that is waited for', () => {
  it('is answered when it has ended', async () => {
    const answer = ask(`${OPERATION}?wait=20`);
    await expect.poll(() => looks).toBe(1);
    operation = { ...operation, steps: [{ name: 'snapshot', state: 'done' }] };
    await expect.poll(() => looks, { timeout: 3_000 }).toBe(2);
    operation = { ...operation, state: 'done' };
    expect(await (await answer).json()).toMatchObject({ state: 'done' });
  });

  it('is answered as soon as it is another than the client has', async () => {
    const etag = (await ask(OPERATION)).headers.get('etag') ?? '';
    const answer = ask(`${OPERATION}?wait=20`, { 'if-none-match': etag });
    await expect.poll(() => looks).toBe(2);
    operation = { ...operation, steps: [{ name: 'snapshot', state: 'done' }] };
    const { status } = await answer;
    expect([status, looks]).toEqual([200, 3]);
    // Who has an older one need not wait.
    expect((await ask(`${OPERATION}?wait=20`, { 'if-none-match': etag })).status).toBe(200);
  });

  it('is answered as it is after so many seconds: 304 for who has it', async () => {
    const etag = (await ask(OPERATION)).headers.get('etag') ?? '';
    expect((await ask(`${OPERATION}?wait=1`, { 'if-none-match': etag })).status).toBe(304);
    expect(await (await ask(`${OPERATION}?wait=1`)).json()).toMatchObject({ state: 'pending' });
  });

  it('is answered at once when it has ended, by a gateway that stops, and by one that lets nobody wait', async () => {
    const waiting = ask(`${OPERATION}?wait=20`);
    await expect.poll(() => looks).toBe(1);
    stopping.abort();
    expect((await waiting).status).toBe(200);
    await begin({ waits: false });
    expect((await ask(`${OPERATION}?wait=20`)).status).toBe(200);
    expect(looks).toBe(1);
    await begin();
    operation = { ...operation, state: 'failed' };
    await ask(`${OPERATION}?wait=20`);
    expect(looks).toBe(1);
  });

  it('is waited for by no more than may: the next one is answered at once', async () => {
    const all = Array.from({ length: 10 }, () => ask(`${OPERATION}?wait=20`));
    await expect.poll(() => looks).toBe(10);
    expect((await ask(`${OPERATION}?wait=20`)).status).toBe(200);
    stopping.abort();
    await Promise.all(all);
  });

  it.each(['0', '21', '-1', '1.5', 'x', ''])('for %j seconds is refused', async (wait) => {
    const answer = await ask(`${OPERATION}?wait=${wait}`);
    expect([answer.status, ((await answer.json()) as { field: string }).field]).toEqual([422, 'wait']);
  });
});

it('what runs is cancelled, and its kind is told', async () => {
  await ask('/v1/guests/own/backup', {}, {});
  expect(await (await ask('/v1/guests/own/cancel', {}, {})).json()).toEqual({ guest: 'own', cancelled: 'backup' });
  guests.cancel = () => Promise.resolve(undefined);
  expect(await (await ask('/v1/guests/own/cancel', {}, {})).json()).toEqual({ guest: 'own' });
});
