/** The one logger: JSON lines, to standard output for services (journald reads them), to a file for the embedded run. */
import pino, { type Logger as PinoLogger } from 'pino';
import {
  Runtime,
  type RuntimeOptions,
  type TelemetryOptions,
  type Logger as SdkLogger,
  type LogLevel,
  type LogMetadata,
} from '@temporalio/worker';
import { OPERATION_METRICS } from '../contract/metrics.ts';

export type Logger = PinoLogger;

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * Makes a logger.
 *
 * @param name component, in each line.
 * @param file where lines go (mode 0600, appended). Default: standard output.
 *
 * Its level is `GUESTFLOW_LOG_LEVEL` (trace, debug, info, warn, error, fatal, silent); default `info`.
 */
export function createLogger(name: string, file?: string): Logger {
  const wanted = process.env['GUESTFLOW_LOG_LEVEL'] ?? 'info';
  const known = LEVELS.includes(wanted);
  const destination = pino.destination({ dest: file ?? 1, sync: true, mkdir: true, append: true, mode: 0o600 });
  const logger = pino({ name, level: known ? wanted : 'info', timestamp: pino.stdTimeFunctions.isoTime }, destination);
  if (!known) logger.warn({ wanted, known: LEVELS }, 'GUESTFLOW_LOG_LEVEL is not a level: using info');
  return logger;
}

/** Lines that the SDK logs at every start and stop of every worker, and that help nobody. */
const EVERYDAY = /^(Worker state changed|No (workflows|Nexus services) registered)/;

/**
 * The SDK passes metadata with symbols, bigints and Errors; pino shows Errors only under `err`. If it cannot start an activity, it passes the whole task,
 * too (`task`, `taskEncoded`): that holds the order, with names, addresses and keys, which must not be logged.
 */
function plain(meta: LogMetadata | undefined): Record<string, unknown> {
  const { error, task: _task, taskEncoded: _taskEncoded, ...rest } = meta ?? {};
  return error === undefined ? rest : { ...rest, err: error };
}

/** The SDK's own log lines, and those of workflows and activities, through our logger. */
export function sdkLogger(logger: Logger): SdkLogger {
  const at = (given: LogLevel, message: string, meta?: LogMetadata): void => {
    const level = EVERYDAY.test(message) ? 'DEBUG' : given;
    logger[level.toLowerCase() as Lowercase<LogLevel>](plain(meta), message);
  };
  return {
    log: at,
    trace: (message, meta) => {
      at('TRACE', message, meta);
    },
    debug: (message, meta) => {
      at('DEBUG', message, meta);
    },
    info: (message, meta) => {
      at('INFO', message, meta);
    },
    warn: (message, meta) => {
      at('WARN', message, meta);
    },
    error: (message, meta) => {
      at('ERROR', message, meta);
    },
  };
}

/**
 * Options of the SDK's runtime: our logger, and no signal handlers, because each process of guestflow stops by its own AbortSignal.
 *
 * @param metricsAddress where it serves its metrics, and those that workflows count: `127.0.0.1:PORT`. Default: nowhere
 */
export function runtimeOptions(logger: Logger, metricsAddress?: string): RuntimeOptions {
  return {
    logger: sdkLogger(logger.child({ component: 'temporal' })),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
      ...(metricsAddress === undefined ? {} : { metrics: sdkMetrics(metricsAddress) }),
    },
  };
}

/** In seconds, and named as Prometheus wants names. */
function sdkMetrics(bindAddress: string): NonNullable<TelemetryOptions['metrics']> {
  const { operationSeconds, stepSeconds } = OPERATION_METRICS;
  return {
    attachServiceName: false,
    prometheus: {
      bindAddress,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
      histogramBucketOverrides: Object.fromEntries([operationSeconds, stepSeconds].map(({ name, buckets }) => [name, [...buckets]])),
    },
  };
}

let installed = false;

/** Gives the SDK its runtime, once a process. @param metricsAddress as in `runtimeOptions` */
export function installRuntime(logger: Logger, metricsAddress?: string): void {
  if (installed) return;
  installed = true;
  Runtime.install(runtimeOptions(logger, metricsAddress));
}
