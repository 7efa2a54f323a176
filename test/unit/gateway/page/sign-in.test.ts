/** Who gets into the customer's page, and whose servers they see there. */
import { beforeEach, describe, expect, it } from 'vitest';
import { SESSION_COOKIE } from '../../../../gateway/page/sessions.ts';
import { openShop, ORIGIN, type Shop } from './visitor.ts';

let shop: Shop;
beforeEach(async () => {
  shop = await openShop();
  for (const [name, customer] of [
    ['own', 'C-1'],
    ['foreign', 'C-2'],
    ['nobodys', undefined],
  ] as const)
    await shop.order({ name, order: `o-${name}`, hostname: `${name}.example.org`, ...(customer === undefined ? {} : { customer }) });
});

const ticketIn = (link: string): string => link.split('=')[1] ?? '';

describe('a sign-in link', () => {
  it('shows a form that uses nothing up, however often it is looked at, and then signs in once', async () => {
    const link = await shop.link('own');
    const visitor = shop.visitor();
    for (const _look of [1, 2]) expect(await (await visitor.get(link)).text()).toContain('<form method="post" action="/my/sign-in"');
    expect(visitor.cookies.size).toBe(0);
    const entered = await visitor.post('/my/sign-in', { ticket: ticketIn(link) });
    expect([entered.status, entered.headers.get('location')]).toEqual([303, '/my/guests/own']);
    expect(entered.headers.get('set-cookie')).toMatch(
      /^__Host-guestflow=[\w-]+; Path=\/; Max-Age=14400; HttpOnly; Secure; SameSite=Strict$/,
    );
    expect((await visitor.get('/my')).status).toBe(200);
  });

  it('is refused to a second browser, at another gateway, too', async () => {
    const spent = new Set<string>();
    const first = await openShop(spent);
    const second = await openShop(spent, undefined, first.guests);
    await first.order({ name: 'own', order: 'o-own', customer: 'C-1' });
    const ticket = ticketIn(await first.link('own'));
    expect((await first.visitor().post('/my/sign-in', { ticket })).status).toBe(303);
    for (const { visitor } of [first, second]) {
      const late = visitor();
      expect((await late.post('/my/sign-in', { ticket })).status).toBe(410);
      expect(late.cookies.size).toBe(0);
    }
  });

  it('is good for its time only', async () => {
    const link = await shop.link('own');
    shop.clock.now += 119_000;
    expect((await shop.visitor().get(link)).status).toBe(200);
    shop.clock.now += 2_000;
    expect((await shop.visitor().get(link)).status).toBe(410);
    expect((await shop.visitor().post('/my/sign-in', { ticket: ticketIn(link) })).status).toBe(410);
  });

  it.each([
    ['nothing', () => ''],
    ['something else', () => 'bm90IGEgdGlja2V0IGF0IGFsbCwgYnV0IGxvbmcgZW5vdWdo'],
    ['one that was altered', (ticket: string) => `${ticket.slice(0, -3)}AAA`],
    ['a session', (_ticket: string, session: string) => session],
  ])('that is %s signs nobody in', async (_what, made) => {
    const session = (await shop.signedIn('own')).cookies.get(SESSION_COOKIE) ?? '';
    const ticket = made(ticketIn(await shop.link('own')), session);
    expect((await shop.visitor().post('/my/sign-in', { ticket })).status).toBe(410);
  });

  it('tells nobody who the customer is, and is not in the log', async () => {
    const link = await shop.link('own');
    await shop.visitor().get(link);
    expect(Buffer.from(ticketIn(link), 'base64url').toString('latin1')).not.toMatch(/C-1|own/);
    expect(JSON.stringify(shop.lines)).not.toContain(ticketIn(link).slice(0, 20));
  });

  it('of a guest without a customer is for that guest alone', async () => {
    const html = await (await (await shop.signedIn('nobodys')).get('/my')).text();
    expect(html).toContain('nobodys.example.org');
    expect(html).not.toContain('own.example.org');
  });
});

