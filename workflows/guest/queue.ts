/** The operations that were asked of a guest and are not done: one runs, the others wait. */
import { condition, CancellationScope, isCancellation, type ApplicationFailure } from '@temporalio/workflow';
import type { OperationKind } from '../../contract/operations.ts';
import type { OperationRequest, OperationResult } from '../../contract/guest-requests.ts';
import { refuse } from './at-work.ts';

/** One request. */
export interface Ticket {
  readonly request: OperationRequest;
  isBegun?: true;
  result?: OperationResult;
  failure?: ApplicationFailure;
}

export class OperationQueue {
  private readonly tickets: Ticket[] = [];

  get length(): number {
    return this.tickets.length;
  }

  /** The kinds of the operations that wait. */
  get waiting(): OperationKind[] {
    return this.tickets.filter(({ isBegun }) => isBegun !== true).map(({ request }) => request.kind);
  }

  add(request: OperationRequest): Ticket {
    const ticket: Ticket = { request };
    this.tickets.push(ticket);
    return ticket;
  }

  /** Adds a request, and waits until it is done. */
  async ask(request: OperationRequest): Promise<OperationResult> {
    const ticket = this.add(request);
    const ended = (): Promise<void> => condition(() => ticket.result !== undefined || ticket.failure !== undefined);
    // A cancel in the UI is for the operation that runs: it ends no wait, not even of a request that comes later.
    await ended().catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
      return CancellationScope.nonCancellable(ended);
    });
    if (ticket.result !== undefined) return ticket.result;
    throw ticket.failure ?? refuse('ToolFailed', 'the operation ended without a result');
  }

  /** Does the first operation, then takes it off the queue. */
  async next(work: (ticket: Ticket) => Promise<void>): Promise<void> {
    const ticket = this.tickets[0];
    if (ticket === undefined) return;
    ticket.isBegun = true;
    try {
      await work(ticket);
    } finally {
      this.tickets.shift();
    }
  }
}
