/** What the lab says when it cannot go on: what was being done, what went wrong, what to do. */

import { ToolError } from '../system/run.ts';
import { GuestflowError, type ErrorType } from '../contract/errors.ts';

/** Why the lab could not do what was asked. */
export type LabFailure = 'bad-input' | 'requirements' | 'not-running' | 'disk-full' | 'failed' | 'cancelled';

const TYPES: Readonly<Record<LabFailure, ErrorType>> = {
  'bad-input': 'InvalidInput',
  requirements: 'HostNotReady',
  'not-running': 'Unreachable',
  'disk-full': 'ToolFailed',
  failed: 'ToolFailed',
  cancelled: 'Cancelled',
};

/** An error for the person at the terminal; its message stands by itself. */
export class LabError extends GuestflowError {
  readonly failure: LabFailure;

  constructor(failure: LabFailure, message: string, options: { readonly cause?: unknown } = {}) {
    super(TYPES[failure], message, {}, false);
    this.failure = failure;
    if (options.cause !== undefined) this.cause = options.cause;
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a disk ran out of space, as a tool or the file system says it. */
export function isDiskFull(error: unknown): boolean {
  const said = error instanceof ToolError ? error.stderr + error.stdout : messageOf(error);
  return (
    (error as NodeJS.ErrnoException | undefined)?.code === 'ENOSPC' ||
    /no space left on device|disk quota exceeded|enough free space/i.test(said)
  );
}

/** What a tool complained about, without the command lines that it repeats. */
function complaint(error: unknown): string {
  if (!(error instanceof ToolError)) return messageOf(error);
  const lines = error.stderr.split('\n').filter((line) => /^(E|W|Err|error):?\s/i.test(line) && line.length < 300);
  return lines.length === 0 ? error.message.slice(0, 1000) : `${error.tool}: ${lines.slice(0, 4).join('; ')}`;
}

/** Turns what a stage of the lab threw into a `LabError` that names the stage. */
export function explain(stage: string, folder: string, error: unknown, signal: AbortSignal | undefined): LabError {
  if (error instanceof LabError) return error;
  if (signal?.aborted === true) return new LabError('cancelled', `interrupted while ${stage}; nothing half-made is left`, { cause: error });
  if (isDiskFull(error))
    return new LabError(
      'disk-full',
      `the disk is full: ${stage} needs room in ${folder}; what was half-made there has been removed. Free some space and try again`,
      { cause: error },
    );
  return new LabError('failed', `${stage} failed: ${complaint(error)}`, { cause: error });
}