describe('a session', () => {
  it("has its customer's own servers; another's is answered as one that does not exist", async () => {
    const visitor = await shop.signedIn('own');
    const list = await (await visitor.get('/my')).text();
    expect(list).toContain('own.example.org');
    expect(list).not.toContain('foreign');
    for (const path of ['', '/stop', '/restore?backup=20260101T020000Z', '/password']) {
      const [foreign, none] = [await visitor.get(`/my/guests/foreign${path}`), await visitor.get(`/my/guests/none-such${path}`)];
      expect(foreign.status).toBe(404);
      expect(await foreign.text()).toBe(await none.text());
    }
    const csrf = visitor.formOf(list, '/my/sign-out')['csrf'] ?? '';
    expect((await visitor.post('/my/guests/foreign/stop', { csrf, request: 'a'.repeat(24) })).status).toBe(404);
    expect(shop.guests.requests).toEqual([]);
  });

  it('ends after four hours, and by signing out', async () => {
    const visitor = await shop.signedIn('own');
    const csrf = visitor.formOf(await (await visitor.get('/my')).text(), '/my/sign-out');
    expect((await visitor.post('/my/sign-out', csrf)).headers.get('location')).toBe('/my/signed-out');
    expect((await visitor.get('/my')).status).toBe(401);
    const other = await shop.signedIn('own');
    shop.clock.now += 4 * 3_600_000;
    expect((await other.get('/my')).status).toBe(401);
  });

  it.each([
    ['a ticket', (link: string) => ticketIn(link)],
    ['something else', () => 'x'.repeat(200)],
  ])('is not %s in its cookie', async (_what, made) => {
    const visitor = shop.visitor();
    visitor.cookies.set(SESSION_COOKIE, made(await shop.link('own')));
    expect((await visitor.get('/my')).status).toBe(401);
  });

  it('outlives a replaced key while the former one is still in the file', async () => {
    const visitor = await shop.signedIn('own');
    const known = await openShop(undefined, ['a new secret of the page', 'a secret of the customer page'], shop.guests);
    const unknown = await openShop(undefined, ['a new secret of the page'], shop.guests);
    const cookie = `${SESSION_COOKIE}=${visitor.cookies.get(SESSION_COOKIE) ?? ''}`;
    const status = async ({ gateway }: Shop): Promise<number> =>
      (await gateway(new Request('http://gateway/my', { headers: { cookie } }))).status;
    expect([await status(known), await status(unknown)]).toEqual([200, 401]);
  });
});

describe('a form', () => {
  it.each([
    ['of another site', { origin: 'https://evil.example.org' }],
    ['without an origin', { origin: undefined }],
    ['of a sandboxed page', { origin: 'null' }],
    ['of the same host without https', { origin: ORIGIN.replace('https', 'http') }],
  ])('%s does nothing', async (_what, sent) => {
    const visitor = await shop.signedIn('own');
    const form = visitor.formOf(await (await visitor.get('/my/guests/own/stop')).text(), '/my/guests/own/stop');
    expect((await visitor.post('/my/guests/own/stop', form, sent)).status).toBe(403);
    expect(shop.guests.requests).toEqual([]);
    expect((await visitor.post('/my/guests/own/stop', form)).status).toBe(303);
  });

  it("without this session's token does nothing", async () => {
    const [visitor, other] = [await shop.signedIn('own'), await shop.signedIn('foreign')];
    const form = visitor.formOf(await (await visitor.get('/my/guests/own/stop')).text(), '/my/guests/own/stop');
    const { csrf: foreign = '' } = other.formOf(await (await other.get('/my')).text(), '/my/sign-out');
    for (const csrf of ['', foreign]) expect((await visitor.post('/my/guests/own/stop', { ...form, csrf })).status).toBe(403);
    expect(shop.guests.requests).toEqual([]);
  });

  it('of the language leads to no other site', async () => {
    const visitor = shop.visitor();
    for (const back of ['https://evil.example.org', '//evil.example.org', '/my\\evil', '/v1/guests', '/my\r\nx: y'])
      expect((await visitor.post('/my/language', { language: 'ru', back })).status).toBe(400);
    expect((await visitor.post('/my/language', { language: 'ru', back: '/my' })).headers.get('location')).toBe('/my');
  });
});
