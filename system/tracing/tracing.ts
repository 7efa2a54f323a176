/** Traces by OpenTelemetry: off unless the standard environment variables name a collector. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { ROOT_CONTEXT, SpanStatusCode, trace, TraceFlags, type Context, type SpanContext, type Tracer } from '@opentelemetry/api';
import { GuestflowError } from '../../contract/errors.ts';
import { traceOf, type TraceIds } from './trace-ids.ts';

/** What it is, and where it stands. */
export interface SpanOf {
  readonly name: string;
  /** Workflow in whose trace it is, below the root. Default: below what runs now; if nothing does, a trace of its own. */
  readonly workflow?: string | undefined;
  /** Workflow whose trace it leads to. */
  readonly leadsTo?: string | undefined;
  readonly attributes?: Readonly<Record<string, string | number>>;
}

/** Something that has ended. */
export interface EndedSpan extends SpanOf {
  /** Milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  /** Why it failed, in a word. Default: it went well. */
  readonly failure?: string | undefined;
  /** It is the root of the workflow's trace. */
  readonly isRoot?: true;
}

export interface Tracing {
  record(span: EndedSpan): void;
  /** Does some work; what is recorded meanwhile is below it. */
  within<T>(span: SpanOf, work: () => Promise<T>): Promise<T>;
  /** Sends what is not sent yet, and waits a moment for it. */
  close(): Promise<void>;
}

/** A collector that does not answer does not hold up the end of a process. */
const CLOSE_MS = 3_000;
const SEND_MS = 10_000;

/** The variables of OpenTelemetry that name a collector of traces. */
const ENDPOINTS = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'] as const;

/**
 * Traces of this process, sent by OTLP over HTTP; undefined if nothing asks for them. Its packages are loaded only then.
 *
 * @param service `guestflow-control`, say; `OTEL_SERVICE_NAME` comes first
 * @throws GuestflowError InvalidInput when the collector's address is no URL
 */
export async function createTracing(service: string, env: NodeJS.ProcessEnv = process.env): Promise<Tracing | undefined> {
  const field = ENDPOINTS.find((name) => (env[name] ?? '') !== '');
  if (field === undefined || env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return undefined;
  mustBeUrl(field, env[field] ?? '');
  const [{ BasicTracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, { Resource }] = await Promise.all([
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  const ids = new Ids();
  const provider = new BasicTracerProvider({
    resource: Resource.default().merge(new Resource({ 'service.name': env['OTEL_SERVICE_NAME'] ?? service })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ timeoutMillis: SEND_MS }))],
    idGenerator: ids,
  });
  return new Spans(provider.getTracer('guestflow'), ids, () => provider.shutdown());
}

function mustBeUrl(field: string, value: string): void {
  if (URL.canParse(value) && /^https?:/.test(value)) return;
  throw new GuestflowError('InvalidInput', `${field} is no address of a collector: "${value}"`, {
    field,
    value,
    mend: `set it to a URL, like http://127.0.0.1:4318, or unset it`,
  });
}

/** Random ids, but for the root of a workflow's trace. */
class Ids {
  root: TraceIds | undefined;

  readonly generateTraceId = (): string => this.root?.traceId ?? randomHex(16);
  readonly generateSpanId = (): string => this.root?.rootId ?? randomHex(8);
}

function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex');
}

class Spans implements Tracing {
  private readonly tracer: Tracer;
  private readonly ids: Ids;
  private readonly shutdown: () => Promise<void>;
  private readonly current = new AsyncLocalStorage<SpanContext>();

  constructor(tracer: Tracer, ids: Ids, shutdown: () => Promise<void>) {
    this.tracer = tracer;
    this.ids = ids;
    this.shutdown = shutdown;
  }

  record({ startMs, endMs, failure, isRoot, ...of }: EndedSpan): void {
    const span = this.begin(of, new Date(startMs), isRoot === true);
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    span.end(new Date(endMs));
  }

  async within<T>(of: SpanOf, work: () => Promise<T>): Promise<T> {
    const span = this.begin(of, new Date(), false);
    try {
      return await this.current.run(span.spanContext(), work);
    } catch (error) {
      // Its message may hold what a log must not; the histories have it.
      span.setStatus({ code: SpanStatusCode.ERROR, message: typeOf(error) });
      throw error;
    } finally {
      span.end();
    }
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([this.shutdown().catch(() => undefined), late]);
    clearTimeout(timer);
  }

  /** @param startTime no number: one that is small is taken for a time since the process began */
  private begin({ name, workflow, leadsTo, attributes = {} }: SpanOf, startTime: Date, isRoot: boolean): ReturnType<Tracer['startSpan']> {
    const links = leadsTo === undefined ? [] : [{ context: contextOf(traceOf(leadsTo)) }];
    if (isRoot && workflow !== undefined) this.ids.root = traceOf(workflow);
    try {
      return this.tracer.startSpan(name, { startTime, attributes, links }, isRoot ? ROOT_CONTEXT : this.parent(workflow));
    } finally {
      this.ids.root = undefined;
    }
  }

  private parent(workflow: string | undefined): Context {
    const context = workflow === undefined ? this.current.getStore() : contextOf(traceOf(workflow));
    return context === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, context);
  }
}

function contextOf({ traceId, rootId }: TraceIds): SpanContext {
  return { traceId, spanId: rootId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'type' in error && typeof error.type === 'string' ? error.type : error.name;
}
