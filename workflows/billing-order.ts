/**
 * billingOrder: one workflow for each order of billing. It takes events in any order and answers at once; its main loop then makes the
 * guest what billing wants, one thing at a time, and tries again what cannot be done yet.
 */
import { allHandlersFinished, condition, continueAsNew, defineQuery, defineSignal, defineUpdate, log, setHandler, workflowInfo } from '@temporalio/workflow';
import { BILLING, type BillingEvent, type EventAnswer, type OrderStatus } from '../contract/billing-types.ts';
import { remember, verdictOn, withProblem } from './billing-inbox.ts';
import { afterEvent, isSettled, targetOf } from './billing-rules.ts';
import { firstState, phaseOf, statusOf, type OrderState } from './billing-state.ts';
import { isOver, performStep, restMs, troubleFrom } from './billing-steps.ts';
import { showOrder } from './billing-show.ts';
import { declareVersioning } from './versioning.ts';

export const eventUpdate = defineUpdate<EventAnswer, [BillingEvent]>(BILLING.event);
export const acknowledgeUpdate = defineUpdate<OrderStatus>(BILLING.acknowledge);
export const orderStatusQuery = defineQuery<OrderStatus>(BILLING.status);
export const guestChangedSignal = defineSignal(BILLING.guestChanged);

export interface BillingOrderInput {
  readonly order: string;
  /** Name of its guest: derived from the order's id at the edge. */
  readonly guest: string;
  /** Set when it continues as new. */
  readonly carried?: OrderState;
}

class BillingOrder {
  private readonly input: BillingOrderInput;
  state: OrderState;
  /** Something came that the main loop has not looked at. */
  private isWoken = false;

  constructor(input: BillingOrderInput) {
    this.input = input;
    this.state = input.carried ?? firstState(input.order, input.guest, new Date().toISOString());
    setHandler(eventUpdate, (event) => this.take(event));
    setHandler(acknowledgeUpdate, () => this.acknowledge());
    setHandler(orderStatusQuery, () => statusOf(this.state));
    setHandler(guestChangedSignal, () => {
      this.isWoken = true;
    });
    this.show();
  }

  private take(event: BillingEvent): EventAnswer {
    const { state } = this;
    const verdict = verdictOn(state.inbox, event);
    const now = new Date().toISOString();
    if (verdict === 'conflict') {
      const message = `event ${event.id} (${event.type}) came again with another body: the second one was refused`;
      this.change({ refused: withProblem(state.refused, { at: now, type: 'EventConflict', message, event: event.id }) });
      log.warn('an event was refused: its id is known with another body', { event: event.id });
    }
    if (verdict === 'new') this.learn(event, now);
    return { event: event.id, order: this.input.order, guest: this.input.guest, verdict: verdict === 'conflict' ? 'conflict' : 'taken' };
  }

  private learn(event: BillingEvent, now: string): void {
    const { state } = this;
    const facts = afterEvent(state.facts, event);
    const changed = facts.life !== state.facts.life || JSON.stringify(targetOf(facts)) !== JSON.stringify(targetOf(state.facts));
    // Another wish is another try: what stood in the way of the former one may not stand in the way of this one.
    const { trouble: _former, lacks: _lack, ...rest } = state;
    this.state = { ...(changed ? { ...rest, tries: 0 } : state), facts, inbox: remember(state.inbox, event, now), lastEventAt: now };
    this.isWoken ||= changed;
    this.show();
  }

  private acknowledge(): OrderStatus {
    const { trouble: _seen, ...rest } = this.state;
    this.state = { ...rest, refused: [], tries: 0 };
    this.isWoken = true;
    this.show();
    return statusOf(this.state);
  }

  change(next: Partial<OrderState>): void {
    this.state = { ...this.state, ...next };
    this.show();
  }

  private show(): void {
    showOrder(this.state, phaseOf(this.state));
  }

  private get hasWork(): boolean {
    const { facts, done, pending, placing, trouble, lacks } = this.state;
    if (trouble !== undefined || lacks !== undefined) return false;
    return pending !== undefined || placing || !isSettled(targetOf(facts), done);
  }

  /** One step, then a pause as long as the step asks for; an event or a sign of the guest ends the pause. */
  private async work(): Promise<void> {
    const before = this.state;
    try {
      const { pauseMs, ...next } = await performStep(this.state);
      // An event that came meanwhile has changed other parts of the state: only what the step has changed is taken over.
      this.change(changesOf(before, next.state));
      if (pauseMs > 0) await condition(() => this.isWoken, pauseMs);
    } catch (error) {
      this.change(troubleFrom(this.state, error, new Date().toISOString()));
    }
    this.isWoken = false;
  }

  private async rest(): Promise<void> {
    const ms = restMs(this.state, Date.now());
    const isUp = (): boolean => this.isWoken || this.hasWork || workflowInfo().continueAsNewSuggested;
    const woken = ms === undefined ? await condition(isUp).then(() => true) : await condition(isUp, ms);
    const { trouble: _again, ...rest } = this.state;
    // The time is up, or somebody has pushed: what was in the way is tried again.
    if (!woken || this.isWoken) this.state = { ...rest, look: true };
    this.isWoken = false;
  }

  async run(): Promise<void> {
    while (!isOver(this.state, Date.now())) {
      if (workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        await continueAsNew<typeof billingOrder>({ ...this.input, carried: this.state });
      }
      if (this.hasWork || this.state.look) await this.work();
      else await this.rest();
    }
    await condition(allHandlersFinished);
  }
}

/** What differs, key by key. A key that has gone is given back as undefined. */
function changesOf(before: OrderState, after: OrderState): Partial<OrderState> {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof OrderState)[];
  return Object.fromEntries(keys.filter((key) => before[key] !== after[key]).map((key) => [key, after[key]])) as Partial<OrderState>;
}

export async function billingOrder(input: BillingOrderInput): Promise<void> {
  await new BillingOrder(input).run();
}

// An order lives as long as its guest: it must be able to go on with new code; changes to it are patched.
declareVersioning('AUTO_UPGRADE', billingOrder);
