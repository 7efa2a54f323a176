/** What a guest carries from run to run, in words, and what falls due in it: pure. */
import { defined } from '../../contract/defined.ts';
import { operationWorkflowId } from '../../contract/names.ts';
import type { GuestOrder, GuestStatus, KeptDisk } from '../../contract/guest.ts';
import { operationRecord, type OperationKind } from '../../contract/operations.ts';

export type GuestState = Omit<GuestStatus, 'operation' | 'queued' | 'steps'>;

/** A guest that has been ordered, and is not made yet. */
export function ordered({ name, hostname, customer, order, dom0, plan }: GuestOrder, orderedAt: string): GuestState {
  return {
    name,
    ...defined({ hostname, customer }),
    order,
    dom0,
    plan,
    phase: 'ordered',
    orderedAt,
    warnings: [],
    backups: [],
    leftovers: [],
  };
}

/** What the UI shows of a guest, in Markdown. */
export function describeGuest(state: GuestState, running: { readonly kind: string; readonly workflowId: string } | undefined): string {
  return [
    `**${state.name}** is **${state.phase}** on ${state.dom0} (plan ${state.plan}, order ${state.order})`,
    ...(state.spec === undefined
      ? []
      : [`- address ${state.spec.network.ip}, ${state.spec.size.vcpus} vcpus, ${state.spec.size.memoryBytes / 2 ** 20} MiB`]),
    ...(state.kept === undefined
      ? []
      : [
          `- a disk of before is kept until ${state.kept.keptUntil}${state.kept.system === undefined ? `: backup ${state.kept.backup} was restored` : ', of before a reinstall'}`,
        ]),
    ...(state.rescue === undefined ? [] : [`- a rescue system was started at ${state.rescue.since}`]),
    ...(running === undefined ? [] : [`- ${running.kind} runs: workflow \`${running.workflowId}\``]),
    ...(state.nights ?? [])
      .slice(-1)
      .map(({ due, state: how, reason }) => `- night of ${due}: ${how}${reason === undefined ? '' : `: ${reason}`}`),
    ...state.warnings.map((warning) => `- ⚠ ${warning}`),
    ...(state.error === undefined ? [] : [`- last error: ${state.error.message}`]),
    ...state.leftovers.map((left) => `- left: ${left}`),
  ].join('\n');
}

/**
 * The state after an operation that succeeded: it drops the error of an operation before. An undo that could not finish is only settled by the same
 * operation: a backup that succeeds meanwhile does not mend it.
 */
export function withoutSettled({ error, ...rest }: GuestState, kind: OperationKind): GuestState {
  const isThere = rest.phase !== 'gone' && rest.phase !== 'failed';
  const isOpen =
    isThere &&
    error?.type === 'NeedsCleanup' &&
    error.operation !== undefined &&
    !error.operation.startsWith(operationWorkflowId(rest.name, kind, ''));
  return isOpen ? { ...rest, error } : { ...rest, leftovers: [] };
}

const WARNINGS_KEPT = 20;

/** The state with one more warning, if there is one. */
export function withWarning(state: GuestState, warning: string | undefined): GuestState {
  return warning === undefined ? state : { ...state, warnings: [...state.warnings, warning].slice(-WARNINGS_KEPT) };
}

/** Bytes of the disks that a guest has beside its own. */
export function bytesBeside({ kept, rescue }: Pick<GuestState, 'kept' | 'rescue'>): number {
  return (kept?.diskBytes ?? 0) + (rescue?.diskBytes ?? 0);
}

/** The later of a time (ISO 8601) and another (milliseconds). */
export function notBefore(at: string | undefined, ms: number): string {
  return new Date(Math.max(ms, at === undefined ? 0 : Date.parse(at))).toISOString();
}

/** The spare disk that is removed by itself at the end of its time; of a guest that is on its way out, it goes with the guest. */
export function spareDue({ phase, kept }: GuestState): KeptDisk | undefined {
  return operationRecord('keepRestored').phases.includes(phase) ? kept : undefined;
}

/** The time of the next proof; undefined if none is done by itself, or the guest is on its way out. */
export function proofDue({ phase, proveAt }: GuestState): string | undefined {
  return operationRecord('prove').phases.includes(phase) ? proveAt : undefined;
}

/** When the next attempt at a first backup is made by itself; undefined if the guest has a backup, or none can be taken in its phase. */
export function firstBackupDue({ phase, firstBackupAt }: GuestState): string | undefined {
  return operationRecord('backup').phases.includes(phase) ? firstBackupAt : undefined;
}

/** The earliest of these times (ISO 8601). */
export function firstOf(...times: readonly (string | undefined)[]): string | undefined {
  return times.filter((time) => time !== undefined).sort()[0];
}

function leftMs(at: string, nowMs: number): number {
  return Math.max(0, Date.parse(at) - nowMs);
}

/** Milliseconds until a terminated guest's data may be removed; undefined if nothing is to be removed by itself. */
export function graceLeftMs({ phase, graceUntil }: GuestState, nowMs: number): number | undefined {
  return phase === 'terminating' && graceUntil !== undefined ? leftMs(graceUntil, nowMs) : undefined;
}

/**
 * Milliseconds until something is due by itself: the end of a grace period, the end of kept backups, a start after the domain
 * has ended, the end of a disk of before a restore, a proof, or the next attempt at the first backup. Undefined if nothing is.
 */
export function untilDueMs(state: GuestState, nowMs: number): number | undefined {
  const { phase, restartAt, backupsUntil } = state;
  if (phase === 'gone' && backupsUntil !== undefined) return leftMs(backupsUntil, nowMs);
  if (phase === 'running' && restartAt !== undefined) return leftMs(restartAt, nowMs);
  const due = firstOf(spareDue(state)?.keptUntil, proofDue(state), firstBackupDue(state));
  return due === undefined ? graceLeftMs(state, nowMs) : leftMs(due, nowMs);
}
