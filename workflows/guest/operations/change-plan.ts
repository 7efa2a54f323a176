/** The operation changePlan. */
import { ApplicationFailure, executeChild } from '@temporalio/workflow';
import { defined } from '../../../contract/defined.ts';
import { formatSize } from '../../../contract/sizes.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import { Operation } from '../../saga/operation.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { refuse, type GuestAtWork } from '../at-work.ts';
import { onCrashOf, whyNotChange, withKept } from '../rules.ts';
import { refOf } from './shared.ts';

/**
 * changePlan: reserves the new plan first, then changes the guest: while it runs, if Xen and the guest can; else by a restart, if the request allows one.
 * If a part fails, all is undone.
 */
export async function changePlan(input: {
  from: GuestSpec;
  to: GuestSpec;
  isRunning: boolean;
  mayRestart?: boolean;
  /** Of a second disk that is kept for it. */
  keptBytes?: number;
}): Promise<void> {
  const { from, to, isRunning, mayRestart = true, keptBytes } = input;
  const sameDisk = to.size.diskBytes === from.size.diskBytes;
  const isLess = to.size.memoryBytes < from.size.memoryBytes || to.size.vcpus < from.size.vcpus;
  const operation = new Operation(`Plan of **${from.name}** on ${from.dom0}: ${from.plan} → ${to.plan}`, [
    'reserve',
    ...(isRunning && sameDisk ? ['adjust'] : []),
    ...(isRunning ? ['autostart-off'] : []),
    'stop',
    'disk',
    'cfg',
    ...(isRunning ? ['autostart'] : []),
    'start',
    ...(isLess ? ['give-back'] : []),
  ]);
  await operation.run(async () => {
    await operation.firstStep(
      'reserve',
      () => control.changeReservation(withKept(largerOf(from, to), keptBytes)),
      () => control.changeReservation(withKept(from, keptBytes), true),
    );
    const isAdjusted = isRunning && sameDisk ? await adjusted(operation, from, to, mayRestart) : false;
    await changeAtRest(operation, from, to, { isRunning, isAdjusted });
    if (isLess) await operation.step('give-back', () => control.changeReservation(withKept(to, keptBytes)));
  });
}

/** What a guest takes while its plan is changed: of each amount the larger one, since it gives memory back only at the end. A disk does not become smaller. */
function largerOf(from: GuestSpec, to: GuestSpec): GuestSpec {
  return {
    ...to,
    size: {
      ...to.size,
      memoryBytes: Math.max(from.size.memoryBytes, to.size.memoryBytes),
      vcpus: Math.max(from.size.vcpus, to.size.vcpus),
    },
  };
}

/** Changes memory and vcpus while the guest runs; returns whether that needs no restart any more. A disk is not changed here: the guest has it mounted. */
async function adjusted(operation: Operation, from: GuestSpec, to: GuestSpec, mayRestart: boolean): Promise<boolean> {
  const { host, undo } = dom0Steps(from.dom0, from.name, operation.onWaiting);
  return operation.step(
    'adjust',
    async () => {
      const { isDone, reason = '' } = await host.adjustGuest({ spec: to, mustNotKeepMore: false });
      if (isDone || mayRestart) return isDone;
      throw ApplicationFailure.create({
        type: 'InvalidInput',
        nonRetryable: true,
        message: `plan ${to.plan} needs a restart, which the request does not allow: ${reason}`,
        details: [{ field: 'plan' }],
      });
    },
    () => undo.adjustGuest({ spec: from, mustNotKeepMore: true }),
    (isDone) => (isDone ? `${formatSize(to.size.memoryBytes)}, ${to.size.vcpus} vcpus, without a restart` : 'needs a restart'),
  );
}

/** Changes what needs a restart, and the cfg, from which the next start is made. A guest that was adjusted keeps running. */
async function changeAtRest(
  operation: Operation,
  from: GuestSpec,
  to: GuestSpec,
  { isRunning, isAdjusted }: { isRunning: boolean; isAdjusted: boolean },
): Promise<void> {
  const ref = refOf(from);
  const { host, bulk, undo, undoBulk } = dom0Steps(from.dom0, from.name, operation.onWaiting);
  const isGrown = to.size.diskBytes > from.size.diskBytes;
  const isRestarted = isRunning && !isAdjusted;
  // It must not start with its dom0 before the change is done.
  if (isRestarted)
    await operation.step(
      'autostart-off',
      () => host.disableAutostart(ref),
      () => undo.enableAutostart(ref),
    );
  if (!isAdjusted)
    await operation.step(
      'stop',
      () => host.stopGuest(ref),
      async () => (isRunning ? undo.bootGuest(from) : undefined),
      ({ how }) => how,
    );
  await operation.step(
    'disk',
    async () => (isGrown ? bulk.growDisk({ ref, bytes: to.size.diskBytes }) : undefined),
    async () => (isGrown ? undoBulk.shrinkDisk({ ref, bytes: from.size.diskBytes }) : undefined),
    () => formatSize(to.size.diskBytes),
  );
  await operation.step(
    'cfg',
    () => host.fixCfg({ spec: to, disks: 'volume', onCrash: onCrashOf(to), from }),
    () => undo.fixCfg({ spec: from, disks: 'volume', onCrash: onCrashOf(from), undoOf: to }),
  );
  if (isRestarted)
    await operation.step(
      'autostart',
      () => host.enableAutostart(ref),
      () => undo.disableAutostart(ref),
    );
  if (!isAdjusted)
    await operation.step(
      'start',
      async () => (isRunning ? host.bootGuest(to) : undefined),
      () => undo.destroyGuest(ref),
    );
}

export async function performChangePlan(guest: GuestAtWork, { kind, id, change }: OperationRequest): Promise<OperationResult> {
  const from = guest.spec;
  if (change === undefined) throw refuse('InvalidInput', 'changePlan needs the plan to change to', 'change');
  const isRunning = guest.state.phase === 'running';
  const { plan, mayRestart, ...sizes } = change;
  const needsRestart = isRunning && !mayRestart && change.diskBytes !== from.size.diskBytes;
  const reason = whyNotChange(from, change, needsRestart);
  if (reason !== undefined) throw refuse('InvalidInput', reason, 'plan');
  const to: GuestSpec = { ...from, plan, size: { swapBytes: from.size.swapBytes, ...sizes } };
  const keptBytes = guest.state.kept?.diskBytes;
  const input = { from, to, isRunning, mayRestart, ...defined({ keptBytes }) };
  await guest.runChild(kind, id, (options) => executeChild(changePlan, { ...options, args: [input] }));
  guest.state = { ...guest.state, spec: to, plan: to.plan };
  return guest.settlePhase(kind, guest.state.phase);
}

declareVersioning('PINNED', changePlan);
