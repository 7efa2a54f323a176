/** SIGTERM and SIGINT as an AbortSignal, for processes that are services. */
import type { Logger } from './logger.ts';

/**
 * Fires on the first SIGTERM or SIGINT. Later ones are only logged: the service manager sends SIGKILL to a process that does not end.
 */
export function stopSignal(logger: Logger): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      logger.info({ signal: name }, controller.signal.aborted ? 'stopping already' : 'stopping: steps that run may end');
      controller.abort();
    });
  }
  return controller.signal;
}
