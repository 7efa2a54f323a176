/** docs/order-fields.md, as it follows from the table of fields. A test holds the page against it; `npx vitest run … -u` writes it. */
import type { Field, FieldTable } from '../contract/fields.ts';

const GROUPS: Readonly<Record<Field['group'], string>> = {
  identity: 'Who it is',
  size: 'Its size',
  os: 'Its system',
  network: 'Its network',
  access: 'Who gets in',
  storage: 'Its disk',
  backup: 'Its backups',
  life: 'Its life',
};

function planCell({ plan }: Field): string {
  if (plan === undefined) return '–';
  if (plan === 'required') return 'must be given';
  return plan === 'optional' ? 'may be given' : `\`${JSON.stringify(plan.byDefault).replaceAll('"', '')}\``;
}

function rowOf(key: string, field: Field): string {
  const { order, flag, form } = field;
  const described = typeof form['description'] === 'string' ? form['description'] : '';
  const says = order?.says ?? described;
  return `| \`${key}\` | ${says} | ${order?.byDefault ?? 'not in orders'} | ${flag === undefined ? '–' : `\`${flag.option}\``} | ${planCell(field)} |`;
}

export function orderFieldsPage(fields: FieldTable): string {
  const sections = Object.entries(GROUPS).flatMap(([group, title]) => {
    const rows = Object.entries(fields).filter(([, field]) => field.group === group);
    const head = ['| Key | Holds | In an order, by default | Flag of `provision` | In a plan, by default |', '|---|---|---|---|---|'];
    return ['', `## ${title}`, '', ...head, ...rows.map(([key, field]) => rowOf(key, field))];
  });
  return [
    '# The fields of orders and plans',
    '',
    'For who writes an order or a plan: every key, what it holds, and what it is when it is left out. How orders work is in [ordering](ordering.md).',
    'This page is made of `contract/fields.ts`, the table that checks them.',
    ...sections,
    '',
  ].join('\n');
}
