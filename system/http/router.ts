/** Finds the route of a request. */
import { HttpRefusal } from './problem.ts';

/** What a route is given. */
export interface Call {
  readonly request: Request;
  readonly url: URL;
  /** What stands for the `:names` of the path, decoded. */
  readonly path: Readonly<Record<string, string>>;
  /** Adds fields to the request's line of log. Nothing of body, signature or token belongs there. */
  note(fields: Readonly<Record<string, unknown>>): void;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Like `/v1/guests/:name`. */
  readonly path: string;
  /** Keys that its query may have, each once. Default: none. */
  readonly query?: readonly string[];
  handle(call: Call): Promise<Response> | Response;
}

/** A route that fits, with the parts of the path that it names. */
export interface Match {
  readonly route: Route;
  readonly path: Readonly<Record<string, string>>;
}

/**
 * Finds the route.
 *
 * @throws HttpRefusal 404, or 405 with the methods that there are
 */
export function findRoute(routes: readonly Route[], method: string, pathname: string): Match {
  const fitting = routes.flatMap((route) => {
    const path = matchPath(route.path, pathname);
    return path === undefined ? [] : [{ route, path }];
  });
  if (fitting.length === 0) throw new HttpRefusal(404, 'not-found', 'there is nothing here');
  const match = fitting.find(({ route }) => route.method === method || (method === 'HEAD' && route.method === 'GET'));
  if (match !== undefined) return match;
  const allow = fitting.flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method])).join(', ');
  throw new HttpRefusal(405, 'method-not-allowed', `this takes ${allow}`, {}, { allow });
}

/** Longest key that an answer repeats. */
const LONGEST_KEY = 60;

/**
 * Checks that a query has only keys that its route knows, each once: one that is not read, or of two the one that is not, would be left out in
 * silence.
 *
 * @throws HttpRefusal 400 with the key
 */
export function checkQuery({ query: known = [] }: Route, { searchParams }: URL): void {
  const keys = [...searchParams.keys()];
  for (const [index, key] of keys.entries()) {
    const reason = !known.includes(key)
      ? `is no key of this query${known.length === 0 ? ', which has none' : `: known are ${known.join(', ')}`}`
      : keys.indexOf(key) === index
        ? undefined
        : 'stands twice in the query';
    if (reason === undefined) continue;
    const field = key.length > LONGEST_KEY ? `${key.slice(0, LONGEST_KEY)}…` : key;
    throw new HttpRefusal(400, 'bad-query', `${JSON.stringify(field)} ${reason}`, { field, reason });
  }
}

function matchPath(pattern: string, pathname: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split('/'), pathname.split('/')];
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = decodePart(given[index] ?? '');
    if (part.startsWith(':') && value !== '') found[part.slice(1)] = value;
    else if (part !== value) return undefined;
  }
  return found;
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HttpRefusal(400, 'bad-path', 'the path is not well encoded');
  }
}
