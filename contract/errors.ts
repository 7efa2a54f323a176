/**
 * The kinds of failure that cross a process boundary.
 * Free of imports, so that workflow code can use it.
 */

/** Types of failure; `type` of a Temporal ApplicationFailure and of `{"error": {"type"}}` on the command line. */
export const ERROR_TYPES = [
  /** The order cannot be done as written. Final. */
  'InvalidInput',
  /** Something of that name exists without our mark. Final. */
  'NotOurs',
  /** What is short, and by how much. */
  'NoCapacity',
  /** A dom0 lacks something. Final until the preflight row is mended. */
  'HostNotReady',
  /** A tool failed: tool, exit code, last lines of its standard error. */
  'ToolFailed',
  /** The guest did not answer in time; with the tail of its console. */
  'GuestDidNotAnswer',
  /** A check of a backup failed. */
  'BackupUnusable',
  /** Another operation on this guest runs, or its phase does not allow this one. Final. */
  'Busy',
  /** There is no such guest, dom0 or backup. Final. */
  'NotFound',
  /** The undo could not finish; what is left is listed. */
  'NeedsCleanup',
  /** Temporal, or the worker of a dom0, cannot be reached. */
  'Unreachable',
  /** Somebody cancelled it; it was undone. */
  'Cancelled',
] as const;

export type ErrorType = (typeof ERROR_TYPES)[number];

/** What an error carries across a process boundary, beside its message. */
export interface ErrorDetails {
  /** The field of the order or the preflight row that it is about. */
  readonly field?: string;
  /** The value that was refused, as text. Never a secret. */
  readonly value?: string;
  /** What to do about it. */
  readonly mend?: string;
  /** The end of the guest's console. */
  readonly console?: string;
  /** What is left on the dom0 after an undo that could not finish; of a guest that lives on, which undos those were. */
  readonly leftovers?: readonly string[];
  /** What was undone, in the order in which it was. */
  readonly undone?: readonly string[];
}

/** An error of guestflow: for the person who must act. Activities turn it into an ApplicationFailure of the same type. */
export class GuestflowError extends Error {
  readonly type: ErrorType;
  readonly details: ErrorDetails;
  /** Whether trying the same again can help. */
  readonly retryable: boolean;

  constructor(type: ErrorType, message: string, details: ErrorDetails = {}, retryable = RETRIED.has(type)) {
    super(message);
    this.name = 'GuestflowError';
    this.type = type;
    this.details = details;
    this.retryable = retryable;
  }
}

const RETRIED: ReadonlySet<ErrorType> = new Set<ErrorType>(['ToolFailed', 'GuestDidNotAnswer', 'BackupUnusable']);

/** What a log may say of an error: the message of one of ours; of any other its name alone, since its message may quote what was read. */
export function reasonForLog(error: unknown): string {
  if (error instanceof GuestflowError) return error.message;
  return error instanceof Error ? error.name : 'unknown';
}

/** Narrows a string that came over the wire. */
export function isErrorType(type: unknown): type is ErrorType {
  return ERROR_TYPES.some((known) => known === type);
}
