/**
 * Which backups of a guest are kept, and by which rule. Pure: the same lists give the same answer, wherever it is asked.
 *
 * A rule like `daily: 7` keeps the last backup of each of the last seven days that have one, by the calendar of the guest's time zone: a day is a date,
 * whatever its length, and a clock that was set back only puts two backups under one date. Days without a backup do not count.
 */
import { isGood, type BackupRecord, type Retention } from '../../contract/backup.ts';

/** The fields of a backup that retention looks at. */
export type Kept = Pick<BackupRecord, 'id' | 'takenAt' | 'state' | 'isProtected'>;

/** One backup, and the reasons why it stays. Without a reason it is removed. */
export interface Verdict {
  readonly id: string;
  readonly takenAt: string;
  readonly keptBy: readonly string[];
}

type Rule = keyof Retention;

/** The rules that go by the calendar. Two backups are in one bucket if `bucketOf` gives the same text for both. */
const CALENDAR: readonly (readonly [rule: Exclude<Rule, 'last'>, bucketOf: (local: Local) => string])[] = [
  ['hourly', ({ date, hour, offset }) => `${date}T${hour} ${offset}`],
  ['daily', ({ date }) => date],
  ['weekly', ({ date }) => weekOf(date)],
  ['monthly', ({ date }) => date.slice(0, -3)],
  ['yearly', ({ date }) => date.slice(0, -6)],
];

/** A time as the clocks of a time zone show it. `offset` tells the two equal hours apart that come when summer time ends. */
interface Local {
  readonly date: string;
  readonly hour: string;
  readonly offset: number;
}

/**
 * What stays of a guest's backups, and what goes.
 *
 * Whatever the rules say, these stay: protected backups, the last proven one, the last verified one and all that are newer. If no backup is verified,
 * all stay.
 *
 * @param timeZone IANA name, whose calendar counts
 * @returns one verdict a backup, newest first
 */
export function retain(backups: readonly Kept[], retention: Retention, timeZone: string): Verdict[] {
  // Two backups of one time are sorted by their ids, which follow the clock of their dom0.
  const newestFirst = [...backups].sort((a, b) => Date.parse(b.takenAt) - Date.parse(a.takenAt) || (a.id < b.id ? 1 : -1));
  const reasons = newestFirst.map((): string[] => []);
  const lastVerified = newestFirst.findIndex(isGood);
  const lastProven = newestFirst.findIndex(({ state }) => state === 'proven');
  newestFirst.forEach(({ isProtected }, index) => {
    const why = reasons[index] ?? [];
    if (isProtected === true) why.push('protected');
    if (index === lastProven) why.push('last proven');
    if (index === lastVerified) why.push('last verified');
    else if (lastVerified === -1 || index < lastVerified) why.push('nothing newer is verified');
  });
  const local = localTimes(timeZone);
  const times = newestFirst.map(({ takenAt }) => local(new Date(takenAt)));
  keep(
    'last',
    retention.last,
    times.map((_, index) => String(index)),
    newestFirst,
    reasons,
  );
  for (const [rule, bucketOf] of CALENDAR) keep(rule, retention[rule], times.map(bucketOf), newestFirst, reasons);
  return newestFirst.map(({ id, takenAt }, index) => ({ id, takenAt, keptBy: reasons[index] ?? [] }));
}

/** Ids of the backups that go, oldest first. */
export function going(verdicts: readonly Verdict[]): string[] {
  return verdicts
    .filter(({ keptBy }) => keptBy.length === 0)
    .map(({ id }) => id)
    .reverse();
}

/** Marks the newest backup of each of the first so many buckets. If a bucket holds a verified backup, only verified ones count in it. */
function keep(
  rule: Rule,
  count: number | undefined,
  buckets: readonly string[],
  backups: readonly Kept[],
  reasons: readonly string[][],
): void {
  const kept = new Map<string, number>();
  buckets.forEach((bucket, index) => {
    const before = kept.get(bucket);
    const backup = backups[index];
    const held = before === undefined ? undefined : backups[before];
    if (backup === undefined) return;
    if (held === undefined ? kept.size < (count ?? 0) : !isGood(held) && isGood(backup)) kept.set(bucket, index);
  });
  let number = 0;
  for (const index of kept.values()) {
    number += 1;
    reasons[index]?.push(`${rule} ${number} of ${count ?? 0}`);
  }
}

/** Monday of the week that a date is in: weeks of ISO 8601. */
function weekOf(date: string): string {
  const day = new Date(`${date}T00:00:00Z`);
  return new Date(day.getTime() - ((day.getUTCDay() + 6) % 7) * 86_400_000).toISOString().slice(0, 10);
}

/** If this machine does not know the time zone, UTC is used: an unknown zone must neither remove backups nor fail the prune. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const options = {
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  } as const;
  try {
    return new Intl.DateTimeFormat('en-US', { ...options, timeZone });
  } catch {
    return new Intl.DateTimeFormat('en-US', { ...options, timeZone: 'UTC' });
  }
}

function localTimes(timeZone: string): (at: Date) => Local {
  const format = formatOf(timeZone);
  return (at) => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
    const { year = '', month = '', day = '', hour = '', minute = '', second = '' } = parts;
    const date = `${year.padStart(4, '0')}-${month}-${day}`;
    const shown = Date.parse(`${date}T${hour}:${minute}:${second}Z`);
    return { date, hour, offset: Math.round((shown - at.getTime()) / 60_000) };
  };
}
