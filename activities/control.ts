/** Activities of the control worker: calls to Temporal itself. */
import { Context } from '@temporalio/activity';
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, WithStartWorkflowOperation, WorkflowUpdateFailedError, ScheduleNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import { CONTROL_QUEUE, DOM0_UPDATES, dom0WorkflowId, GUEST_UPDATES, guestWorkflowId, nightlyScheduleId, operationWorkflowId, QUERIES, WORKFLOWS } from '../contract/names.ts';
import type { Dom0State, GuestOrder, GuestRef, GuestSpec, GuestStatus, OperationResult, Reservation, ReserveRequest } from '../contract/types.ts';

/** Nights start here (UTC hour), so that guests do not all start at once within the four hours after. */
const NIGHT_STARTS = 1;
const NIGHT_MINUTES = 240;
const HEARTBEAT_MS = 10_000;

/** The time of a guest's nightly backup when the order names none: spread over the night by its name. */
export function nightlyTime(name: string, at?: string): { hour: number; minute: number } {
  if (at !== undefined) return { hour: Number(at.slice(0, 2)), minute: Number(at.slice(3, 5)) };
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.charCodeAt(0)) % NIGHT_MINUTES;
  return { hour: NIGHT_STARTS + Math.floor(sum / 60), minute: sum % 60 };
}

/** A refusal of an update keeps its type and message, and is not asked for again. */
function unwrapped(error: unknown): unknown {
  return error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure ? error.cause : error;
}

// The type is inferred: workflows import it to call activities by name.
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types
export function createControlActivities(client: Client) {
  async function toDom0<R>(host: string, update: string, updateId: string | undefined, argument: unknown): Promise<R> {
    const initial: Dom0State = { host, drained: false, promised: [] };
    const start = new WithStartWorkflowOperation<(state: Dom0State) => Promise<void>>(WORKFLOWS.dom0, { workflowId: dom0WorkflowId(host), taskQueue: CONTROL_QUEUE, args: [initial], workflowIdConflictPolicy: 'USE_EXISTING' });
    try {
      return await client.workflow.executeUpdateWithStart<(state: Dom0State) => Promise<void>, R, [unknown]>(update, { args: [argument], startWorkflowOperation: start, ...(updateId === undefined ? {} : { updateId }) });
    } catch (error) {
      throw unwrapped(error);
    }
  }

  async function createSchedule(ref: GuestRef, scheduleId: string, at: string | undefined): Promise<void> {
    await client.schedule.create({
      scheduleId,
      spec: { calendars: [{ ...nightlyTime(ref.name, at), comment: 'every night, UTC' }] },
      action: { type: 'startWorkflow', workflowType: WORKFLOWS.nightlyBackup, workflowId: operationWorkflowId(ref.name, 'nightly', 'run'), taskQueue: CONTROL_QUEUE, args: [ref] },
      // A night that was missed because everything was down is made up for once, not for every night of the last year (the default).
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '6 hours' },
      state: { note: `nightly backup of guest ${ref.name} on dom0 ${ref.dom0}, order ${ref.order}` },
      memo: { guest: ref.name, order: ref.order },
    });
  }

  return {
    /** Promises the order its part of its dom0, and its address. */
    async reserve(order: GuestOrder): Promise<Reservation> {
      const request: ReserveRequest = {
        guest: order.name, order: order.order, memoryBytes: order.memoryBytes, vcpus: order.vcpus, diskBytes: order.diskBytes + order.swapBytes,
        ...(order.ip === undefined ? {} : { ip: order.ip }),
      };
      const lease = await toDom0<Reservation>(order.dom0, DOM0_UPDATES.reserve, undefined, request);
      return { ...lease, ...(order.netmask === undefined ? {} : { netmask: order.netmask }), ...(order.gateway === undefined ? {} : { gateway: order.gateway }), ...(order.bridge === undefined ? {} : { bridge: order.bridge }) };
    },

    /** Promises a guest that is there another part of its dom0; its address stays. */
    async promise(spec: GuestSpec): Promise<void> {
      const request: ReserveRequest = {
        guest: spec.name, order: spec.order, memoryBytes: spec.memoryBytes, vcpus: spec.vcpus, diskBytes: spec.diskBytes + spec.swapBytes, ip: spec.network.ip,
      };
      await toDom0(spec.dom0, DOM0_UPDATES.reserve, undefined, request);
    },

    async release(ref: GuestRef): Promise<void> {
      await toDom0(ref.dom0, DOM0_UPDATES.release, undefined, { guest: ref.name, order: ref.order });
    },

    /** Which of these guests a workflow claims, and why the others are orphans. */
    async claims(owners: readonly { guest: string; order: string }[]): Promise<{ claimed: boolean; reason: string }[]> {
      return Promise.all(owners.map(async ({ guest, order }) => {
        const handle = client.workflow.getHandle(guestWorkflowId(guest));
        try {
          const { status } = await handle.describe();
          if (status.name !== 'RUNNING') return { claimed: false, reason: `its workflow is over (${status.name.toLowerCase()})` };
          const state = await handle.query<GuestStatus>(QUERIES.status);
          return state.order === order ? { claimed: true, reason: state.phase } : { claimed: false, reason: `the guest of that name is of another order, ${state.order}` };
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return { claimed: false, reason: 'there is no workflow of that name' };
          throw error;
        }
      }));
    },

    /** Makes the Schedule of a guest's nightly backup, or finds it made. */
    async scheduleNightly(input: { ref: GuestRef; at?: string }): Promise<string> {
      const { ref, at } = input;
      const scheduleId = nightlyScheduleId(ref.name);
      try {
        await createSchedule(ref, scheduleId, at);
      } catch (error) {
        if (!(error instanceof ScheduleAlreadyRunning)) throw error;
        const existing = await client.schedule.getHandle(scheduleId).describe();
        if (existing.memo?.['order'] !== ref.order) {
          throw ApplicationFailure.create({ type: 'NotOurs', nonRetryable: true, message: `schedule ${scheduleId} exists and is not this order's: it is left alone`, details: [{ field: 'name' }] });
        }
      }
      return scheduleId;
    },

    /** Undo of `scheduleNightly`. */
    async unscheduleNightly(ref: GuestRef): Promise<void> {
      const handle = client.schedule.getHandle(nightlyScheduleId(ref.name));
      try {
        if ((await handle.describe()).memo?.['order'] === ref.order) await handle.delete();
      } catch (error) {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
      }
    },

    /** Asks the guest for a backup and waits for it. The same night asked twice is one backup. */
    async requestBackup(ref: GuestRef): Promise<OperationResult> {
      const context = Context.current();
      const timer = setInterval(() => { context.heartbeat(); }, HEARTBEAT_MS);
      const id = `nightly-${context.info.workflowExecution?.runId ?? ''}`;
      try {
        return await client.workflow.getHandle(guestWorkflowId(ref.name)).executeUpdate<OperationResult, [unknown]>(GUEST_UPDATES.operate, { args: [{ kind: 'backup', id }], updateId: id });
      } catch (error) {
        throw unwrapped(error);
      } finally {
        clearInterval(timer);
      }
    },
  };
}

export type ControlActivities = ReturnType<typeof createControlActivities>;
