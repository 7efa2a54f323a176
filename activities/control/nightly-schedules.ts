/** The Schedules of guests' nightly backups. */
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type Client, type ScheduleHandle } from '@temporalio/client';
import type { GuestRef } from '../../contract/guest.ts';
import { CONTROL_QUEUE, nightlyScheduleId, operationWorkflowId, WORKFLOWS } from '../../contract/names.ts';
import { BACKUP_PRIORITY } from '../../contract/nights.ts';
import { keywords } from '../../client/search-attributes.ts';
import { spread } from '../../system/spread.ts';
import { refusal, unlessMissing } from './refusals.ts';

/** Nights start here (UTC hour), so that guests do not all start at once within the four hours after. */
const NIGHT_STARTS = 1;
const NIGHT_MINUTES = 240;

/** The time of a guest's nightly backup when the order names none: spread over the night by its name. */
function nightlyTime(name: string, at?: string): { hour: number; minute: number } {
  if (at !== undefined) return { hour: Number(at.slice(0, 2)), minute: Number(at.slice(3, 5)) };
  const minutes = spread(name, NIGHT_MINUTES);
  return { hour: NIGHT_STARTS + Math.floor(minutes / 60), minute: minutes % 60 };
}

export class NightlySchedules {
  private readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  /** Makes the Schedule of a guest's nightly backup, or finds it made. Returns its id. */
  async make({ ref, at }: { ref: GuestRef; at?: string }): Promise<string> {
    const scheduleId = nightlyScheduleId(ref.name);
    try {
      await this.create(ref, scheduleId, at);
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      const schedule = await this.scheduleOf(ref);
      // The Schedule was removed meanwhile: the next attempt makes it.
      if (schedule === undefined) throw error;
      if (!schedule.isOurs) throw refusal('NotOurs', `schedule ${scheduleId} exists and is not this order's: it is left alone`, 'name');
    }
    return scheduleId;
  }

  /** Undo of `make`. */
  async remove(ref: GuestRef): Promise<void> {
    const schedule = await this.scheduleOf(ref);
    if (schedule?.isOurs === true) await unlessMissing(schedule.handle.delete());
  }

  /** In words, what Temporal still has of a guest: the Schedule of its backups, or nothing. */
  async left(ref: GuestRef): Promise<string[]> {
    const schedule = await this.scheduleOf(ref);
    return schedule?.isOurs === true ? [`schedule ${schedule.handle.scheduleId}`] : [];
  }

  private async create(ref: GuestRef, scheduleId: string, at: string | undefined): Promise<void> {
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
    await this.client.schedule.create({
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
  private async scheduleOf(ref: GuestRef): Promise<{ handle: ScheduleHandle; isOurs: boolean } | undefined> {
    const handle = this.client.schedule.getHandle(nightlyScheduleId(ref.name));
    const found = await unlessMissing(handle.describe());
    return found && { handle, isOurs: found.memo?.['order'] === ref.order };
  }
}
