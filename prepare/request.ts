/** The request of the operator's machine, as files in a folder on the host. The work goes on if the connection is lost. */
import { appendFileSync } from 'node:fs';
import type { Host } from '../system/host.ts';
import { GuestflowError, type ErrorDetails, type ErrorType } from '../contract/errors.ts';
import { planHost, prepareHost } from './index.ts';
import type { PrepareEvent, PrepareReport, Wishes } from './types.ts';

/** The last line of the events. */
export type Ending =
  | { readonly event: 'result'; readonly report: PrepareReport }
  | { readonly event: 'error'; readonly error: { readonly type: ErrorType; readonly message: string } & ErrorDetails };

/** Anything that is thrown, as the last line of the events. */
function ending(error: unknown): Ending {
  if (error instanceof GuestflowError) return { event: 'error', error: { type: error.type, message: error.message, ...error.details } };
  return { event: 'error', error: { type: 'ToolFailed', message: error instanceof Error ? error.message : String(error) } };
}

/** The error that an ending tells of. */
export function errorOf({ error: { type, message, ...details } }: Extract<Ending, { event: 'error' }>): GuestflowError {
  return new GuestflowError(type, message, details);
}

/**
 * Answers the request in `folder`: `wishes.json` in, `events.ndjson` out, a line for each event.
 *
 * @param signal ends the run, which is then undone
 */
export async function answerRequest(host: Host, folder: string, kind: 'plan' | 'run', signal: AbortSignal): Promise<void> {
  const say = (line: PrepareEvent | Ending): void =>
    appendFileSync(`${folder}/events.ndjson`, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  try {
    const wishes = JSON.parse(String(await host.files.read(`${folder}/wishes.json`))) as Wishes;
    const report = kind === 'plan' ? await planHost(host, wishes) : await prepareHost({ host, wishes, signal, emit: say });
    say({ event: 'result', report });
  } catch (error) {
    say(ending(error));
  }
}
