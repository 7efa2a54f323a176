/** Activities of the control worker: calls to Temporal itself. */
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type Client, type ScheduleHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { NetworkAccess } from '../../contract/capacity.ts';
import {
  CONTROL_QUEUE,
  DOM0_UPDATES,
  dom0WorkflowId,
  nightlyScheduleId,
  operationWorkflowId,
  QUERIES,
  WORKFLOWS,
} from '../../contract/names.ts';
import type { Dom0Facts, ReserveAnswer, LeasedAddress, ReserveRequest } from '../../contract/dom0.ts';
import type { GuestOrder, GuestRef, GuestSpec } from '../../contract/guest.ts';
import { updateDom0 } from '../../client/dom0s/ledger.ts';
import { queryLedger, updateLedger } from '../../client/ledger-calls.ts';
import { joinNetwork } from '../../client/networks.ts';
import { BACKUP_PRIORITY } from '../../contract/nights.ts';
import { takenBy } from '../../contract/takes.ts';
import { claimsOf, type Claim, type OwnerOn } from './claims.ts';
import { createLeases } from './leases.ts';
import { orRefusal, unlessMissing } from './refusals.ts';
import { keywords } from '../../client/search-attributes.ts';

/** Nights start here (UTC hour), so that guests do not all start at once within the four hours after. */
const NIGHT_STARTS = 1;
const NIGHT_MINUTES = 240;

/** The time of a guest's nightly backup when the order names none: spread over the night by its name. */
export function nightlyTime(name: string, at?: string): { hour: number; minute: number } {
  if (at !== undefined) return { hour: Number(at.slice(0, 2)), minute: Number(at.slice(3, 5)) };
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.charCodeAt(0)) % NIGHT_MINUTES;
  return { hour: NIGHT_STARTS + Math.floor(sum / 60), minute: sum % 60 };
}

