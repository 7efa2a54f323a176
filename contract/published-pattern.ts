/**
 * What patterns and lengths of a published JSON Schema need. It is read by engines of every kind: patterns have no flags, `[0-9]` stands for
 * `\d` (which means more digits in Python), bounds of numbers in a text are part of its pattern, and lengths are counted in code points. Pure.
 */

/** Takes no text. */
const NOTHING = '(?!)';
const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

/**
 * Pattern, without anchors, of the decimal numbers from `least` to `most` that are multiples of `step`. No leading zeros.
 *
 * @param step a divisor of 100
 */
export function numbersPattern(least: number, most: number, step = 1): string {
  const range = { least: Math.max(least, 1), most, step };
  const lengths = Array.from({ length: String(most).length }, (_, index) => index + 1);
  // Whether a number is a multiple of a divisor of 100 is said by its last two digits.
  const ending = step === 1 ? '' : multiples(step);
  const free = (length: number): number => length - 1 - (step === 1 ? 0 : 2);
  const isWhole = (length: number): boolean => free(length) >= 0 && 10 ** (length - 1) >= range.least && 10 ** length - 1 <= most;
  const whole = lengths.filter(isWhole).map(free);
  const all = [
    ...(least === 0 ? ['0'] : []),
    ...lengths.filter((length) => !isWhole(length)).flatMap((length) => branches('', length, range, DIGITS.slice(1))),
    ...(whole.length === 0 ? [] : [`[1-9]${repeated(Math.max(...whole), Math.min(...whole))}${ending}`]),
  ];
  return all.length === 0 ? NOTHING : `(?:${all.join('|')})`;
}

/** Pattern of the last two digits of a multiple. */
function multiples(step: number): string {
  return grouped(branches('', 2, { least: 0, most: 99, step }));
}

interface Range {
  readonly least: number;
  readonly most: number;
  readonly step: number;
}

/** What may follow a prefix, one branch for the digits that go on alike. */
function branches(prefix: string, left: number, range: Range, digits = DIGITS): string[] {
  const rests = new Map<string, string[]>();
  for (const digit of digits) {
    const rest = restOf(prefix + digit, left - 1, range);
    if (rest !== undefined) rests.set(rest, [...(rests.get(rest) ?? []), digit]);
  }
  return [...rests].map(([rest, alike]) => classOf(alike) + rest);
}

/** Pattern of what follows a prefix, or undefined when nothing can. */
function restOf(prefix: string, left: number, range: Range): string | undefined {
  const first = Number(prefix) * 10 ** left;
  const last = first + 10 ** left - 1;
  if (last < range.least || first > range.most) return undefined;
  if (left === 0) return first % range.step === 0 ? '' : undefined;
  const isWhole = first >= range.least && last <= range.most;
  if (isWhole && range.step === 1) return repeated(left);
  if (isWhole && left > 2) return repeated(left - 2) + multiples(range.step);
  const rest = branches(prefix, left, range);
  return rest.length === 0 ? undefined : grouped(rest);
}

function grouped(parts: readonly string[]): string {
  return parts.length === 1 ? (parts[0] ?? '') : `(?:${parts.join('|')})`;
}

function repeated(most: number, least = most): string {
  if (most === 0) return '';
  return most === least ? `[0-9]${most === 1 ? '' : `{${most}}`}` : `[0-9]{${least},${most}}`;
}

function classOf(digits: readonly string[]): string {
  if (digits.length === 1) return digits[0] ?? '';
  const [first = '', last = ''] = [digits[0], digits.at(-1)];
  return Number(last) - Number(first) === digits.length - 1 && digits.length > 2 ? `[${first}-${last}]` : `[${digits.join('')}]`;
}

/** The pattern for capitals and small letters alike. For patterns of plain words, without classes and escapes of letters. */
export function eitherCase(source: string): string {
  return source.replace(/[A-Za-z]/g, (letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`);
}

/** Whether a text has more characters than this, as JSON Schema counts them: one outside of the basic plane is one, not two. */
export function isLongerThan(text: string, most: number): boolean {
  return text.length > 2 * most || (text.length > most && Array.from(text).length > most);
}
