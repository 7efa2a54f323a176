/** Which backups stay, by which rule: a table. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Retention } from '../../../../contract/backup.ts';
import { going, retain, type Kept } from '../../../../workflows/backups/retention.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function taken(takenAt: string, state: Kept['state'] = 'verified', more: Partial<Kept> = {}): Kept {
  return { id: takenAt, takenAt: new Date(takenAt).toISOString(), state, ...more };
}

/** One each `every` ms from a time on. */
function row(from: string, count: number, every = DAY): Kept[] {
  return Array.from({ length: count }, (_, index) => taken(new Date(Date.parse(from) + index * every).toISOString()));
}

/** Days and hours of those that stay, oldest first. */
function kept(backups: readonly Kept[], retention: Retention, timeZone = 'UTC', length = 10): string[] {
  return retain(backups, retention, timeZone)
    .filter(({ keptBy }) => keptBy.length > 0)
    .map(({ takenAt }) => takenAt.slice(0, length))
    .reverse();
}

describe('of nightly backups stay', () => {
  it.each<[string, readonly Kept[], Retention, readonly string[]]>([
    ['the last of each of seven days', row('2026-03-01T02:00Z', 10), { daily: 7 }, ['04', '05', '06', '07', '08', '09', '10']],
    ['all, when there are fewer than days', row('2026-03-01T02:00Z', 3), { daily: 7 }, ['01', '02', '03']],
    ['the last three', row('2026-03-01T02:00Z', 10), { last: 3 }, ['08', '09', '10']],
    [
      'days that have one: those without do not count',
      [...row('2026-03-01T02:00Z', 2), ...row('2026-03-20T02:00Z', 2)],
      { daily: 3 },
      ['02', '20', '21'],
    ],
    ['the newest of a day with several', row('2026-03-01T00:00Z', 8, 6 * HOUR), { daily: 2 }, ['01', '02']],
    ['the last of a week, which begins on a Monday', row('2026-03-01T02:00Z', 16), { weekly: 3 }, ['08', '15', '16']],
    ['what any rule keeps', row('2026-03-01T02:00Z', 16), { daily: 2, weekly: 2 }, ['15', '16']],
    ['the last, whatever the rules say', row('2026-03-01T02:00Z', 3), {}, ['03']],
  ])('%s', (_, backups, retention, days) => {
    expect(kept(backups, retention).map((date) => date.slice(8))).toEqual(days);
  });

  it('the last of each month, of 28, 29, 30 and 31 days', () => {
    expect(kept(row('2027-01-01T02:00Z', 500), { monthly: 16 })).toEqual([
      ...['2027-02-28', '2027-03-31', '2027-04-30', '2027-05-31', '2027-06-30', '2027-07-31', '2027-08-31', '2027-09-30', '2027-10-31'],
      ...['2027-11-30', '2027-12-31', '2028-01-31', '2028-02-29', '2028-03-31', '2028-04-30', '2028-05-14'],
    ]);
  });

  it('the last of each year, and the last of a week that lies in two of them', () => {
    const backups = row('2026-12-28T02:00Z', 10);
    expect(kept(backups, { yearly: 2 })).toEqual(['2026-12-31', '2027-01-06']);
    expect(kept(backups, { weekly: 2 })).toEqual(['2027-01-03', '2027-01-06']);
  });

  it('the last of each hour', () => {
    expect(kept(row('2026-03-01T00:00Z', 10, HOUR / 4), { hourly: 2 }, 'UTC', 16)).toEqual(['2026-03-01T01:45', '2026-03-01T02:15']);
  });
});

describe('the calendar of the time zone counts', () => {
  it('by which one night is of another day', () => {
    // 23:30 UTC is the next day in Berlin, and the same day's afternoon in Los Angeles.
    const backups = [taken('2026-01-01T22:30Z'), taken('2026-01-01T23:30Z'), taken('2026-01-02T22:30Z')];
    expect(kept(backups, { daily: 9 }, 'UTC', 16)).toEqual(['2026-01-01T23:30', '2026-01-02T22:30']);
    expect(kept(backups, { daily: 9 }, 'Europe/Berlin', 16)).toEqual(['2026-01-01T22:30', '2026-01-02T22:30']);
    expect(kept([taken('2026-01-31T23:30Z'), taken('2026-02-01T22:30Z')], { monthly: 9 }, 'Pacific/Kiritimati')).toEqual(['2026-02-01']);
  });

  it('where summer time begins and ends: a day of 23 or 25 hours is one day', () => {
    for (const day of ['2026-03-29', '2026-10-25']) {
      const from = new Date(Date.parse(`${day}T00:00Z`) - 12 * HOUR).toISOString();
      expect(kept(row(from, 48, HOUR), { daily: 9 }, 'Europe/Berlin')).toHaveLength(3);
    }
  });

  it('where summer time ends the hour that comes twice is two, and where it begins none is missing', () => {
    expect(kept(row('2026-10-24T22:00Z', 6, HOUR), { hourly: 9 }, 'Europe/Berlin')).toHaveLength(6);
    expect(kept(row('2026-03-28T22:00Z', 6, HOUR), { hourly: 9 }, 'Europe/Berlin')).toHaveLength(6);
    // Half an hour's summer time.
    expect(kept(row('2026-04-04T12:00Z', 6, HOUR), { hourly: 9 }, 'Australia/Lord_Howe')).toHaveLength(6);
  });

  it('of a zone that has left a day out: the Samoa of December 2011', () => {
    expect(kept(row('2011-12-29T02:00Z', 4), { daily: 9 }, 'Pacific/Apia')).toHaveLength(4);
  });
});

