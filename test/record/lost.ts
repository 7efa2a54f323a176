/** The life of a guest whose dom0 is lost: found again, then restored on another one, at the third attempt. */
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { GUEST_SIGNALS, GUEST_UPDATES, guestWorkflowId, QUERIES } from '../../contract/names.ts';
import type { GuestPhase, GuestStatus } from '../../contract/guest.ts';
import { NO, order, until, untilCancelled } from '../workflow/scripted.ts';
import { OTHER, withOther } from '../workflow/other-dom0.ts';
import { DOM0, withWorkers } from '../workflow/temporal.ts';
import { steps } from './operations.ts';
import { operate, place, record, settled } from './recording.ts';

async function told(handle: WorkflowHandle, isLost: boolean, phase: GuestPhase): Promise<void> {
  await handle.signal(GUEST_SIGNALS.dom0Lost, { dom0: DOM0, ...(isLost ? { since: '2026-01-02T00:00:00.000Z' } : {}) });
  await until(
    () => handle.query<GuestStatus>(QUERIES.status),
    (status) => status.phase === phase,
  );
}

/** Records them. */
export async function recordLost(environment: TestWorkflowEnvironment): Promise<void> {
  const { activities, once } = steps({});
  const document = order();
  const restore = { kind: 'restoreElsewhere', dom0: OTHER } as const;
  await withWorkers(environment, activities, () =>
    withOther(environment, activities, async () => {
      const handle = await place(environment, document);
      await settled(handle);
      await told(handle, true, 'lost');
      await told(handle, false, 'running');
      await told(handle, true, 'lost');
      once('bootGuest', NO('GuestDidNotAnswer'));
      const failing = operate(environment, document.name, restore);
      if (
        await failing.done.then(
          () => true,
          () => false,
        )
      )
        throw new Error(`${failing.workflowId} went well`);
      await record(environment, failing.workflowId, 'restoreElsewhere-undone');
      let reached = (): void => undefined;
      const inside = new Promise<void>((resolve) => {
        reached = resolve;
      });
      once('restoreVolumes', untilCancelled(reached));
      const cancelled = operate(environment, document.name, restore);
      const outcome = cancelled.done.then(
        () => true,
        () => false,
      );
      await inside;
      await handle.executeUpdate(GUEST_UPDATES.cancel);
      if (await outcome) throw new Error(`${cancelled.workflowId} went well`);
      await record(environment, cancelled.workflowId, 'restoreElsewhere-cancelled');
      const good = operate(environment, document.name, restore);
      await good.done;
      await record(environment, good.workflowId, 'restoreElsewhere');
      await settled(handle);
      await operate(environment, document.name, { kind: 'terminate', now: true }).done;
      await handle.result();
      await record(environment, guestWorkflowId(document.name), 'guest-restored-elsewhere');
    }),
  );
}
