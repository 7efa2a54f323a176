/** What a guest carries from run to run, in words, and what falls due in it: pure. */
import type { GuestStatus } from '../contract/types.ts';

export type GuestState = Omit<GuestStatus, 'operation' | 'queued' | 'steps'>;

/** What the UI shows of a guest, in Markdown. */
export function describeGuest(state: GuestState, running: { readonly kind: string; readonly workflowId: string } | undefined): string {
  return [
    `**${state.name}** is **${state.phase}** on ${state.dom0} (plan ${state.plan}, order ${state.order})`,
    ...(state.spec === undefined
      ? []
      : [`- address ${state.spec.network.ip}, ${String(state.spec.vcpus)} vcpus, ${String(state.spec.memoryBytes / 2 ** 20)} MiB`]),
    ...(running === undefined ? [] : [`- ${running.kind} runs: workflow \`${running.workflowId}\``]),
    ...state.warnings.map((warning) => `- ⚠ ${warning}`),
    ...(state.error === undefined ? [] : [`- last error: ${state.error.message}`]),
    ...state.leftovers.map((left) => `- left: ${left}`),
  ].join('\n');
}

function leftMs(at: string, nowMs: number): number {
  return Math.max(0, Date.parse(at) - nowMs);
}

/** Milliseconds until a terminated guest's data may go; undefined when nothing is to go by itself. */
export function graceLeftMs({ phase, graceUntil }: GuestState, nowMs: number): number | undefined {
  return phase === 'terminating' && graceUntil !== undefined ? leftMs(graceUntil, nowMs) : undefined;
}

/**
 * Milliseconds until something is due that nobody asks for: the end of a grace period or of backups that were kept, or a start after the
 * domain was gone. Undefined when nothing is.
 */
export function untilDueMs(state: GuestState, nowMs: number): number | undefined {
  const { phase, restartAt, backupsUntil } = state;
  if (phase === 'gone' && backupsUntil !== undefined) return leftMs(backupsUntil, nowMs);
  return phase === 'running' && restartAt !== undefined ? leftMs(restartAt, nowMs) : graceLeftMs(state, nowMs);
}
