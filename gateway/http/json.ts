/**
 * Parses JSON of senders. It refuses what is deeper than events are, what two parsers may read differently (a key that stands twice, a number that is too
 * large), and the key `__proto__`, which reaches into JavaScript's prototypes.
 */
import { createHash } from 'node:crypto';
import { fieldOf } from './check.ts';
import { HttpRefusal } from '../../system/http/problem.ts';

/** Stripe's deepest events have about ten levels. */
const DEEPEST = 32;

/**
 * The value of a JSON text.
 *
 * @param takesProto for senders whose keys are their customers': the key `__proto__` is then one like any other. Whoever reads it must not assign by keys
 * @throws HttpRefusal 400 when it is no JSON; 422 when it is too deep, has a key `__proto__`, a key twice in one object, or a number that is none
 */
export function parseJson(text: string, { takesProto = false }: { readonly takesProto?: boolean } = {}): unknown {
  // Checked before it is parsed: the parser's own memory grows with the depth.
  if (depthOf(text) > DEEPEST) throw new HttpRefusal(422, 'too-deep', `the body is nested deeper than ${DEEPEST} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new HttpRefusal(400, 'not-json', 'the body is no JSON');
  }
  const proto = takesProto ? undefined : whereOf(value, (_held, key) => key === '__proto__');
  if (proto !== undefined) throw bad('forbidden-key', proto, 'is a key that no object may have');
  // Parsers differ in which of two equal keys counts: a proxy that checked the event before us may have seen the other one.
  const twice = whereTwice(text);
  if (twice !== undefined) throw bad('key-twice', twice, 'stands twice in one object');
  const infinite = whereOf(value, (held) => typeof held === 'number' && !Number.isFinite(held));
  if (infinite !== undefined) throw bad('number', infinite, 'is a number that is too large to be one');
  return value;
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (isInString) {
      if (character === BACKSLASH) at += 1;
      else if (character === QUOTE) isInString = false;
    } else if (character === QUOTE) isInString = true;
    else if (character === OPEN_BRACE || character === OPEN_BRACKET) deepest = Math.max(deepest, (depth += 1));
    else if (character === CLOSE_BRACE || character === CLOSE_BRACKET) depth -= 1;
  }
  return deepest;
}

const [QUOTE, COMMA, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [34, 44, 92, 123, 125, 91, 93];

/** How many characters of a path an answer repeats at most: its end says most. */
const LONGEST_PATH = 120;

function bad(code: string, path: Path, reason: string): HttpRefusal {
  const whole = fieldOf(path);
  const field = whole.length > LONGEST_PATH ? `…${whole.slice(-LONGEST_PATH)}` : whole;
  return new HttpRefusal(422, code, `${field === '' ? 'the body' : field} ${reason}`, { field, reason });
}

/** Keys and indexes from the body to a value in it. */
type Path = readonly (string | number)[];

/** The path of the first value that matches; undefined if none does. */
function whereOf(value: unknown, isIt: (value: unknown, key: string | number | undefined) => boolean, path: Path = []): Path | undefined {
  if (isIt(value, path.at(-1))) return path;
  if (typeof value !== 'object' || value === null) return undefined;
  const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  for (const [key, held] of entries) {
    const found = whereOf(held, isIt, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** An object or list that is not closed yet, and the position in it. */
interface Open {
  /** Of an object: the keys that it has had. */
  readonly keys?: Set<string>;
  at: string | number;
}

/** The path of a key that stands twice in its object, even if it is spelt in two ways; undefined if there is none. The text must be well-formed. */
function whereTwice(text: string): Path | undefined {
  const open: Open[] = [];
  let isKeyNext = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    const inner = open.at(-1);
    if (character === OPEN_BRACE) open.push({ keys: new Set(), at: '' });
    else if (character === OPEN_BRACKET) open.push({ at: 0 });
    else if (character === CLOSE_BRACE || character === CLOSE_BRACKET) open.pop();
    else if (character === COMMA && typeof inner?.at === 'number') inner.at += 1;
    if (character === OPEN_BRACE || character === COMMA) isKeyNext = true;
    if (character !== QUOTE) continue;
    const end = endOfString(text, at);
    if (isKeyNext && inner?.keys !== undefined) {
      const key = JSON.parse(text.slice(at, end + 1)) as string;
      inner.at = key;
      if (inner.keys.has(key)) return open.map((level) => level.at);
      inner.keys.add(key);
    }
    isKeyNext = false;
    at = end;
  }
  return undefined;
}

/** The end of the string whose first quote is at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
