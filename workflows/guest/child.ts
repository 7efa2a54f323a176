/** The child workflow that carries out an operation. One runs at a time, in a scope of its own, so that a cancel reaches it and nothing else. */
import { CancellationScope, type ChildWorkflowOptions } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { operationWorkflowId, SEARCH_ATTRIBUTES } from '../../contract/names.ts';
import { ERROR_TYPES } from '../../contract/errors.ts';
import type { GuestRef, GuestStatus } from '../../contract/guest.ts';
import { countOperation } from '../saga/metrics.ts';
import { rootFailure } from '../saga/operation.ts';

/** Types are a label of a metric: one that is none of ours is `other`. */
function knownType(type: string): string {
  return (ERROR_TYPES as readonly string[]).includes(type) ? type : 'other';
}

export class OperationChild {
  private readonly guest: () => GuestRef;
  private readonly onChange: () => void;
  private scope: CancellationScope | undefined;
  /** The operation that runs. */
  running: GuestStatus['operation'];
  /** Workflow id of the operation that runs, or ran last. */
  last: string | undefined;

  /**
   * @param guest with the dom0 on which it is worked on
   * @param onChange called whenever an operation has begun or ended
   */
  constructor(guest: () => GuestRef, onChange: () => void) {
    this.guest = guest;
    this.onChange = onChange;
  }

  async run<T>(kind: string, id: string, start: (options: Omit<ChildWorkflowOptions, 'args' | 'typeInfo'>) => Promise<T>): Promise<T> {
    const { name, dom0 } = this.guest();
    const scope = new CancellationScope({ cancellable: true });
    const workflowId = operationWorkflowId(name, kind, id);
    this.scope = scope;
    this.last = workflowId;
    const began = Date.now();
    this.running = { kind, workflowId, startedAt: new Date(began).toISOString() };
    this.onChange();
    let result = 'done';
    try {
      return await scope.run(() =>
        start({
          workflowId,
          staticSummary: `${kind} ${name}`,
          typedSearchAttributes: [
            { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.guest, 'KEYWORD'), value: name },
            { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.dom0, 'KEYWORD'), value: dom0 },
          ],
        }),
      );
    } catch (error) {
      result = knownType(rootFailure(error).type);
      throw error;
    } finally {
      countOperation(kind, result, (Date.now() - began) / 1_000);
      this.running = undefined;
      this.onChange();
    }
  }

  /** Cancels the operation that runs, and says its kind; does nothing if none runs. */
  cancel(): { cancelled?: string } {
    const { running } = this;
    if (running === undefined) return {};
    this.scope?.cancel();
    return { cancelled: running.kind };
  }
}
