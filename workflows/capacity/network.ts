/** network: one workflow for each address range: who has which address. */
import { allHandlersFinished, ApplicationFailure, condition, continueAsNew, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { Lease, NetworkState } from '../../contract/capacity.ts';
import { NETWORK_UPDATES, QUERIES } from '../../contract/names.ts';
import type { NetworkInput } from '../../contract/workflow-inputs.ts';
import { onQuery, onUpdate } from '../saga/handlers.ts';
import { ignoringCancel } from '../saga/ignore-cancel.ts';
import type { LedgerRefusal } from './ledger.ts';
import { holderOfMac, joined, lease, newNetwork, replaced, returned, withOtherMac } from './leases.ts';
import { declareVersioning } from '../saga/versioning.ts';

/** A run of it. */
interface NetworkRun extends NetworkInput {
  /** Set when it continues as new. */
  readonly carried?: NetworkState;
}

/** How many leases the details name; the query answers all. */
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

function accepted<T extends object>(answer: T | LedgerRefusal): T {
  if (!('type' in answer)) return answer;
  throw ApplicationFailure.create({ type: answer.type, message: answer.message, nonRetryable: true, details: [{ field: answer.field }] });
}

export async function network({ cidr, gateway, carried }: NetworkRun): Promise<void> {
  let state = carried ?? newNetwork(cidr, gateway);
  const now = (): string => new Date().toISOString();
  const change = (next: NetworkState): void => {
    state = next;
    setCurrentDetails(describe(state));
  };
  const leased = (answer: ReturnType<typeof lease>): Lease => {
    const made = accepted(answer);
    change(made.state);
    return made.lease;
  };
  onQuery(QUERIES.leases, () => state);
  onQuery(QUERIES.macHolder, (mac) => holderOfMac(state, mac));
  onUpdate(NETWORK_UPDATES.join, (said) => change(accepted(joined(state, said))));
  onUpdate(NETWORK_UPDATES.lease, (request) => leased(lease(state, request, now())));
  onUpdate(NETWORK_UPDATES.replace, (request) => leased(replaced(state, request, now())));
  onUpdate(NETWORK_UPDATES.changeMac, (request) => leased(withOtherMac(state, request, now())));
  onUpdate(NETWORK_UPDATES.release, (owner) => change(returned(state, owner, now())));
  change(state);
  await ignoringCancel(async () => {
    await condition(() => workflowInfo().continueAsNewSuggested);
    await condition(allHandlersFinished);
    await continueAsNew<typeof network>({ cidr, gateway, carried: state });
  });
}

declareVersioning('AUTO_UPGRADE', network);
