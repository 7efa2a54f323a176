/** Ordering the guest of an order, and seeing it arrive. */
import { defined } from '../../contract/defined.ts';
import type { GuestView, OrderWishes, PlanTemplate } from '../../contract/billing.ts';
import type { UnplacedOrder } from '../../contract/guest.ts';
import { billing, releaseHostname, takeHostname } from './proxies.ts';
import { targetOf } from './rules.ts';
import { guestOf, type OrderState, type Work } from './state.ts';
import { tell, tellFailure, trouble, type Save } from './tell.ts';

/** Orders the guest, once its host name is this order's. */
export async function place(state: OrderState, work: Work, save: Save): Promise<Work> {
  const { plan, wishes } = targetOf(state.heard.facts);
  const hostname = wishes?.hostname;
  if (plan === undefined || wishes === undefined || hostname === undefined) throw trouble('InvalidInput', 'the order is not complete');
  let latest = work;
  try {
    latest = await withHostname(state.order, work, hostname, (free) => {
      latest = free;
    });
    await billing.placeGuest(orderOf(state, plan, wishes));
    // If billing names another plan meanwhile, that becomes a change of this plan.
    return { ...latest, placing: true, polls: 0, done: { ...latest.done, plan: plan.plan } };
  } catch (error) {
    save(await tellFailure(state, latest, error));
    throw error;
  }
}

async function withHostname(order: string, { hostname: held, ...work }: Work, wanted: string, onReleased: Save): Promise<Work> {
  if (held === wanted) return { ...work, hostname: held };
  if (held !== undefined) await releaseHostname(held, order);
  onReleased(work);
  const holder = await takeHostname(wanted, order);
  if (holder !== undefined) throw trouble('HostnameTaken', `host name ${wanted} is held by order ${holder}`);
  return { ...work, hostname: wanted };
}

function orderOf(
  state: OrderState,
  { mayRestart: _policy, ...template }: PlanTemplate,
  { hostname, customer, sshKeys = [], sealedPassword, dist, timezone }: OrderWishes,
): UnplacedOrder {
  return {
    ...template,
    ...defined({ hostname, customer }),
    access: { ...template.access, sshKeys, ...defined({ sealedPassword }) },
    os: { ...template.os, ...defined({ dist, timezone }) },
    order: state.order,
    name: guestOf(state),
  };
}

/**
 * What came of an order that was placed.
 *
 * @throws why there is no guest
 */
export async function arrival(state: OrderState, work: Work, view: GuestView | undefined, save: Save): Promise<Work> {
  if (view !== undefined && view.phase !== 'failed' && view.phase !== 'needs-cleanup') {
    const told = await tell(
      state,
      { ...work, failureTold: false, tries: 0, polls: 0 },
      'guest.running',
      view.ip === undefined ? {} : { ip: view.ip },
    );
    save(told);
    return told;
  }
  const { type, message } = view?.error ?? { type: 'ToolFailed', message: 'the guest could not be made' };
  const error = trouble(type, message);
  save(await tellFailure(state, work, error));
  throw error;
}
