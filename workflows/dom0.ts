/** dom0: one workflow for each dom0: its ledger, and what its worker said last. */
import { allHandlersFinished, ApplicationFailure, condition, continueAsNew, defineQuery, defineUpdate, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import { DOM0_UPDATES, QUERIES } from '../contract/names.ts';
import type { Dom0Facts, Dom0State, Reservation, ReserveRequest } from '../contract/types.ts';
import { formatSize } from '../contract/sizes.ts';
import { reserve } from './ledger.ts';
import { declareVersioning } from './versioning.ts';

export const ledgerQuery = defineQuery<Dom0State>(QUERIES.ledger);
export const registerUpdate = defineUpdate<undefined, [Dom0Facts]>(DOM0_UPDATES.register);
export const reserveUpdate = defineUpdate<Reservation, [ReserveRequest]>(DOM0_UPDATES.reserve);
export const releaseUpdate = defineUpdate<undefined, [{ guest: string; order: string }]>(DOM0_UPDATES.release);
export const drainUpdate = defineUpdate<undefined, [boolean]>(DOM0_UPDATES.drain);

function describe({ host, facts, drained, promised }: Dom0State): string {
  const has = facts === undefined ? 'its worker has not registered yet' : `Xen ${facts.xenVersion}, ${formatSize(facts.memoryFreeBytes)} of memory and ${formatSize(facts.volumeGroupFreeBytes)} of ${facts.volumeGroup} free at ${facts.seenAt}`;
  return [`dom0 **${host}**${drained ? ' (drained)' : ''}: ${has}`, ...promised.map(({ guest, ip, memoryBytes }) => `- ${guest}: ${ip}, ${formatSize(memoryBytes)}`)].join('\n');
}

export async function dom0(initial: Dom0State): Promise<void> {
  let state = initial;
  const change = (next: Partial<Dom0State>): undefined => {
    state = { ...state, ...next };
    setCurrentDetails(describe(state));
    return undefined;
  };
  setHandler(ledgerQuery, () => state);
  setHandler(registerUpdate, (facts) => change({ facts }));
  setHandler(drainUpdate, (drained) => change({ drained }));
  setHandler(reserveUpdate, (request) => {
    const answer = reserve(state, request, new Date().toISOString());
    if ('type' in answer) throw ApplicationFailure.create({ type: answer.type, message: answer.message, nonRetryable: true, details: [{ field: answer.field }] });
    change({ promised: [...state.promised.filter(({ guest }) => guest !== request.guest), answer.promise] });
    return answer.reservation;
  });
  setHandler(releaseUpdate, ({ guest, order }) => change({ promised: state.promised.filter((promise) => promise.guest !== guest || promise.order !== order) }));
  change({});
  await condition(() => workflowInfo().continueAsNewSuggested);
  await condition(allHandlersFinished);
  await continueAsNew<typeof dom0>(state);
}

declareVersioning('AUTO_UPGRADE', dom0);
