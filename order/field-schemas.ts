/**
 * Schemas of fields, made from the table of fields, with errors in words for people. They read orders and plans. Workflow code must not load them:
 * with zod, a workflow takes ten times the memory.
 */
import { z } from 'zod';
import * as check from '../contract/field-checks.ts';
import { FIELDS, type Field } from '../contract/fields.ts';
import type { FieldOf, Fields } from '../contract/field-types.ts';
import { isLongerThan } from '../contract/published-pattern.ts';
import { parseSize } from '../contract/sizes.ts';

/** Longest text of any field; longer ones are refused before a pattern looks at them. */
const LONGEST = 4_096;

/** Text that passes a check; numbers get a hint, because YAML reads `order: 17` as one, and `plan:` as nothing. */
export function text(whyNot: check.Check): z.ZodType<string> {
  const whyNoText = (input: unknown): string => {
    if (input === undefined) return 'is missing';
    if (input === null) return 'is empty: give a value';
    return typeof input === 'number' ? (whyNot(String(input)) ?? 'must be text: write it in quotes') : 'must be text';
  };
  return z.string({ error: ({ input }) => whyNoText(input) }).superRefine((value, context) => {
    const reason = isLongerThan(value, LONGEST) ? `is longer than ${LONGEST} characters` : whyNot(value);
    if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
  });
}

function choice(values: readonly [string, ...string[]]): z.ZodType<string> {
  return z.enum(values, { error: `must be one of ${values.join(', ')}` });
}

function whole(kind: keyof typeof check.COUNT_BOUNDS): z.ZodType<number> {
  const [least, most] = check.COUNT_BOUNDS[kind];
  const message = `must be a whole number from ${least} to ${most}`;
  const error = (issue: { input?: unknown }): string => (issue.input === undefined ? 'is missing' : message);
  return z.int({ error }).min(least, { error: message }).max(most, { error: message });
}

/** The error if there is something else where an object is expected. */
export function notObject(message: string): { error: (issue: { code: string }) => string | undefined } {
  return { error: ({ code }) => (code === 'invalid_type' ? message : undefined) };
}

const yesOrNo = z.boolean({ error: 'must be true or false' });

/** A size as people write it; becomes bytes. Numbers are refused: they could be bytes, MiB or GiB. */
function size(kind: keyof typeof check.SIZE_BOUNDS, form: Field['form']): z.ZodType<number> {
  return z
    .unknown()
    .superRefine((value, context) => {
      const reason =
        value === undefined
          ? 'is missing'
          : typeof value === 'number' || typeof value === 'string'
            ? check.whyNotSize(kind)(String(value))
            : 'must be a size, like 8GiB';
      if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
    })
    .meta(form)
    .transform((value) => parseSize(String(value)) ?? z.NEVER);
}

function list<T>(item: z.ZodType<T>, most: number, what: string): z.ZodType<T[]> {
  return z.array(item, { error: `must be a list of ${what}` }).max(most, { error: `has more than ${most} ${what}` });
}

type Listed = Extract<Field['value'], { is: 'list' }>;

/** If the field allows it, one text is split at its blanks. */
function listOf({ item, most, what, mayBeText }: Listed): z.ZodType<string[]> {
  const one = text(item.whyNot).meta(item.form);
  const all = list(item.normal === undefined ? one : one.transform(item.normal), most, what);
  return mayBeText === true
    ? z.preprocess((value) => (typeof value === 'string' ? value.split(' ').filter((word) => word !== '') : value), all)
    : all;
}

type Counted = Extract<Field['value'], { is: 'counts' }>;

function countsOf({ keys }: Counted): z.ZodType<Record<string, number>> {
  const shape = Object.entries(keys).map(([key, { bounds, form }]) => [key, z.exactOptional(whole(bounds).meta(form))]);
  const message = `must be {${Object.keys(keys)
    .map((key) => `${key}: N`)
    .join(', ')}}, or some of these`;
  return z
    .strictObject(Object.fromEntries(shape) as Record<string, z.ZodType<number>>, notObject(message))
    .refine((counts) => Object.keys(counts).length > 0, message);
}

/** The schema of one field as people write it. Its output is what is kept. */
export function schemaOf({ value, form }: Field): z.ZodType {
  switch (value.is) {
    case 'text': {
      const written = text(value.whyNot).meta(form);
      return value.normal === undefined ? written : written.transform(value.normal);
    }
    case 'choice':
      return choice(value.values).meta(form);
    case 'size':
      return size(value.bounds, form);
    case 'count':
      return whole(value.bounds).meta(form);
    case 'yes or no':
      return yesOrNo.meta(form);
    case 'list':
      return listOf(value).meta(form);
    case 'counts':
      return countsOf(value).meta(form);
  }
}

/** The schema of each field. */
export const field = Object.fromEntries(Object.entries(FIELDS).map(([key, one]) => [key, schemaOf(one)])) as {
  readonly [K in keyof Fields]: z.ZodType<FieldOf<K>>;
};
