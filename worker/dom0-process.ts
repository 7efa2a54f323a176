/** A dom0's worker with its health, metrics and traces: what the package's process and `guestflow worker dom0` are. */
import { createHost } from '../system/host.ts';
import { metricsPort } from '../system/http/health.ts';
import { createTracing } from '../system/tracing/tracing.ts';
import { runDom0Worker, type Dom0WorkerOptions } from './dom0.ts';
import { serveProcess } from './served-process.ts';
import { observeTools } from './tool-metrics.ts';
import { observers, tracesTools } from './traces.ts';
import { observeTraffic } from './traffic-metrics.ts';

/**
 * As `runDom0Worker`. Serves health and metrics if `GUESTFLOW_METRICS_PORT` names a port, and writes traces if OpenTelemetry's variables name a collector.
 *
 * @throws GuestflowError also `InvalidInput` when that is no port, or taken, or the collector's address is none
 */
export async function runDom0Process(
  options: Omit<Dom0WorkerOptions, 'host' | 'onReady' | 'onTraffic' | 'sdkMetricsAddress' | 'tracing'>,
): Promise<void> {
  const tracing = await createTracing('guestflow-dom0');
  const served = await serveProcess(metricsPort());
  try {
    await runDom0Worker({
      ...options,
      tracing,
      // Metrics cost memory: made only if they are served.
      host: createHost(
        observers(
          ...(served === undefined ? [] : [observeTools(served.registry)]),
          ...(tracing === undefined ? [] : [tracesTools(tracing)]),
        ),
      ),
      ...(served === undefined ? {} : { onTraffic: observeTraffic(served.registry), sdkMetricsAddress: served.sdkAddress }),
      onReady: (whyNot) => served?.setReadiness(whyNot),
    });
  } finally {
    await Promise.all([served?.close(), tracing?.close()]);
  }
}
