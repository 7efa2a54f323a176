/** Xenstore, where the toolstack says what happens to domains. */
import type { Host } from './host.ts';
import { ToolError } from './run.ts';

/**
 * Waits until some domain has gone or has come, and returns whether one did within the limit.
 *
 * @throws ToolError when xenstore cannot be watched.
 */
export async function awaitDomainChange(host: Host, limitMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    // Each watch fires once when it is set: the third event is the first that happened.
    await host.run('xenstore-watch', ['-n', '3', '@releaseDomain', '@introduceDomain'], { timeoutMs: limitMs, signal });
    return true;
  } catch (error) {
    if (error instanceof ToolError && error.timedOut) return false;
    throw error;
  }
}
