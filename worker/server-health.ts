/** Whether the embedded Temporal serves, and, when it does not, why. */
import { open } from 'node:fs/promises';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../contract/names.ts';
import { GuestflowError } from '../contract/errors.ts';
import { tail } from '../system/run.ts';
import { until } from '../system/until.ts';

/** Whether the server at `address` serves `namespace` with all our search attributes. */
export async function isHealthy(address: string, namespace: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: 1_000 });
    await connection.workflowService.describeNamespace({ namespace });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return Object.values(SEARCH_ATTRIBUTES).every((name) => name in customAttributes);
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

/**
 * Waits until it serves.
 *
 * @param isAlive whether its process still runs: when it does not, waiting is of no use.
 * @returns false when it ended, or did not serve within `limitMs`.
 */
export async function awaitHealthy(
  address: string,
  namespace: string,
  isAlive: () => boolean,
  limitMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const look = async (): Promise<'ended' | 'serves' | false> => (isAlive() ? (await isHealthy(address, namespace)) && 'serves' : 'ended');
  return (await until(look, { everyMs: 100, limitMs, signal })) === 'serves';
}

/** Bytes of a log file, from which a run's own lines start. */
export async function endOf(logFile: string): Promise<number> {
  try {
    const file = await open(logFile, 'r');
    try {
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  } catch {
    return 0;
  }
}

async function readFrom(logFile: string, start: number): Promise<string> {
  const file = await open(logFile, 'r');
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(Math.min(size - start, 65_536)),
      position: Math.max(start, size - 65_536),
    });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The one message for a server that did not start, from what this start wrote to its log. */
export async function whyNotStarted(logFile: string, start: number, database: string): Promise<GuestflowError> {
  const log = await readFrom(logFile, start).catch(() => '');
  if (/not a database|malformed|disk image|SQLITE_(CORRUPT|NOTADB)|no such table|schema/i.test(log)) {
    return new GuestflowError('Unreachable', `The embedded Temporal did not start: its database ${database} is damaged.`, {
      mend: `Move it away and start again (what guestflow knew of its guests goes with it; the guests themselves do not): mv ${database} ${database}.damaged`,
    });
  }
  if (/database is locked|SQLITE_BUSY/i.test(log)) {
    return new GuestflowError('Unreachable', `The embedded Temporal did not start: another process has its database ${database} open.`, {
      mend: `Find and end it: fuser -v ${database}`,
    });
  }
  if (/no space left|SQLITE_FULL/i.test(log)) {
    return new GuestflowError('Unreachable', `The embedded Temporal did not start: the disk that holds ${database} is full.`, {
      mend: 'Free some space, then start again.',
    });
  }
  const lastWords = tail(log, 3);
  return new GuestflowError('Unreachable', `The embedded Temporal did not start${lastWords === '' ? '' : `: ${lastWords}`}`, {
    mend: `Its log is ${logFile}.`,
  });
}
