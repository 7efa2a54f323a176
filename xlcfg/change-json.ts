import type { CfgChange } from './change.ts';
import { checkChange } from './change.ts';
import { ChangeError } from './errors.ts';

const MAX_DEPTH = 50;

/**
 * A change from the text of a JSON document.
 * @throws ChangeError where it is no JSON, has a key twice in one object (JSON.parse would quietly take the last), or is no change
 */
export function parseChange(json: string): CfgChange {
  let value: unknown;
  try {
    value = JSON.parse(json.replace(/^\ufeff/, ''));
  } catch (error) {
    throw new ChangeError('', `is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  refuseDoubleKeys(json);
  return checkChange(value);
}

/** The text is known to be JSON: only strings and brackets matter. */
function refuseDoubleKeys(json: string): void {
  const open: (Set<string> | undefined)[] = [];
  for (const match of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    const [token, text, colon] = match;
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (text !== undefined && colon !== undefined) addKey(open.at(-1), JSON.parse(text) as string);
    if (open.length > MAX_DEPTH) throw new ChangeError('', `is nested more than ${MAX_DEPTH} deep`);
  }
}

function addKey(keys: Set<string> | undefined, key: string): void {
  if (keys?.has(key)) throw new ChangeError(key, 'is in the change twice: which one is meant?');
  keys?.add(key);
}
