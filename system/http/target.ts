/** The target of a request, as it stood on the wire. It is refused if a proxy before us, or a URL parser after us, could read it differently. */
import { HttpRefusal } from './problem.ts';

/** Longest path with its query. The longest of ours is a cursor of 2,000 characters. */
const LONGEST = 8_192;

/** A segment that URL parsers take out of the path, together with the one before it: `.`, `..`, also with `%2e`. */
const DOT_SEGMENT = /(^|\/)(\.|%2e){1,2}(\/|$)/i;

/**
 * The URL of a path with its query. Its host is not used, since the sender chooses it.
 *
 * @throws HttpRefusal 414, or 400 with what is wrong
 */
export function urlOfTarget(target: string): URL {
  if (target.length > LONGEST)
    throw new HttpRefusal(414, 'long-target', `the path with its query is longer than ${LONGEST} characters`, {}, CLOSE);
  const reason = whyNotTarget(target);
  if (reason !== undefined) throw new HttpRefusal(400, 'bad-path', `the path ${reason}`, { field: 'path', reason }, CLOSE);
  return new URL(`http://gateway${target}`);
}

const CLOSE = { connection: 'close' };

function whyNotTarget(target: string): string | undefined {
  if (!target.startsWith('/')) return 'does not start with a slash';
  if (/[^!-~]/.test(target)) return 'has a character that must be encoded';
  if (/[\\#]/.test(target)) return 'has a backslash, or a # of a fragment: neither belongs in a request';
  if (/%(?![0-9a-f]{2})/i.test(target)) return 'has a % that encodes nothing';
  const [path = ''] = target.split('?', 1);
  // `/webhooks/../v1` would pass a proxy that lets only `/webhooks/` through.
  return DOT_SEGMENT.test(path) ? 'has a segment . or ..' : undefined;
}
