/** Whatever happens to a guest's domains and drivers: nothing is counted twice, and only what no look has seen is missing. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addReading, beginAccount, readAccount, type Account } from '../../../../../activities/dom0/traffic/account.ts';
import '../../../../fast-check.ts';

const REF = { name: 'guest1', order: 'o1' };

/** What happens, one thing after the other. `connect`: the driver in the guest connects anew, and its vif counts from zero. */
const happening = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('send' as const), vif: fc.integer({ min: 0, max: 1 }), bytes: fc.nat(2 ** 32) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('look' as const), days: fc.integer({ min: -40, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('start' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('connect' as const), vif: fc.integer({ min: 0, max: 1 }) }) },
  // The worker was killed before its last account was on the disk.
  { weight: 1, arbitrary: fc.record({ what: fc.constant('forget' as const) }) },
);

/** A guest whose truth is known: what it has sent, and what of it went with counters that nobody looked at again. */
class Guest {
  account: Account;
  sent = 0;
  lost = 0;
  private before: Account;
  private domain = 0;
  private readonly counters = [0, 0];
  private readonly seen = [0, 0];
  private seenBefore = [0, 0];
  private at = Date.UTC(2026, 0, 1);

  constructor() {
    this.account = beginAccount(REF, this.reading());
    this.before = this.account;
  }

  send(vif: number, bytes: number): void {
    this.counters[vif]! += bytes;
    this.sent += bytes;
  }

  look(days: number): void {
    this.at += days * 86_400_000;
    [this.before, this.seenBefore] = [this.account, [...this.seen]];
    this.account = addReading(this.account, this.reading());
    for (const vif of [0, 1]) this.seen[vif] = this.counters[vif]!;
  }

  begin(vifs: readonly number[], isNewDomain: boolean): void {
    if (isNewDomain) this.domain += 1;
    for (const vif of vifs) {
      this.lost += this.counters[vif]! - this.seen[vif]!;
      this.counters[vif] = 0;
      this.seen[vif] = 0;
    }
    this.keep();
  }

  /** What was counted is on the disk, as it is when a domain ends, and when a counter was seen to have begun anew. */
  keep(): void {
    [this.before, this.seenBefore] = [this.account, [...this.seen]];
  }

  forget(): void {
    this.account = this.before;
    for (const vif of [0, 1]) this.seen[vif] = this.seenBefore[vif]!;
  }

  private reading(): Parameters<typeof addReading>[1] {
    const counters = Object.fromEntries(this.counters.map((bytes, vif) => [vif, { inBytes: 0, outBytes: bytes }]));
    return { domain: `boot/${String(this.domain)}`, counters, at: new Date(this.at) };
  }
}

test('the total is what was sent, less what was sent between the last look and the end of a counter, and never more', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (life) => {
      const guest = new Guest();
      let highest = 0;
      for (const one of life) {
        if (one.what === 'send') guest.send(one.vif, one.bytes);
        else if (one.what === 'look') guest.look(one.days);
        else if (one.what === 'start') guest.begin([0, 1], true);
        else if (one.what === 'forget') guest.forget();
        // A counter that has passed its former stand before anybody looked cannot be told from one that went on.
        else {
          guest.begin([one.vif], false);
          guest.look(0);
          guest.keep();
        }
        highest = Math.max(highest, guest.account.total.outBytes);
      }
      guest.look(0);
      const { total, months } = guest.account;
      expect(total.outBytes).toBe(guest.sent - guest.lost);
      expect(highest).toBeLessThanOrEqual(guest.sent);
      expect(months.length).toBeLessThanOrEqual(13);
      expect(months.reduce((sum, { outBytes }) => sum + outBytes, 0)).toBeLessThanOrEqual(total.outBytes);
      expect(readAccount(Buffer.from(JSON.stringify(guest.account)), REF)).toEqual(guest.account);
    }),
    { numRuns: 2_000 },
  );
});
