/** The gateway as a process: it listens until it is told to stop, and reads its files anew at SIGHUP. */
import pino from 'pino';
import { findEndpoint, type EndpointOptions } from '../client/config.ts';
import { createReadiness } from '../client/readiness.ts';
import type { Session } from '../client/session.ts';
import { GuestflowError, reasonForLog } from '../contract/errors.ts';
import { assembleGateway } from './assemble.ts';
import { loadConfiguration, type GatewayConfiguration, type GatewayFiles } from './configuration.ts';
import { ConsoleHub } from './console/hub.ts';
import { consoleUpgrade } from './console/upgrade.ts';
import { FilesHub } from './files/hub.ts';
import type { Gateway, GatewayLog } from './gateway.ts';
import { createLazySession } from './lazy-session.ts';
import { metricsPort, serveHealth } from '../system/http/health.ts';
import type { Answered } from '../system/http/handler.ts';
import { serve } from '../system/http/server.ts';
import { createTracing } from '../system/tracing/tracing.ts';
import { createGatewayMetrics } from './metrics.ts';
import { createProbe } from './probe.ts';
import { tracesAnswers } from './traces.ts';
import { isTakenBack } from './v1/console.ts';
import { createGuestApi } from './v1/temporal-guests.ts';

export interface RunOptions {
  readonly files: GatewayFiles;
  readonly endpoint: EndpointOptions;
  /** `HOST:PORT`, or `PORT` on 127.0.0.1. */
  readonly listen: string;
  readonly answerMs?: number | undefined;
  readonly signal: AbortSignal;
  readonly log?: GatewayLog;
}

/** JSON lines on standard output: journald reads them. */
function createLog(): GatewayLog {
  return pino({ name: 'gateway', timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 1, sync: false }));
}

/** Runs the gateway until the signal fires. Throws GuestflowError InvalidInput. */
export async function runGateway({ files, endpoint, listen, answerMs, signal, log = createLog() }: RunOptions): Promise<void> {
  const session = createLazySession(() => findEndpoint(endpoint));
  const port = metricsPort();
  const metrics = port === undefined ? undefined : createGatewayMetrics();
  const first = await loadConfiguration(files);
  const tracing = await createTracing('guestflow-gateway');
  const traced = tracing && tracesAnswers(tracing);
  const observe = (answered: Answered): void => {
    metrics?.observe(answered);
    traced?.(answered);
  };
  const { consoles, files: opened } = createHubs(first, () => session.get(), log);
  const assemble = (configuration: GatewayConfiguration): Gateway =>
    assembleGateway({ configuration, session: () => session.get(), log, answerMs, observe, consoles, files: opened, stopping: signal });
  let gateway = assemble(first);
  const upgrade = consoles && consoleUpgrade(consoles);
  const server = await serve((request) => gateway(request), { ...parseListen(listen), upgrade });
  const probe = createProbe(() => findEndpoint(endpoint));
  const readiness = createReadiness({ client: () => probe.client() });
  const health = port === undefined || metrics === undefined ? undefined : await serveHealth(port, metrics.registry, readiness);
  // Connects now, if it can, so that the first event need not wait for it.
  session.get().then(
    () => log.info({}, 'connected to Temporal'),
    (error: unknown) => log.warn({ reason: reasonForLog(error) }, 'Temporal cannot be reached yet; events are answered with 503'),
  );
  const readAnew = async (): Promise<void> => {
    const fresh = await loadConfiguration(files);
    gateway = assemble(fresh);
    consoles?.endOf((holder) => isTakenBack(holder, fresh.tokens));
  };
  const reload = (): void => {
    readAnew().then(
      () => log.info({}, 'files read anew'),
      (error: unknown) => log.error({ reason: reasonForLog(error) }, 'the files are not good; the former ones stay in force'),
    );
  };
  process.on('SIGHUP', reload);
  log.info({ url: server.url }, 'gateway listens');
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  process.off('SIGHUP', reload);
  consoles?.close();
  opened?.close();
  await server.close();
  await health?.close();
  await probe.close();
  await session.close();
  await tracing?.close();
}

/** The consoles and the opened backups of this process. None where it has no customer's page to show them on. */
function createHubs(
  { page }: GatewayConfiguration,
  session: () => Promise<Session>,
  log: GatewayLog,
): { readonly consoles?: ConsoleHub; readonly files?: FilesHub } {
  if (page === undefined) return {};
  const guests = createGuestApi(session);
  const consoles = new ConsoleHub({ origin: page.origin, openConsole: (guest, wish) => guests.openConsole(guest, wish), log });
  const files = new FilesHub({ arrivals: consoles.arrivals, openFiles: (guest, wish) => guests.openFiles(guest, wish), log });
  return { consoles, files };
}

function parseListen(listen: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(listen) ?? [];
  if (port === undefined || Number(port) > 65_535)
    throw new GuestflowError('InvalidInput', `--listen "${listen}" is no HOST:PORT`, { field: 'listen', value: listen });
  return { host: bracketed ?? plain ?? '127.0.0.1', port: Number(port) };
}
