/** A guest as its operations see it. */
import { ApplicationFailure, type ChildWorkflowOptions } from '@temporalio/workflow';
import type { GuestOrder, GuestPhase, GuestRef, GuestSpec, OperationKind, OperationResult } from '../../contract/types.ts';
import type { Before } from './operations/shared.ts';
import type { GuestState } from './state.ts';

export interface GuestAtWork {
  readonly order: GuestOrder;
  readonly ref: GuestRef;
  /** What was decided of it. @throws ApplicationFailure Busy before it was provisioned */
  readonly spec: GuestSpec;
  /** How it is now: what an undo brings back. */
  readonly before: Before;
  state: GuestState;
  /** All of it is going, or was going when that failed. */
  isRemoving: boolean;
  /** Runs a child workflow, which a cancel reaches. */
  runChild<T>(kind: string, id: string, start: (options: Omit<ChildWorkflowOptions, 'args' | 'typeInfo'>) => Promise<T>): Promise<T>;
  /** Sets the phase, and shows it. */
  setPhase(phase: GuestPhase): void;
  /** It has come to this phase: what was due in the former one is not any more. */
  settlePhase(kind: OperationKind, phase: GuestPhase): OperationResult;
}

/** A failure that no attempt mends. */
export function refuse(type: string, message: string, field?: string): ApplicationFailure {
  return ApplicationFailure.create({ type, nonRetryable: true, message, details: [field === undefined ? {} : { field }] });
}
