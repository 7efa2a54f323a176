/** network: one workflow for each address range: who has which address. */
import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Lease, LeaseRequest, NetworkJoin, NetworkState } from '../../contract/capacity-types.ts';
import { NETWORK_UPDATES, QUERIES } from '../../contract/names.ts';
import { ignoringCancel } from '../saga/ignore-cancel.ts';
import type { Refusal } from './ledger.ts';
import { holderOfMac, joined, lease, newNetwork, replaced, returned, withOtherMac } from './leases.ts';
import { declareVersioning } from '../saga/versioning.ts';

export const leasesQuery = defineQuery<NetworkState>(QUERIES.leases);
export const macHolderQuery = defineQuery<string | undefined, [string]>(QUERIES.macHolder);
export const joinUpdate = defineUpdate<undefined, [NetworkJoin]>(NETWORK_UPDATES.join);
export const leaseUpdate = defineUpdate<Lease, [LeaseRequest]>(NETWORK_UPDATES.lease);
export const returnUpdate = defineUpdate<undefined, [{ guest: string; order: string }]>(NETWORK_UPDATES.release);
export const replaceUpdate = defineUpdate<Lease, [{ guest: string; order: string; ip: string; dom0: string }]>(NETWORK_UPDATES.replace);
export const changeMacUpdate = defineUpdate<Lease, [{ guest: string; order: string; mac: string }]>(NETWORK_UPDATES.changeMac);

export interface NetworkInput {
  readonly cidr: string;
  readonly gateway: string;
  /** Set when it continues as new. */
  readonly carried?: NetworkState;
}

/** Leases named in the details; all are in the query. */
const SHOWN = 50;

function describe({ cidr, settings, members, leases, quarantined, taken }: NetworkState): string {
  const counts = `${leases.length} leased, ${quarantined.length} in quarantine, ${taken.length} taken by others`;
  return [
    `network **${cidr}**, gateway ${settings.gateway}: ${counts}`,
    `- reached by ${members.map(({ dom0, bridge }) => `${dom0} (${bridge})`).join(', ') || 'no dom0'}`,
    ...leases.slice(0, SHOWN).map(({ ip, guest, mac }) => `- ${ip} ${guest} ${mac}`),
    ...(leases.length > SHOWN ? [`- and ${leases.length - SHOWN} more`] : []),
  ].join('\n');
}

function accepted<T extends object>(answer: T | Refusal): T {
  if (!('type' in answer)) return answer;
  throw ApplicationFailure.create({ type: answer.type, message: answer.message, nonRetryable: true, details: [{ field: answer.field }] });
}

export async function network({ cidr, gateway, carried }: NetworkInput): Promise<void> {
  let state = carried ?? newNetwork(cidr, gateway);
  const now = (): string => new Date().toISOString();
  const change = (next: NetworkState): undefined => {
    state = next;
    setCurrentDetails(describe(state));
    return undefined;
  };
  const leased = (answer: ReturnType<typeof lease>): Lease => {
    const made = accepted(answer);
    change(made.state);
    return made.lease;
  };
  setHandler(leasesQuery, () => state);
  setHandler(macHolderQuery, (mac) => holderOfMac(state, mac));
  setHandler(joinUpdate, (said) => change(accepted(joined(state, said))));
  setHandler(leaseUpdate, (request) => leased(lease(state, request, now())));
  setHandler(replaceUpdate, (request) => leased(replaced(state, request, now())));
  setHandler(changeMacUpdate, (request) => leased(withOtherMac(state, request, now())));
  setHandler(returnUpdate, (owner) => change(returned(state, owner, now())));
  change(state);
  await ignoringCancel(async () => {
    await condition(() => workflowInfo().continueAsNewSuggested);
    await condition(allHandlersFinished);
    await continueAsNew<typeof network>({ cidr, gateway, carried: state });
  });
}

declareVersioning('AUTO_UPGRADE', network);
