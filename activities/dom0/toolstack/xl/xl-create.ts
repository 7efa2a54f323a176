/** `xl create`: makes and starts a domain. */
import { defined } from '../../../../contract/defined.ts';
import { checkedPath } from '../../tools/arguments.ts';
import type { Host } from '../../../../system/host.ts';
import { tail, ToolError, type Limits } from '../../../../system/run.ts';

const CREATE_LIMIT_MS = 180_000;

const creating = new WeakMap<Host, Promise<unknown>>();

/** xl takes a lock of the whole dom0 while it makes a domain, without a time limit: waiting here keeps the limit of each for itself. */
async function oneAtATime<T>(host: Host, work: () => Promise<T>): Promise<T> {
  const mine = (creating.get(host) ?? Promise.resolve()).then(work);
  creating.set(
    host,
    mine.catch(() => undefined),
  );
  return mine;
}

/** What xl 4.17 and 4.20 say beside the cause of a failed creation: that they read the cfg, and that the half-made domain cannot be found again. */
const BESIDE_CAUSE =
  /^Parsing config from |Domain \d+: ?(Getting domain info: No such process|Non-existant domain|Unable to destroy guest|Destruction of domain failed)$/;

/** The error with the cause of a failed creation in its message: more lines follow the cause than a message has. */
function withCause(error: unknown): unknown {
  if (!(error instanceof ToolError) || error.code === undefined || error.timedOut || error.cancelled) return error;
  const { tool, args, code, stdout, stderr, timedOut, cancelled, notFound } = error;
  const cause = tail(
    stderr
      .split('\n')
      .filter((line) => !BESIDE_CAUSE.test(line))
      .join('\n'),
  );
  const message = cause === '' ? error.message : `xl create ended with exit code ${String(code)}: ${cause}`;
  return new ToolError({ tool, args, code, stdout, stderr, timedOut, cancelled, notFound, message });
}

/**
 * Makes and starts a domain, and returns when it exists; it answers later.
 *
 * xl stays in the background to watch over the domain. Its own scope lets it live on when the worker's unit is restarted.
 *
 * @param limits time limit (default 3 min) and cancellation. A create that was ended may leave a domain behind: look with `findDomain`.
 */
export async function createDomain(host: Host, cfgPath: string, limits: Limits = {}): Promise<void> {
  const path = checkedPath('cfg', cfgPath);
  await oneAtATime(host, async () => {
    limits.signal?.throwIfAborted();
    const args = ['--scope', '--quiet', '--collect', '--slice=guestflow-guests.slice', '--', 'xl', 'create', path];
    const { timeoutMs = CREATE_LIMIT_MS, signal } = limits;
    try {
      await host.run('systemd-run', args, { label: 'xl create', timeoutMs, ...defined({ signal }) });
    } catch (error) {
      throw withCause(error);
    }
  });
}
