/** What a guest does when its dom0 is lost for good, or found again. */
import { condition, log, type ApplicationFailure } from '@temporalio/workflow';
import { defined } from '../../contract/defined.ts';
import type { Dom0Lost, GuestPhase, GuestRef } from '../../contract/guest.ts';
import { rootFailure } from '../saga/operation.ts';
import { control } from '../saga/proxies.ts';
import { refuse } from './at-work.ts';
import type { OperationChild } from './child.ts';
import { foundAgain, heard, isNews, lostFor, whyLost } from './lost.ts';
import { nightlyOf } from './operations/shared.ts';
import type { GuestState } from './state.ts';

/** How long an operation that was ended is waited for, before it is ended again. */
const END_AGAIN_MS = 20_000;

/** What the loss of a dom0 changes in a guest. */
interface GuestOnDom0 {
  readonly ref: GuestRef;
  readonly child: OperationChild;
  state: GuestState;
  setPhase(phase: GuestPhase): void;
}

/** Whether its dom0 was lost, and that is still to be heeded. */
export function isToBeLost({ state }: GuestOnDom0): boolean {
  return isNews(state) && state.lost?.isFound !== true;
}

/** Its dom0 is lost, or was found again. What is being done on it ends at once, wherever it stands: neither it nor its undo could go on. */
export async function hearOfDom0(guest: GuestOnDom0, what: Dom0Lost): Promise<void> {
  const { running } = guest.child;
  guest.state = heard(guest.state, what);
  if (running === undefined || !isToBeLost(guest)) return;
  const { workflowId } = running;
  const isOver = (): boolean => guest.child.running?.workflowId !== workflowId;
  // What has just begun may not be there yet for Temporal.
  while (!isOver()) {
    await orWarning(() => control.endOperation({ workflowId, reason: `dom0 ${what.dom0} is lost` }));
    await condition(isOver, END_AGAIN_MS);
  }
}

/** At rest: the guest is lost from now on, or what it was before. An order that was not carried out yet is over, and gives back what it had. */
export async function heedDom0(guest: GuestOnDom0): Promise<void> {
  const { state, ref } = guest;
  const { spec } = state;
  if (state.lost?.isFound === true) {
    const scheduleId = spec === undefined ? undefined : await orWarning(() => control.scheduleNightly(nightlyOf(spec)));
    guest.state = { ...foundAgain(guest.state), ...defined({ scheduleId }) };
  } else {
    await orWarning(() => control.unscheduleNightly(ref));
    if (spec === undefined) await orWarning(() => control.release(ref));
    guest.state = lostFor(guest.state, guest.child.last);
  }
  guest.setPhase(guest.state.phase);
}

/** The failure of an operation that was ended with its dom0. */
export function lostFailure(state: GuestState): ApplicationFailure {
  return refuse('Unreachable', `it was ended, and not undone: ${whyLost('start', state) ?? ''}`);
}

/** What of Temporal could not be changed now, an audit finds later; the guest's workflow must not end of it. */
async function orWarning<T>(work: () => Promise<T>): Promise<T | undefined> {
  return work().catch((error: unknown) => {
    log.warn('after the loss of a dom0, something could not be changed in Temporal', { reason: rootFailure(error).message });
    return undefined;
  });
}
