/** Parses JSON of senders: no deeper than events are, and without the key that reaches into JavaScript's prototypes. */
import { createHash } from 'node:crypto';
import { Refusal } from './problem.ts';

/** Stripe's deepest events have about ten levels. */
const DEEPEST = 32;

/**
 * The value of a JSON text.
 *
 * @throws Refusal 400 when it is no JSON, 422 when it is too deep or has a key `__proto__`
 */
export function parseJson(text: string): unknown {
  // Looked at before it is parsed: the parser's own memory grows with the depth.
  if (depthOf(text) > DEEPEST) throw new Refusal(422, 'too-deep', `the body is nested deeper than ${DEEPEST} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'not-json', 'the body is no JSON');
  }
  if (hasProto(value)) throw new Refusal(422, 'forbidden-key', 'the body has a key __proto__', { field: '__proto__' });
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

const [QUOTE, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [34, 92, 123, 125, 91, 93];

function hasProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasProto);
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
