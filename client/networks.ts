/** Networks: what they are, and who has which address. */
import type { Client } from '@temporalio/client';
import type { NetworkAccess, NetworkJoin, NetworkSettings, NetworkState } from '../contract/capacity.ts';
import { GuestflowError } from '../contract/errors.ts';
import { formatCidr, parseCidr, whyNotPrefix } from '../contract/ipv4.ts';
import { DOM0_UPDATES, dom0WorkflowId, NETWORK_UPDATES, networkWorkflowId, QUERIES, WORKFLOWS } from '../contract/names.ts';
import type { Answer, Signature, UpdateName } from '../contract/typed-names.ts';
import type { Dom0Facts } from '../contract/dom0.ts';
import { readCapacity } from './dom0s/ledger.ts';
import { updateLedger, updateLedgerWithStart } from './ledger-calls.ts';
import type { Session } from './session.ts';
import { query, runningIds } from './workflow-calls.ts';

/** An operator's network, and who reaches it. */
export interface NetworkOrder extends NetworkSettings {
  readonly cidr: string;
  readonly dom0s: readonly { readonly host: string; readonly bridge: string }[];
}

/** The canonical name of a network: bits behind the prefix do not matter. */
function nameOf(cidr: string): string {
  const network = parseCidr(cidr);
  if (network === undefined)
    throw new GuestflowError('InvalidInput', `network "${cidr}" is no IPv4 network, like 192.0.2.0/24`, { field: 'cidr', value: cidr });
  const reason = whyNotPrefix(network.prefix);
  if (reason !== undefined) throw new GuestflowError('InvalidInput', `network "${cidr}": ${reason}`, { field: 'cidr', value: cidr });
  return formatCidr(network);
}

/** Workflow id of a network's ledger, whatever bits behind the prefix are set. */
export function networkIdOf(cidr: string): string {
  return networkWorkflowId(nameOf(cidr));
}

/** Asks a network's ledger. Starts the ledger if there is none. */
export function updateNetwork<S extends Signature>(
  client: Client,
  { cidr, gateway }: Pick<NetworkAccess, 'cidr' | 'gateway'>,
  name: UpdateName<S>,
  ...args: Parameters<S>
): Answer<S> {
  const id = nameOf(cidr);
  const start = {
    workflowId: networkWorkflowId(id),
    input: [{ cidr: id, gateway }] as [{ cidr: string; gateway: string }],
    staticSummary: `network ${id}: its leases`,
  };
  return updateLedgerWithStart(client, WORKFLOWS.network, start, name, ...args);
}

/**
 * Tells a dom0's own network who reaches it, and which addresses the dom0's cfg files use.
 *
 * @param client of a worker
 */
export async function joinNetwork(client: Client, { host, network, addresses }: Dom0Facts): Promise<void> {
  const { gateway, bridge, exclude = [] } = network;
  await updateNetwork(client, network, NETWORK_UPDATES.join, { gateway, members: [{ dom0: host, bridge, exclude, addresses }] });
}

/** Adds a network beside those of the dom0s' settings, or changes one; the dom0s that are named reach it from now on. */
export async function addNetwork(session: Session, { cidr, dom0s, ...settings }: NetworkOrder): Promise<void> {
  const { client } = session;
  const { gateway } = settings;
  const id = nameOf(cidr);
  // Checked before the network is changed: all named dom0s must exist.
  for (const { host } of dom0s) await readCapacity(session, host);
  const members = dom0s.map(({ host, bridge }) => ({ dom0: host, bridge, exclude: [], addresses: [] }));
  const join: NetworkJoin = { gateway, members, settings };
  await session.call(`network ${id}`, () => updateNetwork(client, { cidr, gateway }, NETWORK_UPDATES.join, join));
  for (const { host, bridge } of dom0s)
    await session.call(`dom0 ${host}`, () =>
      updateLedger(client, dom0WorkflowId(host), DOM0_UPDATES.attach, { cidr: id, gateway, bridge }),
    );
}

/** A network with its leases. */
export async function readNetwork(session: Session, cidr: string): Promise<NetworkState> {
  const id = nameOf(cidr);
  try {
    return await session.call(`network ${id}`, () => query(session.client, networkWorkflowId(id), QUERIES.leases));
  } catch (error) {
    if (!(error instanceof GuestflowError) || error.type !== 'NotFound') throw error;
    const known = await cidrsOf(session);
    throw new GuestflowError(
      'NotFound',
      `there is no network ${id}: ${known.length === 0 ? 'there is none at all' : `known are ${known.join(', ')}`}`,
      {
        field: 'cidr',
        value: cidr,
      },
    );
  }
}

/** All networks. */
export async function listNetworks(session: Session): Promise<NetworkState[]> {
  return Promise.all((await cidrsOf(session)).map((cidr) => readNetwork(session, cidr)));
}

async function cidrsOf(session: Session): Promise<string[]> {
  const ids = await session.call('the list of networks', () => runningIds(session.client, WORKFLOWS.network));
  return ids.map((id) => id.slice(networkWorkflowId('').length));
}
