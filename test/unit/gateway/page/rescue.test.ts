/** A server in its rescue system, on the customer's page. */
import { beforeEach, describe, expect, it } from 'vitest';
import { en } from '../../../../gateway/page/texts/en.ts';
import { LANGUAGES } from '../../../../gateway/page/texts/language.ts';
import { openOwn, type Shop, type Visitor } from './visitor.ts';

let shop: Shop;
let visitor: Visitor;
beforeEach(async () => {
  ({ shop, visitor } = await openOwn());
});

const GUEST = '/my/guests/own';
const htmlOf = async (path: string, headers = {}): Promise<string> => (await visitor.get(path, { headers })).text();

describe('a server', () => {
  it.each(['en', 'ru'] as const)(
    'is started in its rescue system when that was confirmed, with a password that is shown once: in %s',
    async (tag) => {
      const { texts } = { texts: LANGUAGES[tag] };
      const html = await htmlOf(`${GUEST}/rescue`, { 'accept-language': tag });
      expect(html).toContain(texts.rescue.explain);
      // That the server is shut down is said, and not that it comes back at once.
      expect(html).not.toContain(texts.restarts);
      const answer = await visitor.post(`${GUEST}/rescue`, { ...visitor.formOf(html, `${GUEST}/rescue`), how: 'make' });
      const shown = /<code class="secret"[^>]*>([^<]+)<\/code>/.exec(await answer.text())?.[1] ?? '';
      expect(shown).toMatch(/^\w{20}$/);
      expect(shop.guests.requests).toMatchObject([{ kind: 'rescue', rescue: { passwordHash: expect.stringMatching(/^\$6\$/) as string } }]);
      expect(shop.guests.requests[0]).not.toHaveProperty('access');
      expect(JSON.stringify(shop.guests.requests)).not.toContain(shown);
    },
  );

  it('is not started in one with a password that is too short, which is said at its field', async () => {
    const html = await htmlOf(`${GUEST}/rescue`);
    const answer = await visitor.post(`${GUEST}/rescue`, { ...visitor.formOf(html, `${GUEST}/rescue`), how: 'own', password: 'short' });
    expect([answer.status, (await answer.text()).includes(en.errors.password)]).toEqual([422, true]);
    expect(shop.guests.requests).toEqual([]);
  });

  it('in its rescue system says so, and offers the way back, and nothing that is for its own system', async () => {
    expect(await htmlOf(GUEST)).not.toContain(`${GUEST}/unrescue`);
    shop.guests.changes.set('own', { phase: 'rescue', rescue: { since: '2026-01-01T00:00:00Z', diskBytes: 2 ** 31 } });
    const html = await htmlOf(GUEST);
    expect(html).toContain(en.inRescue);
    expect(html).toContain(`${GUEST}/unrescue`);
    for (const other of ['start', 'stop', 'reboot', 'reinstall', 'password', 'keys', 'backup'])
      expect(html).not.toContain(`${GUEST}/${other}"`);
    const asking = await htmlOf(`${GUEST}/unrescue`);
    await visitor.post(`${GUEST}/unrescue`, visitor.formOf(asking, `${GUEST}/unrescue`));
    expect(shop.guests.requests).toMatchObject([{ kind: 'unrescue' }]);
  });
});
