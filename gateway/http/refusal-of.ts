/** Turns an error of guestflow into an HTTP refusal. */
import type { GuestflowError } from '../../contract/errors.ts';
import { HttpRefusal } from '../../system/http/problem.ts';

const STATUS: Readonly<Record<GuestflowError['type'], number>> = {
  InvalidInput: 422,
  NotOurs: 409,
  NoCapacity: 409,
  HostNotReady: 409,
  ToolFailed: 500,
  GuestDidNotAnswer: 500,
  BackupUnusable: 500,
  Busy: 409,
  NotFound: 404,
  NeedsCleanup: 409,
  Unreachable: 503,
  Cancelled: 409,
};

/** Seconds after which a sender may try again when Temporal is down. */
const RETRY_AFTER = '5';

export function refusalOf(error: GuestflowError): HttpRefusal {
  const status = STATUS[error.type];
  if (status === 503)
    return new HttpRefusal(503, 'unreachable', 'Temporal, or a worker, cannot be reached now', {}, { 'retry-after': RETRY_AFTER });
  const { field } = error.details;
  return new HttpRefusal(status, kebab(error.type), error.message, field === undefined ? {} : { field });
}

function kebab(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, '$1-$2').toLowerCase();
}
