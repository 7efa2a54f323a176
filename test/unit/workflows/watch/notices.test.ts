/** What operators are told: each thing once when it begins, and once when it is over; what belongs together at once. */
import { describe, expect, it } from 'vitest';
import type { Notice, ProblemGroup } from '../../../../contract/watch.ts';
import { afterLook, MOST_SEEN, type Seen } from '../../../../workflows/watch/notices.ts';

const MINUTE = 60_000;
const group = (kind: ProblemGroup['kind'], subjects: readonly string[], dom0 = 'xen1'): ProblemGroup => ({ kind, dom0, subjects });

/** Looks, one a minute. Returns what is told after each. */
function notices(looks: readonly (readonly ProblemGroup[])[], silentMs = 0): Notice[] {
  let seen: readonly Seen[] = [];
  return looks.map((groups, index) => {
    const after = afterLook(seen, { groups, silentMs }, index * MINUTE);
    ({ seen } = after);
    return after.notice;
  });
}

const NOTHING: Notice = { begun: [], over: [] };
const FAILED = [group('night-failed', ['guest1'])];

describe('what goes wrong', () => {
  it('is told once, and once more when it is over', () => {
    expect(notices([[], FAILED, FAILED, FAILED, [], [], []])).toEqual([
      NOTHING,
      { begun: FAILED, over: [] },
      NOTHING,
      NOTHING,
      NOTHING,
      { begun: [], over: FAILED },
      NOTHING,
    ]);
  });

  it('is not told each minute when it comes and goes', () => {
    expect(notices([FAILED, [], FAILED, [], FAILED]).slice(1)).toEqual([NOTHING, NOTHING, NOTHING, NOTHING]);
  });

  it('is told of the guests to which it happens later, without those of whom it was told', () => {
    const [, second] = notices([FAILED, [group('night-failed', ['guest1', 'guest2'])]]);
    expect(second).toEqual({ begun: [group('night-failed', ['guest2'])], over: [] });
  });

  it('is told in one notice, whatever it is and of whichever dom0', () => {
    const both = [group('needs-cleanup', ['guest1']), group('night-failed', ['guest2'], 'xen2')];
    expect(notices([both])).toEqual([{ begun: both, over: [] }]);
  });

  it('of an order that failed has no end that is told', () => {
    expect(notices([[group('guest-failed', ['guest1'])], [], [], []]).slice(1)).toEqual([NOTHING, NOTHING, NOTHING]);
  });
});

describe('a dom0 that is silent', () => {
  const silent = group('dom0-silent', ['xen1']);
  const guests = Array.from({ length: 200 }, (_, index) => `guest${String(index)}`).sort();

  it('is told of after so many minutes, and not if it is back before', () => {
    expect(notices([[silent], [silent], [silent], [silent]], 3 * MINUTE)).toEqual([
      NOTHING,
      NOTHING,
      NOTHING,
      { begun: [silent], over: [] },
    ]);
    expect(notices([[silent], [silent], [], [], []], 3 * MINUTE)).toEqual([NOTHING, NOTHING, NOTHING, NOTHING, NOTHING]);
  });

  it('with 200 guests is one notice: what its silence brings about is not told beside it', () => {
    const missed = group('night-missed', guests);
    expect(notices([[silent], [silent, missed], [silent, missed]])).toEqual([{ begun: [silent], over: [] }, NOTHING, NOTHING]);
    const after = notices([[silent, missed], [missed], [missed]]);
    expect(after[1]).toEqual({ begun: [missed], over: [] });
    expect(after[2]).toEqual({ begun: [], over: [silent] });
  });

  it('ends nothing that was told of its guests: nobody knows of them now', () => {
    expect(notices([FAILED, [silent], [silent], [silent]]).slice(2)).toEqual([NOTHING, NOTHING]);
  });

  it('and is then declared lost, is told of as lost, and neither as back nor its guests as well', () => {
    const lost = group('dom0-lost', ['xen1']);
    expect(notices([FAILED, [silent, ...FAILED], [lost], [lost], [lost]]).slice(2)).toEqual([
      { begun: [lost], over: [] },
      NOTHING,
      NOTHING,
    ]);
    expect(notices([[lost], [], []])[2]).toEqual({ begun: [], over: [lost] });
  });
});

describe('what is remembered', () => {
  it('is bounded; what is beyond it is told when others are over', () => {
    const many = (from: number): ProblemGroup[] =>
      Array.from({ length: 30 }, (_, host) =>
        group(
          'night-failed',
          Array.from({ length: 100 }, (_each, index) => `guest${String(from + index)}`),
          `xen${String(host)}`,
        ),
      );
    let seen: readonly Seen[] = [];
    for (let look = 0; look < 5; look += 1) {
      ({ seen } = afterLook(seen, { groups: many(0), silentMs: 0 }, look * MINUTE));
      expect(seen.length).toBeLessThanOrEqual(MOST_SEEN);
    }
    expect(JSON.stringify(seen).length).toBeLessThan(500_000);
  });

  it('of a group that is cut is not over because it is not named', () => {
    const cut: ProblemGroup = { ...group('night-failed', ['guest2']), more: 5 };
    expect(notices([FAILED, [cut], [cut], [cut]]).slice(2)).toEqual([NOTHING, NOTHING]);
  });
});
