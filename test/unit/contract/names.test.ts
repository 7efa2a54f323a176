import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { whyNotGuestName } from '../../../contract/guest-name.ts';

describe("a guest's name", () => {
  it.each(['guest1', 'a', '1a', 'web-01', 'db.example.org', 'a.b-c.d', 'x'.repeat(63)])('%s is taken', (name) => {
    expect(whyNotGuestName(name)).toBeUndefined();
  });

  it.each([
    ['', /empty/],
    ['../x', /host name/],
    ['a/b', /host name/],
    ['a b', /host name/],
    ['a_b', /host name/],
    ['-a', /host name/],
    ['a-', /host name/],
    ['a..b', /host name/],
    ['a\n', /host name/],
    ['Guest1', /capitals.*"guest1"/],
    ['17', /domain id/],
    ['10.0.0.1', /address/],
    ['snapshot-db', /LVM/],
    ['snapshot', /LVM/],
    ['pvmove0', /LVM/],
    ['del-web', /wiped/],
    ['dom0', /reserved/],
    ['x'.repeat(64), /64 characters/],
    ['a-'.repeat(30).concat('b-b'), undefined],
    ['--', /host name/],
    ['ä', /host name/],
    ['guest\u0000', /host name/],
  ])('%j is judged', (name, reason) => {
    const why = whyNotGuestName(name);
    if (reason === undefined) expect(why).toBeUndefined();
    else expect(why).toMatch(reason);
  });

  it("that is taken can be a path's last part, an argument and a word, whatever was tried", () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => whyNotGuestName(name) !== undefined || /^[a-z0-9][a-z0-9.-]*$/.test(name)),
    );
  });
});
