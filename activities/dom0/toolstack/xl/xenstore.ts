/** Xenstore, where the toolstack says what happens to domains. */
import { checkedDomainId } from '../../tools/arguments.ts';
import type { Host } from '../../../../system/host.ts';
import { ToolError } from '../../../../system/run.ts';

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

/** The value of a key of xenstore; undefined if there is none. */
async function valueOf(host: Host, key: string): Promise<string | undefined> {
  try {
    return (await host.run('xenstore-read', [key])).stdout.trim();
  } catch (error) {
    if (error instanceof ToolError && error.code === 1) return undefined;
    throw error;
  }
}

/**
 * When a domain was created, or its restore began: libxl writes seconds and hundredths to `/vm/UUID/start_time`, and `xl uptime` reads them there.
 * undefined where nothing says so.
 */
export async function domainStart(host: Host, id: number): Promise<Date | undefined> {
  const vm = await valueOf(host, `/local/domain/${checkedDomainId(id)}/vm`);
  if (vm === undefined || !/^\/vm\/[0-9a-f-]{36}$/.test(vm)) return undefined;
  const seconds = (await valueOf(host, `${vm}/start_time`)) ?? '';
  return /^\d{1,12}(?:\.\d+)?$/.test(seconds) ? new Date(Number(seconds) * 1000) : undefined;
}
