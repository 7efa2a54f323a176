/** The dom0 worker's process, as the Debian package starts it: settings from /etc/guestflow, log lines to the journal. */
import { createHost } from '../system/host.ts';
import { exitCodeOf } from '../contract/exit-codes.ts';
import { GuestflowError } from '../contract/errors.ts';
import { runDom0Worker } from './dom0.ts';
import { DOM0_SETTINGS_PATH, loadDom0Settings } from './dom0-settings.ts';
import { metricsPort, serveHealth } from '../system/http/health.ts';
import { createMetrics } from './tool-metrics.ts';
import { createLogger, type Logger } from './logger.ts';
import { stopSignal } from './stop-signal.ts';

async function main(logger: Logger): Promise<void> {
  const settings = await loadDom0Settings(process.argv[2] ?? DOM0_SETTINGS_PATH);
  const signal = stopSignal(logger);
  const port = metricsPort();
  // The registry and its collectors cost memory: made only if metrics are served.
  const metrics = port === undefined ? undefined : createMetrics();
  let ready = false;
  const health = port === undefined || metrics === undefined ? undefined : await serveHealth(port, metrics.registry, () => ready);
  try {
    await runDom0Worker({
      settings,
      signal,
      logger,
      host: createHost(metrics?.observe),
      onReady: () => {
        ready = true;
      },
    });
    logger.info('stopped');
  } finally {
    await health?.close();
  }
}

const logger = createLogger('guestflow-dom0');
// The package's bundle is CommonJS, which has no top-level await.
main(logger).catch((error: unknown) => {
  if (error instanceof GuestflowError) logger.fatal({ type: error.type, ...error.details }, error.message);
  else logger.fatal({ err: error }, 'the dom0 worker failed');
  process.exitCode = error instanceof GuestflowError ? exitCodeOf(error.type) : 1;
});
