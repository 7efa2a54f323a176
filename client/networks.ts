/** Networks: what they are, and who has which address. */
import { WithStartWorkflowOperation, type Client } from '@temporalio/client';
import { untilStartedAndTaken, untilTakenByLedger } from './lost-updates.ts';
import type { NetworkAccess, NetworkJoin, NetworkSettings, NetworkState } from '../contract/capacity-types.ts';
import { GuestflowError } from '../contract/errors.ts';
import { formatCidr, parseCidr, whyNotPrefix } from '../contract/ipv4.ts';
import { CONTROL_QUEUE, DOM0_UPDATES, dom0WorkflowId, NETWORK_UPDATES, networkWorkflowId, QUERIES, WORKFLOWS } from '../contract/names.ts';
import { whenKnown } from './known.ts';
import { readLedger } from './ledgers.ts';
import type { Session } from './session.ts';

type NetworkWorkflow = (input: { cidr: string; gateway: string }) => Promise<unknown>;

/** An operator's network, and who reaches it. */
export interface NetworkOrder extends NetworkSettings {
  readonly cidr: string;
  readonly dom0s: readonly { readonly host: string; readonly bridge: string }[];
}

/** A network by its one name, whatever bits behind the prefix are set. */
function nameOf(cidr: string): string {
  const network = parseCidr(cidr);
  if (network === undefined)
    throw new GuestflowError('InvalidInput', `network "${cidr}" is no IPv4 network, like 192.0.2.0/24`, { field: 'cidr', value: cidr });
  const reason = whyNotPrefix(network.prefix);
  if (reason !== undefined) throw new GuestflowError('InvalidInput', `network "${cidr}": ${reason}`, { field: 'cidr', value: cidr });
  return formatCidr(network);
}

/**
 * Says what a network is, and who reaches it. The first one who does makes its ledger.
 *
 * @param client of a dom0's worker, or a session's
 */
export async function joinNetwork(client: Client, cidr: string, join: NetworkJoin): Promise<void> {
  const id = nameOf(cidr);
  const send = (): Promise<undefined> =>
    client.workflow.executeUpdateWithStart<NetworkWorkflow, undefined, [NetworkJoin]>(NETWORK_UPDATES.join, {
      args: [join],
      startWorkflowOperation: new WithStartWorkflowOperation<NetworkWorkflow>(WORKFLOWS.network, {
        workflowId: networkWorkflowId(id),
        taskQueue: CONTROL_QUEUE,
        args: [{ cidr: id, gateway: join.gateway }],
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: `network ${id}: its leases`,
      }),
    });
  await untilStartedAndTaken(send);
}

/** Adds a network beside those of the dom0s' settings, or changes one; the dom0s that are named reach it from now on. */
export async function addNetwork(session: Session, { cidr, dom0s, ...settings }: NetworkOrder): Promise<void> {
  const id = nameOf(cidr);
  // Before anything is said of a network: a dom0 that is not there reaches none.
  for (const { host } of dom0s) await whenKnown(session, host, () => readLedger(session, host));
  const members = dom0s.map(({ host, bridge }) => ({ dom0: host, bridge, exclude: [], addresses: [] }));
  await session.call(`network ${id}`, () => joinNetwork(session.client, id, { gateway: settings.gateway, members, settings }));
  for (const { host, bridge } of dom0s) {
    const access: NetworkAccess = { cidr: id, gateway: settings.gateway, bridge };
    const handle = session.client.workflow.getHandle(dom0WorkflowId(host));
    await session.call(`dom0 ${host}`, () =>
      untilTakenByLedger(() => handle.executeUpdate<undefined, [NetworkAccess]>(DOM0_UPDATES.attach, { args: [access] })),
    );
  }
}

/** A network with its leases. */
export async function readNetwork(session: Session, cidr: string): Promise<NetworkState> {
  const id = nameOf(cidr);
  try {
    return await session.call(`network ${id}`, () =>
      session.client.workflow.getHandle(networkWorkflowId(id)).query<NetworkState>(QUERIES.leases),
    );
  } catch (error) {
    if (!(error instanceof GuestflowError) || error.type !== 'NotFound') throw error;
    const known = await namesOf(session);
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
  return Promise.all((await namesOf(session)).map((id) => readNetwork(session, id)));
}

async function namesOf(session: Session): Promise<string[]> {
  const ids: string[] = [];
  await session.call('the list of networks', async () => {
    for await (const { workflowId } of session.client.workflow.list({
      query: `WorkflowType = '${WORKFLOWS.network}' AND ExecutionStatus = 'Running'`,
    }))
      ids.push(workflowId.slice('network/'.length));
  });
  return ids.sort();
}
