/** Checks a body against a schema; what is wrong with it becomes the answer. */
import type { z } from 'zod';
import { Refusal } from './problem.ts';

/** Most problems that one answer lists. */
const MOST = 20;

/**
 * The checked value.
 *
 * @param where path of the value in the body. Default: it is the body
 * @throws Refusal 422 with field and reason. Values are not repeated: they may be secrets.
 */
export function check<S extends z.ZodType>(schema: S, value: unknown, where = ''): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues
    .slice(0, MOST)
    .map(({ path, message }) => ({ field: fieldOf(where === '' ? path : [where, ...path]), reason: message }));
  throw invalid(errors);
}

/** 422, from what is known to be wrong. */
export function invalid(errors: readonly { readonly field: string; readonly reason: string }[]): Refusal {
  const [first] = errors;
  const detail = errors.map(({ field, reason }) => `${field === '' ? 'the body' : field} ${reason}`).join('; ');
  return new Refusal(422, 'invalid', detail, { ...(first === undefined ? {} : { field: first.field, reason: first.reason }), errors });
}

function fieldOf(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`)).join('');
}
