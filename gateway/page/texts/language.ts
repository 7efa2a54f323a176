/** Which language a page is in, and what depends on it: texts, dates, sizes. */
import { cookie, readCookie } from '../sessions.ts';
import { en, type Texts } from './en.ts';
import { ru } from './ru.ts';

/** By the tags that browsers use. The first one is taken where a browser asks for none of them. */
export const LANGUAGES = { en, ru } as const satisfies Readonly<Record<string, Texts>>;
export type LanguageTag = keyof typeof LANGUAGES;
export const LANGUAGE_TAGS = Object.keys(LANGUAGES) as readonly LanguageTag[];

const COOKIE = '__Host-guestflow-language';
const YEAR_SECONDS = 31_536_000;
const GIB = 2 ** 30;
const MIB = 2 ** 20;

export interface Language {
  readonly tag: LanguageTag;
  readonly texts: Texts;
  /** A time in words of this language, in UTC, to the minute. */
  readonly time: (iso: string) => string;
  /** `2026-01` as the month and the year. */
  readonly month: (month: string) => string;
  /** A size in the largest unit that leaves a whole number, or with one digit behind the point. */
  readonly size: (bytes: number) => string;
  /** A number of days, with the word for it. */
  readonly days: (days: number) => string;
}

/** Puts values into a text: `{time}`. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
}

export function isLanguage(tag: string | undefined): tag is LanguageTag {
  return tag !== undefined && Object.hasOwn(LANGUAGES, tag);
}

/** The language that was chosen by the switch, else the first that the browser asks for and that there is. */
export function languageOf(request: Request): Language {
  const chosen = readCookie(request, COOKIE);
  return language(isLanguage(chosen) ? chosen : acceptedBy(request.headers.get('accept-language') ?? ''));
}

/** The value of `Set-Cookie` that keeps a choice. */
export function languageCookie(tag: LanguageTag): string {
  return cookie(COOKIE, tag, YEAR_SECONDS);
}

export function language(tag: LanguageTag): Language {
  const times = new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });
  const months = new Intl.DateTimeFormat(tag, { month: 'long', year: 'numeric', timeZone: 'UTC' });
  const numbers = new Intl.NumberFormat(tag, { maximumFractionDigits: 1 });
  const days = new Intl.NumberFormat(tag, { style: 'unit', unit: 'day', unitDisplay: 'long' });
  const [gib, mib] = tag === 'ru' ? ['ГиБ', 'МиБ'] : ['GiB', 'MiB'];
  return {
    tag,
    texts: LANGUAGES[tag],
    time: (iso) => `${times.format(new Date(iso))} UTC`,
    month: (month) => months.format(new Date(`${month}-01T00:00:00Z`)),
    size: (bytes) => (bytes >= GIB ? `${numbers.format(bytes / GIB)} ${gib}` : `${numbers.format(bytes / MIB)} ${mib}`),
    days: (count) => days.format(count),
  };
}

/** By the weights of `Accept-Language`; a header of anybody's making. */
function acceptedBy(header: string): LanguageTag {
  const wishes = header
    .slice(0, 500)
    .split(',')
    .map((part) => {
      const [range = '', ...parameters] = part.trim().toLowerCase().split(';');
      const weight = Number(
        parameters
          .find((parameter) => parameter.trim().startsWith('q='))
          ?.trim()
          .slice(2) ?? 1,
      );
      return { tag: range.split('-', 1)[0], weight: Number.isNaN(weight) ? 0 : weight };
    })
    .filter(({ tag, weight }) => isLanguage(tag) && weight > 0)
    .sort((a, b) => b.weight - a.weight);
  const [first] = wishes;
  return isLanguage(first?.tag) ? first.tag : 'en';
}
