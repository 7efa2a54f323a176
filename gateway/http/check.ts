/** Checks what came against a schema; what is wrong with it becomes the answer. */
import type { z } from 'zod';
import { problemsOf, type Problem } from '../../order/problems.ts';
import { HttpRefusal } from '../../system/http/problem.ts';

/** Most problems that one answer lists. */
const MOST = 20;

/**
 * The checked value.
 *
 * @param showsValues for what holds no secrets beside those that orders have: values are repeated. Default: they are not
 * @throws HttpRefusal 422 with field and reason
 */
export function check<S extends z.ZodType>(schema: S, value: unknown, { showsValues = false } = {}): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = problemsOf(parsed.error, value, []);
  throw invalid(showsValues ? wrong : wrong.map(({ field, reason }) => ({ field, reason })));
}

/** 422, from what is known to be wrong. */
export function invalid(wrong: readonly Problem[]): HttpRefusal {
  const errors = wrong.slice(0, MOST);
  const [first] = errors;
  const detail = errors.map(({ field, reason }) => `${field === '' ? 'the body' : field} ${reason}`).join('; ');
  return new HttpRefusal(422, 'invalid', detail, { ...first, errors });
}

/** How an answer names a value by its path in the body: `data.keys[0]`. */
export function fieldOf(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`)).join('');
}
