/** What is traced, and whose trace it is in. Free of imports: workflow code uses it. */

/** Where an operation's workflow begins and ends, and an activity that it asked for. Told by the workflow, written by its worker. */
export interface WorkflowSpan {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  /** Type of the failure. Default: it went well. */
  readonly failure?: string;
}

/**
 * Whether a workflow is one piece of work with an end, and so has a trace: an operation on a guest, or a task on a dom0. Guests, ledgers and networks live
 * for years.
 */
export function hasTrace(workflowId: string): boolean {
  return /^guest\/[^/]+\/[^/]+\/.|^dom0\/[^/]+\/./.test(workflowId);
}
