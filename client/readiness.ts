/** Whether a process has Temporal: asked when somebody asks, so that it is known of a connection that has died without a word. */
import type { Client } from '@temporalio/client';
import { GuestflowError } from '../contract/errors.ts';

/** What is asked, and of whom. */
export interface ReadinessOptions {
  /** The client, as soon as there is one. Throws while there is none. */
  readonly client: () => Client | Promise<Client>;
  /** What else keeps the process from its work; undefined when nothing does. Default: nothing. */
  readonly also?: () => string | undefined;
  /** Milliseconds that Temporal has to answer. Default: 3 000. */
  readonly limitMs?: number;
  /** Milliseconds for which an answer holds. Default: 5 000. */
  readonly holdsMs?: number;
  /** Default: this machine's. */
  readonly now?: () => number;
}

/**
 * Says why a process cannot do its work: Temporal does not answer for its namespace, or what `also` says. Those who ask at the same time, or within five
 * seconds, share one question.
 */
export function createReadiness({
  client,
  also,
  limitMs = 3_000,
  holdsMs = 5_000,
  now = Date.now,
}: ReadinessOptions): () => Promise<string | undefined> {
  let asked: { readonly at: number; readonly answer: Promise<string | undefined> } | undefined;
  const ask = async (): Promise<string | undefined> => {
    try {
      await inTime(limitMs, async () => {
        const connected = await client();
        const { namespace } = connected.options;
        await connected.withDeadline(Date.now() + limitMs, () => connected.workflowService.describeNamespace({ namespace }));
      });
      return undefined;
    } catch (error) {
      return `Temporal does not answer (${error instanceof GuestflowError ? error.message : codeOf(error)})`;
    }
  };
  return async () => {
    const other = also?.();
    if (other !== undefined) return other;
    if (asked === undefined || now() - asked.at >= holdsMs) asked = { at: now(), answer: ask() };
    return asked.answer;
  };
}

/** A connection that is being made has a longer limit of its own. */
async function inTime(limitMs: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new GuestflowError('Unreachable', `not within ${limitMs / 1_000} s`)), limitMs);
  });
  const working = work();
  working.catch(() => undefined);
  try {
    await Promise.race([working, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** gRPC's code, as a number: its messages may name addresses and tokens. */
function codeOf(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? `gRPC status ${code}` : error instanceof Error ? error.name : 'unknown reason';
}
