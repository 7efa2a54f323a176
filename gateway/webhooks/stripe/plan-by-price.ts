/** The plan that a subscription's prices stand for. */
import type { BadWish, PlanTemplate } from '../../../contract/billing.ts';
import type { Catalogue } from '../catalogue.ts';
import { pricesBefore, pricesOfSubscription, type Prices, type StripeObject, type SubscriptionPrices } from './shape.ts';
import { changeOf, isChange, shown, type Before, type Said } from './wishes.ts';

/** The plans that these prices stand for, each once. */
export function plansOf({ ids }: Prices, catalogue: Catalogue): PlanTemplate[] {
  return [...new Set(ids.map((price) => catalogue.price(price)).filter((plan) => plan !== undefined))];
}

/** The plan that is paid for; where prices stand for none, or for two, the last known plan stays. */
export function planByPrice(object: StripeObject, catalogue: Catalogue, before: Before): Said {
  const prices = pricesOfSubscription(object);
  const change = changeOf(stateOf(prices), before, () => stateOf(pricesBefore(object, before.attributes ?? {})));
  const changes = { plan: change };
  if (prices.ids.length === 0 && !prices.isEmptied) return isChange(change) ? { changes } : {};
  const [plan, another] = plansOf(prices, catalogue);
  const bad = whyNotOne(prices, [plan, another]) ?? whyNotOnce(prices, catalogue);
  return { changes, ...(plan !== undefined && another === undefined ? { plan } : {}), ...(bad === undefined ? {} : { bad: [bad] }) };
}

/** Ids with their quantities; a quantity of one is not said. */
function stateOf({ ids, quantities }: SubscriptionPrices): string[] {
  return ids.map((price) => (quantities[price] === undefined ? price : `${price} * ${quantities[price]}`));
}

function whyNotOne(prices: SubscriptionPrices, [plan, another]: readonly (PlanTemplate | undefined)[]): BadWish | undefined {
  if (prices.isEmptied)
    return {
      field: 'plan',
      reason: 'is paid for no longer: the subscription goes on, and no item of it is bought',
      mend: 'end the subscription, or set the quantity of its item to 1',
    };
  if (plan === undefined)
    return {
      field: 'plan',
      reason: `is not known: price ${prices.ids.map(shown).join(', ')} stands for none`,
      mend: 'add the price to the file of prices (SIGHUP reads it anew), then change anything of the subscription',
    };
  if (another === undefined) return undefined;
  return {
    field: 'plan',
    reason: `is not one: the subscription has prices of ${plan.plan} and of ${another.plan}`,
    mend: 'leave one of the items in the subscription: it is for one guest',
  };
}

/** What is paid for twice is made once: somebody must know. */
function whyNotOnce({ quantities }: SubscriptionPrices, catalogue: Catalogue): BadWish | undefined {
  const many = Object.entries(quantities).find(([price]) => catalogue.price(price) !== undefined);
  if (many === undefined) return undefined;
  return {
    field: 'plan',
    reason: `is paid for ${many[1]} times (price ${shown(many[0])}), and one guest is made: a subscription is for one`,
    mend: 'set the quantity to 1, and sell each further guest by a subscription and an order of its own',
  };
}
