/** A guest as its operations see it. */
import { ApplicationFailure, type ChildWorkflowOptions } from '@temporalio/workflow';
import type { GuestOrder, GuestPhase, GuestRef, GuestSpec } from '../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../contract/guest-requests.ts';
import type { OperationKind } from '../../contract/operations.ts';
import type { Before } from './operations/shared.ts';
import type { GuestState } from './state.ts';

export interface GuestAtWork {
  readonly order: GuestOrder;
  readonly ref: GuestRef;
  /** What was decided for it. @throws ApplicationFailure Busy before it was provisioned */
  readonly spec: GuestSpec;
  /** How it is now, which is what an undo brings back. */
  readonly before: Before;
  state: GuestState;
  /** The whole guest is being removed, or its removal has failed. */
  isRemoving: boolean;
  /** Runs a child workflow, which a cancel reaches. */
  runChild<T>(kind: string, id: string, start: (options: Omit<ChildWorkflowOptions, 'args' | 'typeInfo'>) => Promise<T>): Promise<T>;
  /** Has the guest do an operation when it is its turn. Nobody waits for it. */
  askFor(request: OperationRequest): void;
  /** Sets the phase, and shows it. */
  setPhase(phase: GuestPhase): void;
  /** Sets the phase after an operation. What was due in the former phase is dropped. */
  settlePhase(kind: OperationKind, phase: GuestPhase): OperationResult;
}

/** A failure that is not retried. */
export function refuse(type: string, message: string, field?: string): ApplicationFailure {
  return ApplicationFailure.create({ type, nonRetryable: true, message, details: [field === undefined ? {} : { field }] });
}
