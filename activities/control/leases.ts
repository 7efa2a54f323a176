/** Addresses of guests: calls of the control worker to the networks' workflows. */
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Lease, LeaseRequest, NetworkAccess } from '../../contract/capacity.ts';
import { inNetwork, netmaskOfPrefix, parseCidr, parseIpv4 } from '../../contract/ipv4.ts';
import { NETWORK_UPDATES, QUERIES, WORKFLOWS } from '../../contract/names.ts';
import type { Answer, Signature, UpdateName } from '../../contract/typed-names.ts';
import { queryLedger, updateLedger } from '../../client/ledger-calls.ts';
import { networkIdOf, updateNetwork } from '../../client/networks.ts';
import { runningIds } from '../../client/workflow-calls.ts';
import type { GuestOrder, GuestRef } from '../../contract/guest.ts';
import type { LeasedAddress } from '../../contract/dom0.ts';
import { orRefusal, refusal, unlessMissing } from './refusals.ts';
import { defined } from '../../contract/defined.ts';

/** A list of networks is used for so long. A network that is missing in it is new, and has no guests yet. */
const LIST_MS = 2_000;

function isIn(ip: string, { cidr }: NetworkAccess): boolean {
  const network = parseCidr(cidr);
  const address = parseIpv4(ip);
  return network !== undefined && address !== undefined && inNetwork(address, network);
}

function leasedAddress({ ip, mac, ip6, gateway6 }: Lease, access: NetworkAccess, order: GuestOrder): LeasedAddress {
  const prefix = parseCidr(access.cidr)?.prefix ?? 24;
  return {
    ip,
    mac,
    netmask: order.network.netmask ?? netmaskOfPrefix(prefix),
    gateway: order.network.gateway ?? access.gateway,
    bridge: order.network.bridge ?? access.bridge,
    ...(ip6 === undefined || gateway6 === undefined ? {} : { ipv6: { address: ip6, gateway: gateway6 } }),
  };
}

export class Leases {
  private readonly client: Client;
  private known: { readonly at: number; readonly ids: Promise<readonly string[]> } | undefined;

  constructor(client: Client) {
    this.client = client;
  }

  /** Leases an address of one of these networks, in their order. The same order again gets the same one. */
  async lease(order: GuestOrder, networks: readonly NetworkAccess[]): Promise<LeasedAddress> {
    const { ip, mac } = order.network;
    const request: LeaseRequest = { guest: order.name, order: order.order, ...defined({ ip, mac }) };
    let isFull: unknown;
    for (const network of await this.candidates(order, networks)) {
      try {
        const made = await this.update(network, NETWORK_UPDATES.lease, request);
        return leasedAddress(await this.withOwnMac(made, network, order), network, order);
      } catch (error) {
        if (!(error instanceof ApplicationFailure) || error.type !== 'NoCapacity') throw error;
        isFull ??= error;
      }
    }
    if (isFull instanceof Error) throw isFull;
    const reached = networks.map(({ cidr }) => cidr).join(', ');
    throw refusal(
      'InvalidInput',
      ip === undefined
        ? `dom0 ${order.dom0} reaches no network`
        : `ip ${ip} cannot be used on dom0 ${order.dom0}: it is not in the network ${reached}`,
      'ip',
    );
  }

  /**
   * The address that a guest has, as a dom0 with these networks gives it to it. Nothing is leased.
   *
   * @throws InvalidInput when it is in none of these networks
   */
  async held(order: GuestOrder, networks: readonly NetworkAccess[]): Promise<LeasedAddress> {
    for (const access of networks) {
      const lease = await this.leaseIn(access, order);
      if (lease !== undefined) return leasedAddress(lease, access, order);
    }
    throw refusal(
      'InvalidInput',
      `dom0 ${order.dom0} has no bridge for the network in which ${order.name} has its address ${order.network.ip ?? ''}: it reaches ${networks.map(({ cidr, bridge }) => `${cidr} (${bridge})`).join(', ')}`,
      'dom0',
    );
  }

  /** Like `lease`, after something answered at the address that `lease` gave. */
  async replace(order: GuestOrder, networks: readonly NetworkAccess[], ip: string): Promise<LeasedAddress> {
    const network = networks.find((candidate) => isIn(ip, candidate));
    if (network === undefined) throw refusal('InvalidInput', `ip ${ip} is in no network of dom0 ${order.dom0}`, 'ip');
    const made = await this.update(network, NETWORK_UPDATES.replace, { guest: order.name, order: order.order, ip, dom0: order.dom0 });
    return leasedAddress(await this.withOwnMac(made, network, order), network, order);
  }

  /** Gives an order's addresses back. */
  async release({ name, order }: GuestRef, networks: readonly NetworkAccess[]): Promise<void> {
    for (const { cidr } of networks)
      await orRefusal(unlessMissing(updateLedger(this.client, networkIdOf(cidr), NETWORK_UPDATES.release, { guest: name, order })));
  }

  private update<S extends Signature>(network: NetworkAccess, name: UpdateName<S>, ...args: Parameters<S>): Answer<S> {
    return orRefusal(updateNetwork(this.client, network, name, ...args));
  }

  /** First the network in which the order has an address already; then, if the order names no address, the others. */
  private async candidates(order: GuestOrder, networks: readonly NetworkAccess[]): Promise<readonly NetworkAccess[]> {
    const { ip } = order.network;
    if (ip !== undefined) return networks.filter((network) => isIn(ip, network));
    if (networks.length < 2) return networks;
    const held = await Promise.all(networks.map((network) => this.leaseIn(network, order)));
    const own = networks.filter((_network, index) => held[index] !== undefined);
    return own.length > 0 ? own : networks;
  }

  private async leaseIn({ cidr }: NetworkAccess, { name, order }: GuestOrder): Promise<Lease | undefined> {
    const state = await unlessMissing(queryLedger(this.client, networkIdOf(cidr), QUERIES.leases));
    return state?.leases.find((lease) => lease.guest === name && lease.order === order);
  }

  /**
   * The lease with a MAC that no other network has given. The MAC is leased first and looked for in other networks afterwards: if two networks give the
   * same MAC at the same time, at least one of them sees the other.
   */
  private async withOwnMac(made: Lease, network: NetworkAccess, order: GuestOrder): Promise<Lease> {
    let own = made;
    for (;;) {
      const holder = await this.elsewhere(own.mac, order.name, network);
      if (holder === undefined) return own;
      if (order.network.mac !== undefined)
        throw refusal('InvalidInput', `mac ${own.mac} is taken: ${holder} has it, in another network`, 'mac');
      own = await this.update(network, NETWORK_UPDATES.changeMac, { guest: order.name, order: order.order, mac: own.mac });
    }
  }

  /** The guest in another network that has this MAC, or had it lately. */
  private async elsewhere(mac: string, guest: string, { cidr }: NetworkAccess): Promise<string | undefined> {
    const others = (await this.allNetworks()).filter((id) => id !== networkIdOf(cidr));
    const holders = await Promise.all(others.map((id) => unlessMissing(queryLedger(this.client, id, QUERIES.macHolder, mac))));
    return holders.find((holder) => holder !== undefined && holder !== guest);
  }

  /** Workflow ids of all networks. In a rush, one list serves many orders. */
  private async allNetworks(): Promise<readonly string[]> {
    if (this.known === undefined || Date.now() - this.known.at > LIST_MS)
      this.known = { at: Date.now(), ids: runningIds(this.client, WORKFLOWS.network) };
    const list = this.known;
    return list.ids.catch((error: unknown) => {
      if (this.known === list) this.known = undefined;
      throw error;
    });
  }
}
