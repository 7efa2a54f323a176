/** What a step's work is done with, by the step itself and by the drivers that it works through. */
import type { Dom0Settings } from '../../order/dom0-settings.ts';
import { MiB } from '../../contract/sizes.ts';
import type { Host } from '../../system/host.ts';
import type { Pace } from '../../system/pace.ts';

export interface StepLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** One step's work on a dom0. */
export interface Work {
  readonly host: Host;
  readonly settings: Dom0Settings;
  /** Aborted when the activity is cancelled, or when a later attempt of it has begun. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Says how far it is: shown by the client and in the Temporal UI. */
  progress(message: string, fraction?: number): void;
  readonly log: StepLog;
}

/** The part of it that needs no settings of a dom0: what a person does by hand is done with it, too. */
export type HandWork = Pick<Work, 'host' | 'signal' | 'progress'>;

/** How fast the disks and the memory of guests that have gone are wiped, as the dom0's settings say; 0 there: as fast as the disk can. */
export function wipePace({ wipeMiBPerSecond: rate }: Dom0Settings): { readonly pace?: Pace } {
  return rate === 0 ? {} : { pace: { bytesPerSecond: rate * MiB } };
}
