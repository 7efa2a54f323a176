/** A dom0's worker with its health and metrics: what the package's process and `guestflow worker dom0` are. */
import { createHost } from '../system/host.ts';
import { metricsPort } from '../system/http/health.ts';
import { runDom0Worker, type Dom0WorkerOptions } from './dom0.ts';
import { serveProcess } from './served-process.ts';
import { observeTools } from './tool-metrics.ts';
import { observeTraffic } from './traffic-metrics.ts';

/**
 * As `runDom0Worker`. Serves health and metrics if `GUESTFLOW_METRICS_PORT` names a port.
 *
 * @throws GuestflowError also `InvalidInput` when that is no port, or taken
 */
export async function runDom0Process(
  options: Omit<Dom0WorkerOptions, 'host' | 'onReady' | 'onTraffic' | 'sdkMetricsAddress'>,
): Promise<void> {
  const served = await serveProcess(metricsPort());
  try {
    await runDom0Worker({
      ...options,
      // Metrics cost memory: made only if they are served.
      ...(served === undefined
        ? {}
        : {
            host: createHost(observeTools(served.registry)),
            onTraffic: observeTraffic(served.registry),
            sdkMetricsAddress: served.sdkAddress,
          }),
      onReady: (whyNot) => served?.setReadiness(whyNot),
    });
  } finally {
    await served?.close();
  }
}
