/** How often a token may ask `/v1`. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BODY_LIMITS, type Gateway } from '../../../../gateway/gateway.ts';
import { v1Routes } from '../../../../gateway/v1/routes.ts';
import { makeToken, parseTokens } from '../../../../gateway/v1/tokens.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { bench, problemOf } from '../bench.ts';
import { fakeGuests } from '../fake-guests.ts';

const slow = makeToken('slow', ['guests:read'], new Date(), { perMinute: 2 });
const usual = makeToken('usual', ['guests:read'], new Date());

let gateway: Gateway;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  const tokens = [slow.record, usual.record];
  ({ gateway } = await bench({
    routes: v1Routes({ guests: fakeGuests(), plans: await loadPlans(), tokens: () => tokens, body: BODY_LIMITS }),
  }));
});
afterEach(() => {
  vi.useRealTimers();
});

function ask({ token }: { readonly token: string }, path = 'guests'): Promise<Response> {
  return gateway(new Request(`http://gateway/v1/${path}`, { headers: { authorization: `Bearer ${token}` } }));
}

describe('a token of /v1', () => {
  it('is told with each answer what it may still ask, and how long that holds', async () => {
    const response = await ask(usual);
    expect(response.headers.get('ratelimit-policy')).toBe('"token";q=600;w=60');
    expect(response.headers.get('ratelimit')).toBe('"token";r=599;t=60');
  });

  it('is refused above its number, whichever route it asks, with when to ask again; then it is taken again', async () => {
    expect([(await ask(slow)).status, (await ask(slow, 'guests/none')).status]).toEqual([200, 404]);
    vi.advanceTimersByTime(20_000);
    const refused = await ask(slow);
    expect(await problemOf(refused)).toMatchObject({ status: 429, detail: 'this token may ask 2 times a minute; ask again in 40 s' });
    expect(refused.headers.get('retry-after')).toBe('40');
    expect(refused.headers.get('ratelimit')).toBe('"token";r=0;t=40');
    expect((await ask(usual)).status).toBe(200);
    vi.advanceTimersByTime(40_001);
    expect((await ask(slow)).status).toBe(200);
  });

  it('is not counted if it is none of ours: who guesses takes nothing of its owner’s', async () => {
    const guess = { token: `${slow.token.slice(0, -1)}${slow.token.endsWith('A') ? 'B' : 'A'}` };
    for (let tries = 0; tries < 5; tries += 1) expect((await ask(guess)).status).toBe(401);
    expect((await ask(slow)).status).toBe(200);
  });

  it.each([
    [0, 'must be 1 or more'],
    [1.5, 'must be a whole number'],
    [200_000, 'must be 100000 or less'],
    [Number.NaN, 'must be a number'],
  ])('cannot have %d requests a minute', (perMinute, reason) => {
    expect(() => makeToken('bad', ['guests:read'], new Date(), { perMinute })).toThrow(reason);
  });

  it('keeps its number in the file of tokens', () => {
    const file = JSON.stringify({ tokens: [slow.record] });
    expect(parseTokens(Buffer.from(file), 'the file')[0]).toMatchObject({ id: 'slow', perMinute: 2 });
  });
});
