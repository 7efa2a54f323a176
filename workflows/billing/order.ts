/**
 * billingOrder: one workflow for each order of billing. It takes events in any order and answers at once; its main loop then makes the
 * guest what billing wants, one thing at a time, and tries again what cannot be done yet.
 */
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  log,
  setCurrentDetails,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { BILLING, type BillingEvent, type EventAnswer, type OrderPhase, type OrderStatus } from '../../contract/billing.ts';
import { SEARCH_ATTRIBUTES } from '../../contract/names.ts';
import type { BillingOrderInput } from '../../contract/workflow-inputs.ts';
import { remember, verdictOn, withProblem } from './inbox.ts';
import { afterEvent, isKnown } from './rules.ts';
import {
  nextAttempt,
  describeState,
  firstState,
  guestOf,
  hasWork,
  isOver,
  phaseOf,
  restMs,
  statusOf,
  type Heard,
  type OrderState,
  type Work,
} from './state.ts';
import { performStep } from './steps.ts';
import { problemOf } from './tell.ts';
import { onQuery, onSignal, onUpdate } from '../saga/handlers.ts';
import { ignoringCancel } from '../saga/ignore-cancel.ts';
import { declareVersioning } from '../saga/versioning.ts';

/** A run of it. */
interface BillingOrderRun extends BillingOrderInput {
  /** Set when it continues as new. */
  readonly carried?: OrderState;
}

const phaseKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.phase, 'KEYWORD');

class BillingOrder {
  private readonly input: BillingOrderRun;
  private state: OrderState;
  private shown: OrderPhase | undefined;
  /** Something has come at which the main loop has not looked yet. */
  private isWoken = false;

  constructor(input: BillingOrderRun) {
    this.input = input;
    this.state = input.carried ?? firstState(input.order, input.guest, new Date().toISOString());
    this.shown = input.carried === undefined ? undefined : phaseOf(input.carried);
    onUpdate(BILLING.event, (event) => this.take(event));
    onUpdate(BILLING.acknowledge, () => this.acknowledge());
    onQuery(BILLING.status, () => statusOf(this.state));
    onSignal(BILLING.guestChanged, () => {
      this.isWoken = true;
    });
  }

  private take(event: BillingEvent): EventAnswer {
    const { heard } = this.state;
    const verdict = verdictOn(heard.inbox, event);
    const now = new Date().toISOString();
    if (verdict === 'new') {
      this.hear({ facts: afterEvent(heard.facts, event), inbox: remember(heard.inbox, event, now), lastEventAt: now });
      this.isWoken = true;
    }
    if (verdict === 'conflict') {
      const message = `event ${event.id} (${event.type}) came again with another body: the second one was refused`;
      this.hear({ refused: withProblem(heard.refused, { at: now, type: 'EventConflict', message, event: event.id }) });
      log.warn('an event was refused: its id is known with another body', { event: event.id });
    }
    const taken = isKnown(this.state.heard.facts) ? 'taken' : 'unknown';
    return { event: event.id, order: this.input.order, guest: guestOf(this.state), verdict: verdict === 'conflict' ? 'conflict' : taken };
  }

  private acknowledge(): OrderStatus {
    this.isWoken = true;
    this.hear({ refused: [] });
    return statusOf(this.state);
  }

  private hear(heard: Partial<Heard>): void {
    this.state = { ...this.state, heard: { ...this.state.heard, ...heard } };
    this.show();
  }

  private readonly save = (work: Work): void => {
    this.state = { ...this.state, work };
    this.show();
  };

  private show(): void {
    const phase = phaseOf(this.state);
    if (phase !== this.shown) upsertSearchAttributes([{ key: phaseKey, value: phase }]);
    this.shown = phase;
    setCurrentDetails(describeState(this.state));
  }

  /** One step, and the pause that it asks for. An event, a person, or a sign of the guest ends the pause. */
  private async step(): Promise<void> {
    const now = new Date().toISOString();
    try {
      const { work, pauseMs } = await performStep(this.state, now, this.save);
      this.save(work);
      if (pauseMs > 0) await condition(() => this.isWoken, pauseMs);
    } catch (error) {
      const { work } = this.state;
      this.save({ ...work, look: false, trouble: problemOf(error, new Date().toISOString()), tries: work.tries + 1 });
    }
  }

  private async rest(): Promise<void> {
    const isUp = (): boolean => this.isWoken || workflowInfo().continueAsNewSuggested;
    const ms = restMs(this.state, Date.now());
    const isUpInTime = ms === undefined ? await condition(isUp).then(() => true) : await condition(isUp, ms);
    // The pause is over: what failed before is tried again.
    if (!isUpInTime) this.save({ ...nextAttempt(this.state.work), look: true });
  }

  async run(): Promise<void> {
    this.show();
    while (!isOver(this.state, Date.now())) {
      if (workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        await continueAsNew<typeof billingOrder>({ ...this.input, carried: this.state });
      }
      if (this.isWoken) {
        this.isWoken = false;
        this.save(nextAttempt(this.state.work));
      }
      if (hasWork(this.state)) await this.step();
      else await this.rest();
    }
    await condition(allHandlersFinished);
  }
}

export async function billingOrder(input: BillingOrderRun): Promise<void> {
  await ignoringCancel(() => new BillingOrder(input).run());
}

// An order lives as long as its guest: it must be able to go on with new code; changes to it are patched.
declareVersioning('AUTO_UPGRADE', billingOrder);
