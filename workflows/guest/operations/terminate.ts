/** terminate and undelete: the begin of a termination, and its undo. The removal at its end: `removal.ts`. */
import { executeChild } from '@temporalio/workflow';
import { defined } from '../../../contract/defined.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import { Operation } from '../../saga/operation.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import type { GuestAtWork } from '../at-work.ts';
import { beforeOf } from '../rules.ts';
import { notBefore } from '../state.ts';
import { startSteps, switchOffSteps } from './power.ts';
import { endRescue } from './rescue.ts';
import { performLostRemoval, performRemoval } from './removal.ts';
import { DAY_MS, daysFromNow, nightlyOf, OFF, refOf, type Before } from './shared.ts';

/**
 * Begins a termination: the guest is switched off, without autostart and without its Schedule. Until its grace period is over, its disks are set aside
 * and its address is kept.
 */
export async function terminateGuest(input: { spec: GuestSpec; before: Before }): Promise<void> {
  const { spec, before } = input;
  const ref = refOf(spec);
  const operation = new Operation(`Terminating **${spec.name}** on ${spec.dom0}`, ['schedule', 'autostart', 'stop', 'volumes']);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.step(
      'schedule',
      () => control.unscheduleNightly(ref),
      () => control.scheduleNightly(nightlyOf(spec)),
    );
    await switchOffSteps(operation, spec, before, 'stop');
    await operation.step(
      'volumes',
      () => host.setAsideVolumes(ref),
      () => undo.bringBackVolumes(ref),
    );
  });
}

/** undelete: undoes `terminateGuest`; the guest is as it was before. */
export async function undeleteGuest(input: { spec: GuestSpec; before: Before }): Promise<void> {
  const { spec, before } = input;
  const ref = refOf(spec);
  const operation = new Operation(`Taking the termination of **${spec.name}** on ${spec.dom0} back`, [
    'volumes',
    ...(before.isRunning ? ['start', 'autostart'] : []),
    'schedule',
  ]);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.step(
      'volumes',
      () => host.bringBackVolumes(ref),
      () => undo.setAsideVolumes(ref),
    );
    if (before.isRunning) await startSteps(operation, spec, OFF);
    await operation.step(
      'schedule',
      () => control.scheduleNightly(nightlyOf(spec)),
      () => control.unscheduleNightly(ref),
    );
  });
}

/** The guest stops at once; its data stays until the grace period is over. */
async function beginTermination(guest: GuestAtWork, { id }: OperationRequest): Promise<OperationResult> {
  await endRescue(guest, id);
  if (guest.state.phase !== 'terminating') {
    await guest.runChild('terminate', id, (options) =>
      executeChild(terminateGuest, { ...options, args: [{ spec: guest.spec, before: guest.before }] }),
    );
    guest.state = {
      ...guest.state,
      retiredFrom: guest.state.phase,
      graceUntil: daysFromNow(guest.order.life.graceDays),
    };
    guest.setPhase('terminating');
  }
  const { graceUntil } = guest.state;
  return { kind: 'terminate', phase: guest.state.phase, ...defined({ graceUntil }) };
}

export async function performTerminate(guest: GuestAtWork, request: OperationRequest): Promise<OperationResult> {
  const { kind, id, now } = request;
  if (guest.state.phase === 'lost') return performLostRemoval(guest, request);
  if (now === true) return performRemoval(guest, kind, id);
  if (guest.state.phase === 'gone') return { kind, phase: 'gone' };
  return guest.order.life.graceDays === 0
    ? performRemoval(guest, kind, id, guest.order.backup.keepBackupsDays)
    : beginTermination(guest, request);
}

/** Back to what it was before it was terminated. */
export async function performUndelete(guest: GuestAtWork, { id }: OperationRequest): Promise<OperationResult> {
  const { phase, retiredFrom = 'running' } = guest.state;
  if (phase !== 'terminating') return { kind: 'undelete', phase };
  const before = beforeOf(retiredFrom);
  try {
    await guest.runChild('undelete', id, (options) => executeChild(undeleteGuest, { ...options, args: [{ spec: guest.spec, before }] }));
  } catch (error) {
    // Somebody wants the guest back, so its data stays for at least a day, in which undelete can be tried again.
    guest.state = { ...guest.state, graceUntil: notBefore(guest.state.graceUntil, Date.now() + DAY_MS) };
    throw error;
  }
  return guest.settlePhase('undelete', retiredFrom);
}

for (const workflow of [terminateGuest, undeleteGuest]) declareVersioning('PINNED', workflow);
