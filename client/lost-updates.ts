/**
 * Updates that were lost on their way; their sender sends them again. Temporal gives an update up if the worker that had it has gone, or if the workflow's
 * run ended before it saw the update (a ledger that continues as new). Imports nothing from Temporal: it knows errors by their shape.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Codes of gRPC (https://grpc.io/docs/guides/status-codes/). */
const GRPC = { notFound: 5, aborted: 10, unavailable: 14 } as const;

interface Link {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
}

/** The error and its causes, outermost first. */
function* chain(error: unknown): Generator<Link> {
  for (let link = error, depth = 0; typeof link === 'object' && link !== null && depth < 10; depth += 1) {
    yield link;
    link = (link as Link).cause;
  }
}

function isNotFound({ name, code }: Link): boolean {
  return name === 'WorkflowNotFoundError' || code === GRPC.notFound;
}

/** What the server (1.32) says of an update that it took for a run which then ended. */
function isOfEndedRun({ code, message }: Link): boolean {
  return code === GRPC.aborted || (code === GRPC.unavailable && /update was aborted/.test(String(message)));
}

/**
 * Whether an update-with-start met the end of a run: `NOT_FOUND: Update-with-Start could not be executed`, or an abortion. Such a request starts the
 * workflow when there is none, so that it cannot be missing.
 */
export function isMetByEnd(error: unknown): boolean {
  return [...chain(error)].some((link) => isNotFound(link) || isOfEndedRun(link));
}

/** Whether an update of a ledger met the end of its run: the next run begins in a moment. An error that says that there is no such ledger does not count. */
function isBetweenRuns(error: unknown): boolean {
  return [...chain(error)].some(
    (link) => isOfEndedRun(link) || (isNotFound(link) && /already completed|could not be executed/.test(String(link.message))),
  );
}

/** What the server (1.32) says of an update whose worker has gone, or was late: the workflow has not seen the update. */
const UNPROCESSED = 'UnprocessedUpdate';

/** Whether an error of Temporal's client says that an update was lost on its way: the same one may be sent again. */
export function isLostUpdate(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'type' in cause && cause.type === UNPROCESSED;
}

/** How often something is sent in all, and the pause after so many tries, in milliseconds. */
export interface Tries {
  readonly most: number;
  readonly pauseMs: (tried: number) => number;
}

const DOUBLING: Tries = { most: 5, pauseMs: (tried) => 200 * 2 ** (tried - 1) };

/** Sends something again while its error is one that passes. */
export async function sentAgain<T>(send: () => Promise<T>, passes: (error: unknown) => boolean, { most, pauseMs } = DOUBLING): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await send();
    } catch (error) {
      if (tried === most || !passes(error)) throw error;
      await sleep(pauseMs(tried));
    }
  }
}

/** Sends an update. If it is lost, sends it again, up to five times in all. */
export function untilTaken<T>(send: () => Promise<T>): Promise<T> {
  return sentAgain(send, isLostUpdate);
}

/**
 * As `untilTaken`, for an update-with-start. Each update-with-start of guestflow goes through here.
 *
 * @param send makes its start operation anew: the SDK takes each only once
 */
export function untilStartedAndTaken<T>(send: () => Promise<T>): Promise<T> {
  return sentAgain(send, (error) => isLostUpdate(error) || isMetByEnd(error));
}

/** Like `untilTaken`, for an update of a ledger (`dom0`, `network`), which may be continuing as new. */
export function untilTakenByLedger<T>(send: () => Promise<T>): Promise<T> {
  return sentAgain(send, (error) => isLostUpdate(error) || isBetweenRuns(error));
}
