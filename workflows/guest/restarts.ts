/** When to start a guest again whose domain has ended by itself: after growing pauses, and not for ever. Pure. */
import type { DomainGone, RestartPolicy } from '../../contract/guest.ts';

/** Pauses before the first, second and third start within an hour. A guest that only reboots has its domain back before the first is over. */
const PAUSES_MS = [5_000, 60_000, 300_000];
const HOUR_MS = 3_600_000;

/** The starts of the last hour. */
export function recentRestarts(restarts: readonly string[], nowMs: number): readonly string[] {
  return restarts.filter((at) => nowMs - Date.parse(at) < HOUR_MS);
}

/** When to start it again (ISO 8601); undefined if it was started too often already. */
export function nextRestart(restarts: readonly string[], nowMs: number): string | undefined {
  const pause = PAUSES_MS[recentRestarts(restarts, nowMs).length];
  return pause === undefined ? undefined : new Date(nowMs + pause).toISOString();
}

/** What an operator is told of a guest that is left stopped. */
export function restartWarning(nowMs: number): string {
  return `its domain ended ${PAUSES_MS.length + 1} times within an hour, the last time at ${new Date(nowMs).toISOString()}: it is left stopped; look at its console, then start it`;
}

/** What to do about a domain that has ended: start it at that time, leave it stopped for that reason, or only count it, since Xen has restarted it. */
export type Answer = { readonly startAt: string } | { readonly leave: string } | { readonly counted: string };

/** Decides by the guest's policy, and by how often it was started already. */
export function answerTo(
  policy: RestartPolicy,
  { how, isBack }: Omit<DomainGone, 'order'>,
  restarts: readonly string[],
  nowMs: number,
): Answer {
  const now = new Date(nowMs).toISOString();
  if (policy === 'never')
    return { leave: `its domain ended at ${now}${how === undefined ? '' : ` (${how})`}: it is left stopped, as its order says` };
  if (policy === 'on-crash' && how === 'shutdown')
    return { leave: `it was shut down from inside at ${now}: it is left stopped, as its order says` };
  const startAt = nextRestart(restarts, nowMs);
  if (startAt === undefined) return { leave: restartWarning(nowMs) };
  return isBack === true ? { counted: now } : { startAt };
}
