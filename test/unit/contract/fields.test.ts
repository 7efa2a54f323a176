/** One table of fields: all that reads, checks, keeps, offers and documents them follows from it. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { addFieldFlags } from '../../../cli/commands/provision.ts';
import { orderFromFlags } from '../../../cli/order-input.ts';
import { FIELDS, keptName, type FieldTable } from '../../../contract/fields.ts';
import { orderShape } from '../../../order/order.ts';
import { planShape } from '../../../order/plans.ts';
import { guestOrderWireSchema, keptSchema } from '../../../contract/wire.ts';
import { orderFieldsPage } from '../../../scripts/order-fields.ts';

it('docs/order-fields.md has every field as the table has it', async () => {
  await expect(orderFieldsPage(FIELDS)).toMatchFileSnapshot('../../../docs/order-fields.md');
});

it('no two fields are kept under one name', () => {
  const names = Object.entries(FIELDS).flatMap(([key, field]) => keptName(key, field) ?? []);
  expect(new Set(names).size).toBe(names.length);
});

it('a name that a line of a file cannot bear is refused wherever it is kept', () => {
  const breaking = '\nroot::0:0';
  const taken = (shape: Record<string, unknown>, path: string): string[] =>
    Object.entries(shape).flatMap(([key, schema]) =>
      schema instanceof z.ZodObject
        ? taken(schema.shape, `${path}${key}.`)
        : (schema as z.ZodType).safeParse(breaking).success
          ? [`${path}${key}`]
          : [],
    );
  expect(taken(guestOrderWireSchema.shape, '')).toEqual([]);
});

describe('a field that is added to the table, and nowhere else,', () => {
  const table: FieldTable = {
    ...FIELDS,
    colour: {
      group: 'life',
      value: { is: 'choice', values: ['red', 'green'] },
      form: { description: 'Colour of the guest.' },
      order: { says: '`red` or `green`', byDefault: 'plan' },
      plan: { byDefault: 'green' },
      keptAs: 'paint',
      flag: { option: '--colour <COLOUR>', says: 'red or green' },
    },
  };

  it('is a key of orders, with words for who gets it wrong', () => {
    const schema = z.strictObject(orderShape(table));
    expect(schema.parse({ name: 'guest1', colour: 'red' })).toEqual({ name: 'guest1', colour: 'red' });
    expect(schema.safeParse({ name: 'guest1', colour: 'blue' }).error?.issues).toMatchObject([
      { path: ['colour'], message: 'must be one of red, green' },
    ]);
  });

  it('is a key of plans, with its default', () => {
    const plan = { memory: '512MiB', vcpus: 1, disk: '2GiB', swap: '128MiB' };
    expect(z.strictObject(planShape(table)).parse(plan)).toMatchObject({ colour: 'green' });
  });

  it('is checked again by the dom0, in its group and under the name by which it is kept', () => {
    const { life } = keptSchema(table).shape as unknown as { life: z.ZodObject };
    const checked = (paint?: string): boolean => life.safeParse({ graceDays: 7, paint }).success;
    expect([checked('red'), checked('blue'), checked()]).toEqual([true, false, false]);
  });

  it('is a flag of the command line, and what it says comes into the order', async () => {
    const command = addFieldFlags(new Command(), table);
    command.parse(['--colour', 'red'], { from: 'user' });
    expect(command.helpInformation()).toContain('--colour <COLOUR>');
    const { stdin, stdout, stderr } = process;
    expect(
      await orderFromFlags({ stdin, stdout, stderr, env: {}, onInterrupt: () => () => undefined }, 'guest1', command.opts(), table),
    ).toEqual({ name: 'guest1', colour: 'red' });
  });

  it('is in the docs', () => {
    expect(orderFieldsPage(table)).toContain('| `colour` | `red` or `green` | plan | `--colour <COLOUR>` | `green` |');
  });
});
