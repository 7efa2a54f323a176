/** Checks a body against a schema; what is wrong with it becomes the answer. */
import type { z } from 'zod';
import { problemsOf } from '../../order/problems.ts';
import { Refusal } from '../../system/http/problem.ts';

/** Most problems that one answer lists. */
const MOST = 20;

/** What is wrong with a request: where, why, and the value where it is no secret. */
export interface Wrong {
  readonly field: string;
  readonly value?: string;
  readonly reason: string;
}

/**
 * The checked value.
 *
 * @param where path of the value in the body. Default: it is the body
 * @throws Refusal 422 with field and reason. Values are not repeated: they may be secrets.
 */
export function check<S extends z.ZodType>(schema: S, value: unknown, where = ''): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(
    problemsOf(parsed.error, value, []).map(({ field, reason }) => ({
      field: [where, field].filter((part) => part !== '').join('.'),
      reason,
    })),
  );
}

/**
 * As `check`, for what holds no secrets beside those that orders have: values are repeated.
 *
 * @throws Refusal 422 with field, value and reason
 */
export function checkOpenly<S extends z.ZodType>(schema: S, value: unknown, knownKeys: readonly string[] = []): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(problemsOf(parsed.error, value, knownKeys));
}

/** 422, from what is known to be wrong. */
export function invalid(wrong: readonly Wrong[]): Refusal {
  const errors = wrong.slice(0, MOST);
  const [first] = errors;
  const detail = errors.map(({ field, reason }) => `${field === '' ? 'the body' : field} ${reason}`).join('; ');
  return new Refusal(422, 'invalid', detail, { ...first, errors });
}

/** How an answer names a value by its path in the body: `data.keys[0]`. */
export function fieldOf(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`)).join('');
}
