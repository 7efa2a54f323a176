/** The removal of a guest, by terminate (at once, or when its grace period is over) and by cleanup. */
import { executeChild } from '@temporalio/workflow';
import { defined } from '../../../contract/defined.ts';
import type { OperationKind } from '../../../contract/operations.ts';
import type { GuestRef, OrderRef } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import { leftoversOf } from '../../saga/leftovers.ts';
import { Operation } from '../../saga/operation.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { refuse, type GuestAtWork } from '../at-work.ts';
import { graceLeftMs } from '../state.ts';
import { daysFromNow } from './shared.ts';

/**
 * Removes all of a guest: it runs the undo of every step of provisioning, whether or not that step was reached.
 * It serves both the end of a guest and the cleanup after an undo that could not finish. It may be repeated. Backups may be left for later.
 */
export async function removeGuest(input: OrderRef & { readonly keepsBackups?: true; readonly isLost?: true }): Promise<void> {
  const { dist, keepsBackups, isLost, ...ref } = input;
  if (isLost === true) return removeLost(ref);
  const { undo, undoBulk } = dom0Steps(ref.dom0, ref.name);
  // The order matters: a domain ends before its disks are removed, and its cfg, which marks the domain as ours, is removed after it.
  const removals = [
    ['schedule', () => control.unscheduleNightly(ref)],
    ['domain', () => undo.destroyGuest(ref)],
    ['volumes', () => undoBulk.removeVolumes(ref)],
    ['image', () => undo.removeImage(ref)],
    ...(dist === undefined ? [] : [['golden', () => undoBulk.discardHalfGolden({ dist })] as const]),
    ['cfg', () => undo.removeCfg(ref)],
    ...(keepsBackups === true ? [] : [['backups', () => undo.removeBackups(ref)] as const]),
    ['state', () => undo.removeGuestState(ref)],
  ] as const;
  const operation = new Operation(`Removing **${ref.name}** from ${ref.dom0}`, [...removals.map(([name]) => name), 'lease']);
  await operation.removeAll(removals, ['lease', () => control.release(ref)], () => leftoversOf(undo, { ...ref, ...defined({ dist }) }));
}

/** Of a guest of a dom0 that is lost there is nothing to remove there: its address and its part of the ledger are given back. */
async function removeLost(ref: GuestRef): Promise<void> {
  const operation = new Operation(`Giving back what **${ref.name}** has, whose dom0 ${ref.dom0} is lost`, ['schedule', 'lease']);
  await operation.removeAll([['schedule', () => control.unscheduleNightly(ref)]], ['lease', () => control.release(ref)], () =>
    Promise.resolve([]),
  );
}

/** The end of a guest whose dom0 is lost. Without a grace period: what one would keep is lost, and its backups elsewhere are not touched. */
export async function performLostRemoval(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  await guest.runChild(kind, id, (options) => executeChild(removeGuest, { ...options, args: [{ ...guest.ref, isLost: true }] }));
  const { graceUntil: _none, backupsUntil: _kept, lost: _over, ...rest } = guest.state;
  guest.state = { ...rest, leftovers: [] };
  return guest.settlePhase(kind, 'gone');
}

/** @param keepBackupsDays its backups are removed so many days later. Default: 0, with all the rest */
export async function performRemoval(guest: GuestAtWork, kind: OperationKind, id: string, keepBackupsDays = 0): Promise<OperationResult> {
  const wasOrdered = guest.state.spec === undefined;
  const keeps = keepBackupsDays > 0 ? ({ keepsBackups: true } as const) : {};
  if (!wasOrdered) guest.setPhase('terminating');
  guest.isRemoving = true;
  const { removalKeepsDays: _former, ...state } = guest.state;
  guest.state = keepBackupsDays > 0 ? { ...state, removalKeepsDays: keepBackupsDays } : state;
  const args = wasOrdered ? { ...guest.ref, dist: guest.order.os.dist } : { ...guest.ref, ...keeps };
  await guest.runChild(kind, id, (options) => executeChild(removeGuest, { ...options, args: [args] }));
  const { graceUntil: _over, backupsUntil: _gone, removalKeepsDays: _done, ...rest } = guest.state;
  guest.state = { ...rest, leftovers: [], ...(keepBackupsDays > 0 ? { backupsUntil: daysFromNow(keepBackupsDays) } : {}) };
  guest.setPhase(wasOrdered ? 'failed' : 'gone');
  return { kind, phase: guest.state.phase };
}

export async function performCleanup(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  if ((graceLeftMs(guest.state, Date.now()) ?? 0) > 0)
    throw refuse(
      'Busy',
      `cleanup of ${guest.order.name} is refused: its data stays until ${guest.state.graceUntil ?? ''}; "terminate --now" ends that`,
    );
  return performRemoval(guest, kind, id, guest.state.removalKeepsDays);
}

declareVersioning('PINNED', removeGuest);
