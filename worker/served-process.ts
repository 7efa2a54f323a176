/** Health and metrics of a worker's process: its own, and those of Temporal's SDK, which serves them by a server of its own on another port. */
import type { Registry } from 'prom-client';
import { serveHealth, type WhyNotReady } from '../system/http/health.ts';
import { createRegistry } from '../system/http/process-metrics.ts';
import { freePort } from '../system/ports.ts';

export interface ServedProcess {
  /** Of prom-client. */
  readonly registry: Registry;
  /** Where the SDK's runtime is to serve its metrics: for `installRuntime`. */
  readonly sdkAddress: string;
  /** From now on it is ready if this says so. Before, it is not connected. */
  readonly setReadiness: (whyNot: WhyNotReady) => void;
  close(): Promise<void>;
}

/** How long the SDK's server has to answer, in milliseconds: it is in this very process. */
const SDK_ANSWERS_MS = 2_000;

/**
 * Serves on 127.0.0.1, from the start of a process on.
 *
 * @param port undefined: nothing is served
 * @throws GuestflowError `InvalidInput` when the port is taken
 */
export async function serveProcess(port: number | undefined): Promise<ServedProcess | undefined> {
  if (port === undefined) return undefined;
  const registry = createRegistry();
  const sdkAddress = `127.0.0.1:${await freePort(0, [port])}`;
  let whyNot: WhyNotReady = () => Promise.resolve('not connected to Temporal yet');
  const text = {
    contentType: registry.contentType,
    metrics: async () => {
      const [own, sdk] = await Promise.all([registry.metrics(), sdkMetrics(sdkAddress)]);
      return `${own}${sdk}`;
    },
  };
  const server = await serveHealth(port, text, () => whyNot());
  return {
    registry,
    sdkAddress,
    setReadiness: (next) => {
      whyNot = next;
    },
    close: () => server.close(),
  };
}

/** Nothing, before the runtime is installed. */
async function sdkMetrics(address: string): Promise<string> {
  try {
    const answer = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(SDK_ANSWERS_MS) });
    // Of what workflows count, the SDK writes two labels in another style than all others.
    return answer.ok
      ? (await answer.text()).replace(
          /(?<=[{,])(task|workflow)(Queue|Type)="/g,
          (_, one: string, two: string) => `${one}_${two.toLowerCase()}="`,
        )
      : '';
  } catch {
    return '';
  }
}
