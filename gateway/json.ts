/**
 * Parses JSON of senders: no deeper than events are, without what JavaScript's parser and another one may read differently (a key that
 * stands twice, a number beyond all numbers), and without the key that reaches into JavaScript's prototypes.
 */
import { createHash } from 'node:crypto';
import { Refusal } from './problem.ts';

/** Stripe's deepest events have about ten levels. */
const DEEPEST = 32;

/**
 * The value of a JSON text.
 *
 * @param takesProto for senders whose keys are their customers': the key `__proto__` is then one like any other. Whoever reads it must not assign by keys
 * @throws Refusal 400 when it is no JSON; 422 when it is too deep, has a key `__proto__`, a key twice in one object, or a number that is none
 */
export function parseJson(text: string, { takesProto = false }: { readonly takesProto?: boolean } = {}): unknown {
  // Looked at before it is parsed: the parser's own memory grows with the depth.
  if (depthOf(text) > DEEPEST) throw new Refusal(422, 'too-deep', `the body is nested deeper than ${DEEPEST} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'not-json', 'the body is no JSON');
  }
  if (!takesProto && hasProto(value)) throw new Refusal(422, 'forbidden-key', 'the body has a key __proto__', { field: '__proto__' });
  // Which of the two counts is every reader's own choice: whoever checked the event before us may have seen the other one.
  if (hasKeyTwice(text)) throw new Refusal(422, 'key-twice', 'an object of the body has one key twice');
  if (hasInfinity(value)) throw new Refusal(422, 'number', 'the body has a number that is too large to be one');
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

function hasProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasProto);
}

function hasInfinity(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasInfinity);
}

/** Whether an object of a JSON text has a key twice, be it written in two ways. The text is well-formed. */
function hasKeyTwice(text: string): boolean {
  /** Keys of the objects that are open; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === OPEN_BRACE) open.push(new Set());
    else if (character === OPEN_BRACKET) open.push(undefined);
    else if (character === CLOSE_BRACE || character === CLOSE_BRACKET) open.pop();
    if (character === OPEN_BRACE || character === COMMA) isKeyNext = true;
    if (character !== QUOTE) continue;
    const end = endOfString(text, at);
    const keys = open.at(-1);
    if (isKeyNext && keys !== undefined) {
      const size = keys.size;
      if (keys.add(JSON.parse(text.slice(at, end + 1)) as string).size === size) return true;
    }
    isKeyNext = false;
    at = end;
  }
  return false;
}

/** Where the string ends whose first quote stands at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}

/** A value's text that is the same whatever the order of its keys. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return value === undefined ? 'null' : JSON.stringify(value);
  return `{${Object.entries(value)
    .filter(([, held]) => held !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, held]) => `${JSON.stringify(key)}:${canonical(held)}`)
    .join(',')}}`;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
