/** The operations suspend and resume. */
import { executeChild } from '@temporalio/workflow';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import { Operation } from '../../saga/operation.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import type { GuestAtWork } from '../at-work.ts';
import { startGuest, switchOff } from './power.ts';
import { endRescue } from './rescue.ts';
import type { Before } from './shared.ts';

/** suspend: shuts the guest down, or pauses it if its order says so. It does not start with its dom0 then; its address and disks stay. */
export async function suspendGuest(input: { spec: GuestSpec; before: Before }): Promise<void> {
  const { spec, before } = input;
  const how = spec.life.suspend === 'pause' ? 'pause' : 'stop';
  return switchOff(new Operation(`Suspending **${spec.name}** on ${spec.dom0}`, ['autostart', how]), spec, before, how);
}

/** resume: undo of suspend. */
export async function resumeGuest(input: { spec: GuestSpec; before: Before }): Promise<void> {
  return startGuest(input.spec, input.before, input.spec.life.suspend === 'pause' ? 'unpause' : 'start');
}

export async function performSuspend(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  await endRescue(guest, id);
  if (guest.state.phase !== 'suspended')
    await guest.runChild(kind, id, (options) =>
      executeChild(suspendGuest, { ...options, args: [{ spec: guest.spec, before: guest.before }] }),
    );
  return guest.settlePhase(kind, 'suspended');
}

export async function performResume(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  if (guest.state.phase === 'suspended')
    await guest.runChild(kind, id, (options) =>
      executeChild(resumeGuest, { ...options, args: [{ spec: guest.spec, before: guest.before }] }),
    );
  return guest.settlePhase(kind, 'running');
}

for (const workflow of [suspendGuest, resumeGuest]) declareVersioning('PINNED', workflow);
