/** A server made anew by its customer, on the customer's page. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { GuestStatus } from '../../../../contract/guest.ts';
import { en } from '../../../../gateway/page/texts/en.ts';
import { LANGUAGES } from '../../../../gateway/page/texts/language.ts';
import { openOwn, type Shop, type Visitor } from './visitor.ts';

let shop: Shop;
let visitor: Visitor;
beforeEach(async () => {
  ({ shop, visitor } = await openOwn());
});

const GUEST = '/my/guests/own';
const SPEC = { access: { managed: false }, network: { ip: '192.0.2.10' }, size: {}, os: { dist: 'bookworm' } };
const htmlOf = async (path: string, headers = {}): Promise<string> => (await visitor.get(path, { headers })).text();

describe('a server', () => {
  it.each([
    ['en', 7, 'kept for 7 days and then removed'],
    ['en', 0, 'kept for 1 day and then removed'],
    ['ru', 3, 'хранится 3 дня, затем удаляется'],
  ] as const)('is made anew when that was confirmed: in %s, with a grace period of %d days, "%s"', async (tag, graceDays, said) => {
    shop.guests.changes.set('own', { spec: { ...SPEC, life: { graceDays } } as unknown as NonNullable<GuestStatus['spec']> });
    const html = await htmlOf(`${GUEST}/reinstall`, { 'accept-language': tag });
    expect(html).toContain(said);
    expect(html).toContain(LANGUAGES[tag].undoReinstall.button);
    expect(html).not.toMatch(/\{\w+\}/);
    await visitor.post(`${GUEST}/reinstall`, visitor.formOf(html, `${GUEST}/reinstall`));
    expect(shop.guests.requests).toMatchObject([{ kind: 'reinstall' }]);
  });

  it('gets the system that was chosen: its own, or another of the same makers that is still mended', async () => {
    shop.guests.changes.set('own', { spec: { ...SPEC, life: { graceDays: 7 } } as unknown as NonNullable<GuestStatus['spec']> });
    const html = await htmlOf(`${GUEST}/reinstall`);
    expect(html).toContain(
      '<option value="bookworm" selected>Debian 12 (bookworm)</option><option value="trixie">Debian 13 (trixie)</option>',
    );
    expect(html).not.toContain('Ubuntu');
    const form = visitor.formOf(html, `${GUEST}/reinstall`);
    await visitor.post(`${GUEST}/reinstall`, { ...form, dist: 'trixie' });
    expect(shop.guests.requests).toMatchObject([{ kind: 'reinstall', reinstall: { dist: 'trixie' } }]);
    for (const dist of ['noble', 'sid', '../trixie'])
      expect((await visitor.post(`${GUEST}/reinstall`, { ...form, dist })).status).toBe(422);
    expect(shop.guests.requests).toHaveLength(1);
  });

  it('that was made anew has a way back, which speaks of that, and is not made anew again meanwhile', async () => {
    const kept = { role: 'former', backup: '', takenAt: '2026-01-01T00:00:00Z', diskBytes: 1, keptUntil: '2026-01-08T00:00:00Z' } as const;
    shop.guests.changes.set('own', { kept: { ...kept, system: {} as never } });
    const html = await htmlOf(GUEST);
    expect(html).toContain(en.undoReinstall.button);
    expect(html).not.toContain(en.undoRestore.button);
    expect(html).not.toContain(`${GUEST}/reinstall`);
    expect(await htmlOf(`${GUEST}/undo-restore`)).toContain(en.undoReinstall.explain);
    shop.guests.changes.set('own', { kept });
    expect(await htmlOf(`${GUEST}/undo-restore`)).toContain(en.undoRestore.explain);
  });
});
