/** Ids of traces. */
import { createHash } from 'node:crypto';

export interface TraceIds {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Of the span that all others are below: 16 hexadecimal digits. */
  readonly rootId: string;
}

/**
 * The trace of a workflow. Whoever knows the workflow's id writes into its trace without having been told: gateway, control worker and dom0, after a restart,
 * too; nothing of it is in a history.
 */
export function traceOf(workflowId: string): TraceIds {
  const digits = createHash('sha256').update(`guestflow trace ${workflowId}`).digest('hex');
  return { traceId: digits.slice(0, 32), rootId: digits.slice(32, 48) };
}
