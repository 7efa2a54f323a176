/** What went wrong, from what Temporal's client throws: one error of guestflow's for the person who must act. */
import {
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  QueryNotRegisteredError,
  ScheduleNotFoundError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import { GuestflowError, isErrorType } from '../contract/errors.ts';
import { isLostUpdate } from './lost-updates.ts';

/** Codes of gRPC (https://grpc.io/docs/guides/status-codes/) that get an error of their own. */
const GRPC = { permissionDenied: 7, failedPrecondition: 9, unavailable: 14, unauthenticated: 16 } as const;

/**
 * The error behind an error of Temporal's client.
 *
 * @param subject what was asked about: `guest guest1`, `dom0 xen1`
 * @param address of Temporal, for the message when it does not answer
 */
export function toGuestflowError(error: unknown, subject: string, address: string): GuestflowError {
  if (isLostUpdate(error)) return noControlWorker(subject);
  for (const link of chain(error)) {
    const known = link instanceof GuestflowError ? link : (fromFailure(link, subject) ?? fromClient(link, subject, address));
    if (known !== undefined) return known;
  }
  return new GuestflowError('ToolFailed', `${subject}: Temporal answered with an error: ${messageOf(error)}`);
}

/** The error and its causes, outermost first. */
function* chain(error: unknown): Generator {
  for (let link: unknown = error, depth = 0; link !== undefined && link !== null && depth < 20; depth += 1) {
    yield link;
    link = link instanceof Error ? link.cause : undefined;
  }
}

/** A failure that a workflow or an activity ended with. */
function fromFailure(link: unknown, subject: string): GuestflowError | undefined {
  if (link instanceof ApplicationFailure && isErrorType(link.type)) {
    const [details] = link.details ?? [];
    return new GuestflowError(link.type, link.message, typeof details === 'object' && details !== null ? details : {});
  }
  if (link instanceof CancelledFailure) return new GuestflowError('Cancelled', `${subject}: it was cancelled`);
  if (link instanceof TimeoutFailure) {
    return new GuestflowError('Unreachable', `${subject}: no worker took or finished the work in time (${link.timeoutType})`, {
      mend: 'see whether the worker of the dom0 runs: systemctl status guestflow-dom0 on that machine',
    });
  }
  return undefined;
}

/** A failure of the call itself. */
function fromClient(link: unknown, subject: string, address: string): GuestflowError | undefined {
  if (link instanceof WorkflowNotFoundError || link instanceof ScheduleNotFoundError)
    return new GuestflowError('NotFound', `there is no ${subject}`, { mend: 'guestflow list shows what there is' });
  if (link instanceof WorkflowExecutionAlreadyStartedError) return new GuestflowError('Busy', `${subject} exists already`);
  if (link instanceof QueryNotRegisteredError)
    return new GuestflowError('Unreachable', `${subject}: the control worker is of another version: ${link.message}`);
  if (link instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(link)) return noControlWorker(subject);
  // The client never cancels a request. The server does, if the worker that had the query or update has gone.
  if (isGrpcCancelledError(link))
    return new GuestflowError('Unreachable', `${subject}: Temporal cut the request off; the control worker that had it may have gone`, {
      mend: 'ask again; if it stays so, see whether a control worker runs',
    });
  if (!isGrpcServiceError(link)) return undefined;
  const code: number = link.code;
  switch (code) {
    case GRPC.unavailable:
      return temporalDoesNotAnswer(address, link.details);
    case GRPC.permissionDenied:
    case GRPC.unauthenticated:
      return new GuestflowError('Unreachable', `Temporal at ${address} refuses this client: ${link.details}`, {
        mend: 'look at TEMPORAL_API_KEY, TEMPORAL_TLS… and the namespace',
      });
    case GRPC.failedPrecondition:
      return /no poller|worker may be down/i.test(link.details) ? noControlWorker(subject) : undefined;
    default:
      return undefined;
  }
}

/** Temporal itself cannot be reached. */
export function temporalDoesNotAnswer(address: string, reason: string): GuestflowError {
  return new GuestflowError('Unreachable', `Temporal does not answer at ${address}: ${reason}`, {
    mend: 'start it with `guestflow up` (npm start), or say where it is with TEMPORAL_ADDRESS or --address',
  });
}

function noControlWorker(subject: string): GuestflowError {
  return new GuestflowError('Unreachable', `${subject}: Temporal is there, but no control worker answers`, {
    mend: 'start one with `guestflow worker control`, or `guestflow up`',
  });
}

function messageOf(error: unknown): string {
  return [...chain(error)]
    .map((link) => (link instanceof Error ? link.message : String(link)))
    .filter((text, index, all) => text !== '' && all.indexOf(text) === index)
    .join(': ');
}
