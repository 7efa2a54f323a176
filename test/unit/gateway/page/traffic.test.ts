/** A server's traffic on the customer's page. */
import { beforeEach, describe, expect, it } from 'vitest';
import { GuestflowError } from '../../../../contract/errors.ts';
import type { GuestUsage } from '../../../../contract/usage.ts';
import { en } from '../../../../gateway/page/texts/en.ts';
import { USAGE } from '../fake-guests.ts';
import { openShop, type Shop, type Visitor } from './visitor.ts';

let shop: Shop;
let visitor: Visitor;
beforeEach(async () => {
  shop = await openShop();
  for (const [name, customer] of [
    ['own', 'C-1'],
    ['foreign', 'C-2'],
  ])
    await shop.order({ name, order: `o-${name ?? ''}`, customer });
  visitor = await shop.signedIn('own');
});

const TRAFFIC = '/my/guests/own/traffic';
/** The rows of the table: month, to the server, from it, and how long the bars are. */
async function rows(usage: Partial<GuestUsage>, at: string, language = 'en'): Promise<string[][]> {
  shop.guests.usage = () => Promise.resolve({ ...USAGE, ...usage });
  // Whoever is signed in is so for some hours, and the clock of the visit is set after that.
  shop.clock.now = Date.parse(at);
  visitor = await shop.signedIn('own');
  const html = await (await visitor.get(TRAFFIC, { headers: { 'accept-language': language } })).text();
  return [...html.matchAll(/<tr><th scope="row">(.*?)<\/tr>/gs)].map(([, row = '']) =>
    row
      .replaceAll(/<meter aria-hidden="true" max="(\d+)" value="(\d+)"><\/meter>/g, ' $2/$1 ')
      .split(/(?:<[^>]+>)+/)
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  );
}

describe('the traffic of a server', () => {
  it('is led to by its page, and stands by month with bars of one scale', async () => {
    expect(await (await visitor.get('/my/guests/own')).text()).toContain(`<a href="${TRAFFIC}">${en.trafficByMonth}</a>`);
    const most = String(12 * 2 ** 30);
    expect(await rows({}, '2026-01-20T00:00:00Z')).toEqual([
      ['January 2026', '3 GiB', `${String(3 * 2 ** 30)}/${most}`, '12 GiB', `${most}/${most}`],
      ['December 2025', '1 MiB', `${String(2 ** 20)}/${most}`, '6 GiB', `${String(6 * 2 ** 30)}/${most}`],
    ]);
  });

  it('has a row for the month that runs, also before there is any', async () => {
    const [first, second] = await rows({}, '2026-02-01T00:00:00Z', 'ru');
    expect(first).toEqual(['февраль 2026 г.', '0 МиБ', `0/${String(12 * 2 ** 30)}`, '0 МиБ', `0/${String(12 * 2 ** 30)}`]);
    expect(second?.[0]).toBe('январь 2026 г.');
    expect(await rows({ months: [] }, '2026-02-01T00:00:00Z')).toEqual([['February 2026', '0 MiB', '0/1', '0 MiB', '0/1']]);
  });

  it('that is not counted yet is told so', async () => {
    shop.guests.usage = () => Promise.resolve({ months: [], diskBytes: 0, memoryBytes: 0, vcpus: 0 });
    expect(await (await visitor.get(TRAFFIC)).text()).toContain(en.trafficNotYet);
  });

  it('cannot be told while its dom0 is away: the page says so, and that of the server is there all the same', async () => {
    shop.guests.usage = () => Promise.reject(new GuestflowError('Unreachable', 'nobody serves dom0 xen1'));
    const answer = await visitor.get(TRAFFIC);
    expect(answer.status).toBe(503);
    const html = await answer.text();
    expect(html).toContain(en.errors.unreachable);
    expect(html).not.toContain('xen1');
    expect((await visitor.get('/my/guests/own')).status).toBe(200);
  });

  it('is asked of no dom0 for a server of somebody else', async () => {
    let asked = 0;
    shop.guests.usage = () => {
      asked += 1;
      return Promise.resolve(USAGE);
    };
    expect((await visitor.get('/my/guests/foreign/traffic')).status).toBe(404);
    expect((await shop.visitor().get(TRAFFIC)).status).toBe(401);
    expect(asked).toBe(0);
  });
});
