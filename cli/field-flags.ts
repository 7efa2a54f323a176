/** Flags that follow from the table of fields. */
import type { Field, FieldTable } from '../contract/fields.ts';

/** The flags of a table of fields, by key. */
export function flagsOf(fields: FieldTable): [key: string, flag: NonNullable<Field['flag']>][] {
  return Object.entries(fields).flatMap(([key, { flag }]): [string, NonNullable<Field['flag']>][] =>
    flag === undefined ? [] : [[key, flag]],
  );
}