// The type is inferred: workflows import it to call activities by name.
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types
export function createControlActivities(client: Client) {
  const leases = createLeases(client);

  async function reserveOn(host: string, request: ReserveRequest): Promise<ReserveAnswer> {
    return orRefusal(updateDom0(client, host, DOM0_UPDATES.reserve, request));
  }

  /**
   * As `reserveOn`, for an order for which placement may have reserved already. It queries the ledger first, since a query leaves nothing in the ledger's
   * history. It sends the update only if the reservation is missing: the order names its dom0 (so there was no placement), or an audit has freed it.
   */
  async function reserveOnce(host: string, request: ReserveRequest): Promise<ReserveAnswer> {
    const made = await unlessMissing(queryLedger(client, dom0WorkflowId(host), QUERIES.reserved, request));
    // Temporal turns an undefined answer into null.
    return made ?? reserveOn(host, request);
  }

  /** The networks that a dom0 reaches; none if it has no ledger. */
  async function networksOf(host: string): Promise<readonly NetworkAccess[]> {
    const state = await unlessMissing(queryLedger(client, dom0WorkflowId(host), QUERIES.ledger));
    if (state === undefined) return [];
    const { facts, networks = [] } = state;
    return facts === undefined ? networks : [facts.network, ...networks];
  }

  async function createSchedule(ref: GuestRef, scheduleId: string, at: string | undefined): Promise<void> {
    // The SDK (1.24) sends a priority, but its type lacks that option: a separate object avoids the check for excess properties.
    const action = {
      type: 'startWorkflow' as const,
      workflowType: WORKFLOWS.nightlyBackup,
      workflowId: operationWorkflowId(ref.name, 'nightly', 'run'),
      taskQueue: CONTROL_QUEUE,
      args: [ref],
      typedSearchAttributes: keywords({ guest: ref.name, dom0: ref.dom0, order: ref.order }),
      staticSummary: `nightly backup of ${ref.name}`,
      priority: BACKUP_PRIORITY,
    };
    await client.schedule.create({
      scheduleId,
      spec: { calendars: [{ ...nightlyTime(ref.name, at), comment: 'every night, UTC' }] },
      action,
      // No overlap is refused here: the guest takes one night at a time, and records the others. A night that the Schedule skipped would leave no trace.
      // After an outage, only nights of the last six hours are made up for; the default is a year.
      policies: { overlap: ScheduleOverlapPolicy.ALLOW_ALL, catchupWindow: '6 hours' },
      state: { note: `nightly backup of guest ${ref.name} on dom0 ${ref.dom0}, order ${ref.order}` },
      memo: { guest: ref.name, order: ref.order },
    });
  }

  /** The Schedule of a guest's nightly backup, and whether it is this order's. */
  async function scheduleOf(ref: GuestRef): Promise<{ handle: ScheduleHandle; isOurs: boolean } | undefined> {
    const handle = client.schedule.getHandle(nightlyScheduleId(ref.name));
    const found = await unlessMissing(handle.describe());
    return found && { handle, isOurs: found.memo?.['order'] === ref.order };
  }

  return {
    /** Reserves for the order its part of its dom0, and leases its address. What a failure leaves is given back by `release`. */
    async reserve(order: GuestOrder): Promise<LeasedAddress> {
      const { networks } = await reserveOnce(order.dom0, { guest: order.name, order: order.order, ...takenBy(order) });
      return leases.lease(order, networks);
    },

    /** Something answered at an address that the ledger chose: marks it, and leases the next one. */
    async nextAddress({ order, ip }: { order: GuestOrder; ip: string }): Promise<LeasedAddress> {
      return leases.replace(order, await networksOf(order.dom0), ip);
    },

    /**
     * Reserves another part of its dom0 for a guest that exists. Its address stays.
     *
     * @param restores this is an undo: the guest had this part before, so it is not refused. Default: false.
     */
    async changeReservation(spec: GuestSpec, restores = false): Promise<void> {
      await reserveOn(spec.dom0, { guest: spec.name, order: spec.order, ...takenBy(spec), ...(restores ? { restores } : {}) });
    },

    /** Undo of `reserve`: the address first, then its part of the dom0. */
    async release(ref: GuestRef): Promise<void> {
      await leases.release(ref, await networksOf(ref.dom0));
      const owner = { guest: ref.name, order: ref.order };
      await orRefusal(unlessMissing(updateLedger(client, dom0WorkflowId(ref.dom0), DOM0_UPDATES.release, owner)));
    },

    /** Tells a dom0's network which addresses are in use there. */
    async observe(facts: Dom0Facts): Promise<void> {
      await joinNetwork(client, facts);
    },

    /** Which of these a workflow claims, on whichever dom0 that guest lives, and why the others are orphans. Takes at most `OWNERS_AT_ONCE`. */
    async claims(owners: readonly OwnerOn[]): Promise<Claim[]> {
      return claimsOf(client, owners);
    },

    /** Makes the Schedule of a guest's nightly backup, or finds it made. */
    async scheduleNightly(input: { ref: GuestRef; at?: string }): Promise<string> {
      const { ref, at } = input;
      const scheduleId = nightlyScheduleId(ref.name);
      try {
        await createSchedule(ref, scheduleId, at);
      } catch (error) {
        if (!(error instanceof ScheduleAlreadyRunning)) throw error;
        const schedule = await scheduleOf(ref);
        // The Schedule was removed meanwhile: the next attempt makes it.
        if (schedule === undefined) throw error;
        if (!schedule.isOurs) {
          throw ApplicationFailure.create({
            type: 'NotOurs',
            nonRetryable: true,
            message: `schedule ${scheduleId} exists and is not this order's: it is left alone`,
            details: [{ field: 'name' }],
          });
        }
      }
      return scheduleId;
    },

    /** Undo of `scheduleNightly`. */
    async unscheduleNightly(ref: GuestRef): Promise<void> {
      const schedule = await scheduleOf(ref);
      if (schedule?.isOurs === true) await unlessMissing(schedule.handle.delete());
    },

    /** In words, what Temporal still has of a guest: the Schedule of its backups, or nothing. */
    async schedulesLeft(ref: GuestRef): Promise<string[]> {
      const schedule = await scheduleOf(ref);
      return schedule?.isOurs === true ? [`schedule ${schedule.handle.scheduleId}`] : [];
    },
  };
}

export type ControlActivities = ReturnType<typeof createControlActivities>;
