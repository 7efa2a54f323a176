/** What an order takes: its part of a dom0, from that dom0's ledger, and its address, from a network. */
import type { Client } from '@temporalio/client';
import type { NetworkAccess } from '../../contract/capacity.ts';
import { GOLDEN, type LeasedAddress, type ReserveAnswer, type ReserveRequest } from '../../contract/dom0.ts';
import { goldenTrialTakes, RENEWAL_ORDER, type GoldenSystem } from '../../contract/golden.ts';
import type { GuestOrder, GuestRef, GuestSpec } from '../../contract/guest.ts';
import { DOM0_UPDATES, dom0WorkflowId, QUERIES } from '../../contract/names.ts';
import { takenBy } from '../../contract/takes.ts';
import { updateDom0 } from '../../client/dom0s/ledger.ts';
import { queryLedger, updateLedger } from '../../client/ledger-calls.ts';
import { Leases } from './leases.ts';
import { orRefusal, unlessMissing } from './refusals.ts';

/** A golden image that is tried on a dom0. */
export interface GoldenTrial {
  readonly dom0: string;
  readonly system: GoldenSystem;
}

export class Reservations {
  private readonly client: Client;
  private readonly leases: Leases;

  constructor(client: Client) {
    this.client = client;
    this.leases = new Leases(client);
  }

  /** Reserves for the order its part of its dom0, and leases its address. What a failure leaves is given back by `release`. */
  async reserve(order: GuestOrder): Promise<LeasedAddress> {
    const { networks } = await this.reserveOnce(order.dom0, { guest: order.name, order: order.order, ...takenBy(order) });
    return this.leases.lease(order, networks);
  }

  /** Something answered at an address that the ledger chose: marks it, and leases the next one. */
  async nextAddress({ order, ip }: { order: GuestOrder; ip: string }): Promise<LeasedAddress> {
    return this.leases.replace(order, await this.networksOf(order.dom0), ip);
  }

  /**
   * Reserves another part of its dom0 for a guest that exists. Its address stays.
   *
   * @param restores this is an undo: the guest had this part before, so it is not refused. Default: false.
   */
  async change(spec: GuestSpec, restores = false): Promise<void> {
    await this.reserveOn(spec.dom0, { guest: spec.name, order: spec.order, ...takenBy(spec), ...(restores ? { restores } : {}) });
  }

  /** What a guest that is there already takes. It is not refused: it takes it whatever the ledger says. */
  async adopt(spec: GuestSpec): Promise<void> {
    const { networks } = await this.reserveOn(spec.dom0, { guest: spec.name, order: spec.order, ...takenBy(spec), restores: true });
    await this.leases.lease(spec, networks);
  }

  /** Reserves for the trial of a golden image what it takes. Orders do not count it: it gives way to them. */
  async reserveGolden({ dom0, system }: GoldenTrial): Promise<void> {
    await this.reserveOn(dom0, { guest: `${GOLDEN}${system.dist}`, order: RENEWAL_ORDER, ...goldenTrialTakes(system) });
  }

  /** Undo of `reserve`: the address first, then its part of the dom0. */
  async release(ref: GuestRef): Promise<void> {
    await this.leases.release(ref, await this.networksOf(ref.dom0));
    await this.leave(ref);
  }

  /**
   * Reserves its part of another dom0 for a guest that exists. Its address stays.
   *
   * @throws InvalidInput when that dom0 does not reach the network of its address
   */
  async reserveWithLease(order: GuestOrder): Promise<LeasedAddress> {
    const { networks } = await this.reserveOnce(order.dom0, { guest: order.name, order: order.order, ...takenBy(order) });
    return this.leases.held(order, networks);
  }

  /** Gives a guest's part of a dom0 back. Its address stays. */
  async leave(ref: GuestRef): Promise<void> {
    const owner = { guest: ref.name, order: ref.order };
    await orRefusal(unlessMissing(updateLedger(this.client, dom0WorkflowId(ref.dom0), DOM0_UPDATES.release, owner)));
  }

  private async reserveOn(host: string, request: ReserveRequest): Promise<ReserveAnswer> {
    return orRefusal(updateDom0(this.client, host, DOM0_UPDATES.reserve, request));
  }

  /**
   * As `reserveOn`, for an order for which placement may have reserved already. It queries the ledger first, since a query leaves nothing in the ledger's
   * history. It sends the update only if the reservation is missing: the order names its dom0 (so there was no placement), or an audit has freed it.
   */
  private async reserveOnce(host: string, request: ReserveRequest): Promise<ReserveAnswer> {
    const made = await unlessMissing(queryLedger(this.client, dom0WorkflowId(host), QUERIES.reserved, request));
    // Temporal turns an undefined answer into null.
    return made ?? this.reserveOn(host, request);
  }

  /** The networks that a dom0 reaches; none if it has no ledger. */
  private async networksOf(host: string): Promise<readonly NetworkAccess[]> {
    const state = await unlessMissing(queryLedger(this.client, dom0WorkflowId(host), QUERIES.ledger));
    if (state === undefined) return [];
    const { facts, networks = [] } = state;
    return facts === undefined ? networks : [facts.network, ...networks];
  }
}
