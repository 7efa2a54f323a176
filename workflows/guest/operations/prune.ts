/** The operation prune. */
import { executeChild } from '@temporalio/workflow';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import type { Pruned } from '../../../contract/backup.ts';
import { pruneStep } from '../../backups/prune.ts';
import { Operation } from '../../saga/operation.ts';
import { dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import type { GuestAtWork } from '../at-work.ts';

/** Removes the backups that retention no longer keeps. */
export async function pruneGuest(spec: GuestSpec): Promise<Pruned> {
  const operation = new Operation(`Pruning the backups of **${spec.name}** on ${spec.dom0}`, ['prune']);
  const { host } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  return operation.run(() => pruneStep(operation, host, spec));
}

export async function performPrune(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  const pruned = await guest.runChild(kind, id, (options) => executeChild(pruneGuest, { ...options, args: [guest.spec] }));
  forget(guest, pruned);
  return { kind, phase: guest.state.phase, pruned };
}

/** Drops removed backups from the guest's list. */
export function forget(guest: GuestAtWork, { removed }: Pruned): void {
  guest.state = { ...guest.state, backups: guest.state.backups.filter((backup) => !removed.includes(backup.id)) };
}

declareVersioning('PINNED', pruneGuest);
