/** The console on the customer's page: who gets a ticket, and what the page loads. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Grant } from '../../../../gateway/console/session.ts';
import { CONSOLE_ENDS } from '../../../../contract/console.ts';
import { en } from '../../../../gateway/page/texts/en.ts';
import { openShop, ORIGIN, type Shop, type Visitor } from './visitor.ts';

const PATH = '/my/guests/own/console';

let shop: Shop;
let visitor: Visitor;
let grants: Grant[];
let ended: string[];
async function open(hasConsoles = true): Promise<void> {
  shop = await openShop(undefined, undefined, undefined, hasConsoles);
  await shop.order({ name: 'own', order: 'o-own', customer: 'C-1', hostname: 'own.example.org' });
  await shop.order({ name: 'foreign', order: 'o-foreign', customer: 'C-2' });
  visitor = await shop.signedIn('own');
  grants = [];
  ended = [];
  const ticket = shop.consoles.ticket.bind(shop.consoles);
  shop.consoles.ticket = (grant) => (grants.push(grant), ticket(grant));
  shop.consoles.endOf = (isGone) => {
    ended = grants.map(({ holder }) => holder).filter(isGone);
  };
}
beforeEach(() => open());

async function ask(one: Visitor, path = PATH, form?: Record<string, string>, sent = {}): Promise<Response> {
  return one.post(path, form ?? one.formOf(await (await one.get(PATH)).text(), PATH), sent);
}

describe('a ticket for a console', () => {
  it('is for the guest of the path alone, for as long as the session lasts', async () => {
    const answer = await ask(visitor);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toEqual({ ticket: expect.stringMatching(/^[\w-]{43}$/) as string });
    expect(grants).toEqual([
      {
        guest: 'own',
        by: 'customer C-1',
        of: 'C-1',
        holder: expect.stringMatching(/^session /) as string,
        until: shop.clock.now + 4 * 3_600_000,
      },
    ]);
  });

  it('is not given to another page, without a token of the session, or for somebody else’s guest', async () => {
    expect((await ask(visitor, PATH, undefined, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await ask(visitor, PATH, { csrf: 'x' })).status).toBe(403);
    const form = visitor.formOf(await (await visitor.get(PATH)).text(), PATH);
    expect((await ask(visitor, '/my/guests/foreign/console', form)).status).toBe(404);
    expect((await ask(shop.visitor(), PATH, form)).status).toBe(401);
    expect(grants).toEqual([]);
  });

  it('is given to a token of /v1 as a link, with the ticket where no server sees it', async () => {
    const { url, expiresAt } = await shop.ask('/v1/guests/own/console', {});
    expect(url).toMatch(new RegExp(`^${ORIGIN}/my/console#[\\w-]{43}$`));
    expect(expiresAt).toBe(new Date(shop.clock.now + 60_000).toISOString());
    expect(grants).toEqual([expect.objectContaining({ guest: 'own', by: 'token shop', of: 'own' })]);
    expect(await shop.ask('/v1/guests/none/console', {})).toMatchObject({ status: 404 });
    expect(JSON.stringify(shop.lines)).not.toContain(url?.split('#')[1]);
  });

  it('is refused with 501 by a gateway that opens no consoles, whose page offers none', async () => {
    expect(await (await visitor.get('/my/guests/own')).text()).toContain(`href="${PATH}"`);
    await open(false);
    expect(await shop.ask('/v1/guests/own/console', {})).toMatchObject({ status: 501, type: 'urn:guestflow:problem:no-console' });
    expect((await visitor.get(PATH)).status).toBe(404);
    expect((await visitor.get('/my/console')).status).toBe(404);
    expect(await (await visitor.get('/my/guests/own')).text()).not.toContain(PATH);
  });

  it('goes with its session: who signs out ends its consoles', async () => {
    await ask(visitor);
    const other = await shop.signedIn('foreign');
    await other.post('/my/sign-out', other.formOf(await (await other.get('/my')).text(), '/my/sign-out'));
    expect(ended).toEqual([]);
    await visitor.post('/my/sign-out', visitor.formOf(await (await visitor.get('/my')).text(), '/my/sign-out'));
    expect(ended).toEqual([grants[0]?.holder]);
  });
});

describe('the page of a console', () => {
  it('loads nothing of anybody else: the terminal comes from the gateway, under a policy that lets no script in but its own', async () => {
    const answer = await visitor.get(PATH);
    const html = await answer.text();
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/script-src 'self'; img-src 'self'; connect-src 'self';/);
    const [, nonce = ''] = /style-src 'self' 'nonce-([\w-]{22})';/.exec(policy) ?? [];
    expect(html).toContain(`nonce="${nonce}"`);
    expect((await visitor.get(PATH)).headers.get('content-security-policy')).not.toContain(nonce);
    const loaded = [...html.matchAll(/<(?:script|link)[^>]* (?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
    expect(loaded).toHaveLength(6);
    for (const path of loaded) {
      expect(path).toMatch(/^\/my\/assets\/[0-9a-f]{16}\.(js|css|svg)$/);
      expect((await visitor.get(path)).status).toBe(200);
    }
  });

  it('is the only one whose policy has more than the others have', async () => {
    expect((await visitor.get('/my/guests/own')).headers.get('content-security-policy')).toContain("style-src 'self';");
  });

  it('has its button only while the server runs', async () => {
    shop.guests.changes.set('own', { phase: 'stopped' });
    expect(await (await visitor.get('/my/guests/own')).text()).not.toContain(PATH);
  });

  it('has words for every end that a console may have', () => {
    expect(Object.keys(en.console.ends).sort()).toEqual([...CONSOLE_ENDS].sort());
  });
});
