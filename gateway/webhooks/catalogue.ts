/** What can be bought: plans, and the prices that stand for them. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { PlanTemplate } from '../../contract/billing.ts';
import { parseDocument } from '../../order/document.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { field } from '../../order/field-schemas.ts';
import { checkOrder } from '../../order/order.ts';
import type { Plans } from '../../order/plans.ts';
import { problemsError, problemsOf, suggestion } from '../../order/problems.ts';

export interface Catalogue {
  /** All that a plan decides of an order; undefined when there is no such plan. */
  plan(name: string): PlanTemplate | undefined;
  /** The plan that a price pays for; undefined when the price is not a guest's. */
  price(id: string): PlanTemplate | undefined;
  /** Whether there is a file of prices: without one the names of plans decide. */
  readonly hasPrices: boolean;
  readonly plans: Plans;
}

/**
 * The catalogue of these plans.
 *
 * @param prices names of plans by ids of prices
 * @param mayRestart whether a guest may be restarted when its plan changes
 */
export function createCatalogue(plans: Plans, prices: ReadonlyMap<string, string>, mayRestart = true): Catalogue {
  const templates = new Map([...plans.keys()].map((name) => [name, templateOf(plans, name, mayRestart)]));
  for (const [price, plan] of prices) {
    if (!templates.has(plan))
      throw new GuestflowError(
        'InvalidInput',
        `the file of prices: price ${price} stands for plan ${plan}, which is no plan${suggestion(plan, [...plans.keys()])}`,
        { field: price },
      );
  }
  return { plan: (name) => templates.get(name), price: (id) => templates.get(prices.get(id) ?? ''), hasPrices: prices.size > 0, plans };
}

function templateOf(plans: Plans, plan: string, mayRestart: boolean): PlanTemplate {
  const { order: _order, name: _name, dom0: _dom0, ...template } = checkOrder({ name: 'any-guest', plan }, { plans });
  const { sshKeys: _keys, ...access } = template.access;
  return { ...template, access, mayRestart };
}

const pricesSchema = z.strictObject(
  { prices: z.record(z.string().min(1).max(128), field.plan, { error: 'must be a list of plans by price' }) },
  { error: 'must be a document with the key prices' },
);

/**
 * Reads a file of prices: `prices: {price_1abc: small}`.
 *
 * @throws GuestflowError InvalidInput
 */
export async function loadPrices(path: string): Promise<ReadonlyMap<string, string>> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new GuestflowError(
      'InvalidInput',
      `the file of prices ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { field: 'prices' },
    );
  });
  const raw = parseDocument(bytes, path);
  const parsed = pricesSchema.safeParse(raw);
  if (!parsed.success) throw problemsError(path, problemsOf(parsed.error, raw, ['prices']));
  return new Map(Object.entries(parsed.data.prices));
}