describe('whatever the rules say', () => {
  it('one that is protected stays, and takes no place from others', () => {
    const backups = row('2026-03-01T02:00Z', 5);
    backups[0] = { ...backups[0]!, isProtected: true };
    expect(kept(backups, { daily: 2 })).toEqual(['2026-03-01', '2026-03-04', '2026-03-05']);
    expect(retain(backups, { daily: 2 }, 'UTC').at(-1)).toMatchObject({ keptBy: ['protected'] });
  });

  it('the last that was proven stays, and not those before it', () => {
    const backups = row('2026-03-01T02:00Z', 9);
    backups[0] = { ...backups[0]!, state: 'proven' };
    backups[2] = { ...backups[2]!, state: 'proven' };
    expect(kept(backups, { daily: 2 })).toEqual(['2026-03-03', '2026-03-08', '2026-03-09']);
  });

  it('nothing goes before a newer one is verified', () => {
    const backups = [...row('2026-03-01T02:00Z', 3), taken('2026-03-04T02:00Z', 'taken'), taken('2026-03-05T02:00Z', 'taken')];
    expect(kept(backups, { last: 1 })).toEqual(['2026-03-03', '2026-03-04', '2026-03-05']);
    const unverified = row('2026-03-01T02:00Z', 4).map((backup): Kept => ({ ...backup, state: 'taken' }));
    expect(kept(unverified, { last: 1 })).toHaveLength(4);
  });

  it('one that was not verified does not stand for its day where a verified one is of that day', () => {
    const backups = [
      taken('2026-03-01T02:00Z'),
      taken('2026-03-01T03:00Z', 'taken'),
      taken('2026-03-02T02:00Z'),
      taken('2026-03-03T02:00Z'),
    ];
    expect(kept(backups, { daily: 3 }, 'UTC', 16)).toEqual(['2026-03-01T02:00', '2026-03-02T02:00', '2026-03-03T02:00']);
  });

  it('a clock that was set forward and back again loses no more than a rule says', () => {
    // One night with the clock in 2031: it is the newest for years, and the others are still kept by their own days.
    const backups = [...row('2026-03-01T02:00Z', 9), taken('2031-01-01T02:00Z')];
    expect(kept(backups, { daily: 7 })).toEqual([...['04', '05', '06', '07', '08', '09'].map((day) => `2026-03-${day}`), '2031-01-01']);
    // The clock was set back by a day: two nights of one date.
    const twice = [taken('2026-03-02T02:00:00Z'), taken('2026-03-02T02:00:01Z'), taken('2026-03-03T02:00Z')];
    expect(kept(twice, { daily: 7 }, 'UTC', 19)).toEqual(['2026-03-02T02:00:01', '2026-03-03T02:00:00']);
  });
});

const anyRetention: fc.Arbitrary<Retention> = fc.record(
  Object.fromEntries(['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'].map((rule) => [rule, fc.integer({ min: 1, max: 12 })])),
  { requiredKeys: [] },
);
const anyBackups = fc.uniqueArray(
  fc.record({
    takenAt: fc.date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true }).map((at) => at.toISOString()),
    state: fc.constantFrom('taken', 'verified', 'proven'),
    isProtected: fc.constantFrom(true as const, undefined),
  }),
  { selector: ({ takenAt }) => takenAt, maxLength: 60 },
);

describe('of whatever backups', () => {
  const lists = fc.tuple(anyBackups, anyRetention, fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'America/St_Johns'));
  const withIds = (backups: readonly { takenAt: string; state: string; isProtected: true | undefined }[]): Kept[] =>
    backups.map(({ isProtected, ...rest }) => ({ id: rest.takenAt, ...rest, ...(isProtected === true ? { isProtected } : {}) }) as Kept);

  it('what has gone once changes nothing for those that stayed', () => {
    fc.assert(
      fc.property(lists, ([some, retention, zone]) => {
        const backups = withIds(some);
        const gone = new Set(going(retain(backups, retention, zone)));
        const left = backups.filter(({ id }) => !gone.has(id));
        expect(going(retain(left, retention, zone))).toEqual([]);
      }),
    );
  });

  it('the last verified, the last proven and all that are protected stay, in whatever order they are given', () => {
    fc.assert(
      fc.property(lists, ([some, retention, zone]) => {
        const backups = withIds(some);
        const gone = new Set(going(retain(backups, retention, zone)));
        expect(new Set(going(retain([...backups].reverse(), retention, zone)))).toEqual(gone);
        const newest = (is: (backup: Kept) => boolean): Kept | undefined =>
          backups.filter(is).sort((a, b) => (a.takenAt < b.takenAt ? 1 : -1))[0];
        const stay = [newest(({ state }) => state !== 'taken'), newest(({ state }) => state === 'proven')];
        for (const backup of [...stay, ...backups.filter(({ isProtected }) => isProtected === true)])
          if (backup !== undefined) expect(gone).not.toContain(backup.id);
      }),
    );
  });
});
