/** What `guestflow worker …` does: the processes that `worker/` makes, with this command's flags. */
import type { WorkerOptions } from './commands/worker.ts';
import { defined } from '../contract/defined.ts';

function endpointOf({ address, namespace, stateDir }: WorkerOptions): { address?: string; namespace?: string; stateDir?: string } {
  return {
    ...defined({ address, namespace, stateDir }),
  };
}

/** Runs the control worker until SIGTERM or SIGINT. */
export async function control(options: WorkerOptions): Promise<undefined> {
  const [{ runControlWorker }, { createLogger }, { stopSignal }, { metricsPort }] = await Promise.all([
    import('../worker/control.ts'),
    import('../worker/logger.ts'),
    import('../worker/stop-signal.ts'),
    import('../system/http/health.ts'),
  ]);
  const logger = createLogger('control');
  await runControlWorker({ ...endpointOf(options), logger, signal: stopSignal(logger), metricsPort: metricsPort() });
  return undefined;
}

/** Runs the worker of this dom0 until SIGTERM or SIGINT. */
export async function dom0(options: WorkerOptions): Promise<undefined> {
  const [{ runDom0Process }, { bundledReader: reader }, { loadDom0Settings }, { createLogger }, { stopSignal }] = await Promise.all([
    import('../worker/dom0-process.ts'),
    import('./repository/bundled-reader.ts'),
    import('../worker/dom0-settings.ts'),
    import('../worker/logger.ts'),
    import('../worker/stop-signal.ts'),
  ]);
  const settings = await loadDom0Settings(options.settings);
  const logger = createLogger('dom0');
  await runDom0Process({ ...endpointOf(options), settings, logger, signal: stopSignal(logger), reader });
  return undefined;
}
