/** A collector of traces that is none: it takes OTLP over HTTP, and keeps what came. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Span {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 2: it failed. */
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

export interface Collector {
  /** Environment that names it. */
  readonly env: Readonly<Record<string, string>>;
  readonly spans: Span[];
  /** What came, as text. */
  readonly bodies: string[];
  /** It takes what is sent, and says nothing. */
  isSilent: boolean;
  close(): void;
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface Sent {
  readonly resourceSpans: {
    readonly resource: { readonly attributes: Attribute[] };
    readonly scopeSpans: {
      readonly spans: (Omit<Span, 'service' | 'startMs' | 'endMs' | 'attributes' | 'links'> & {
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly attributes: Attribute[];
        readonly links?: Span['links'];
      })[];
    }[];
  }[];
}

function valuesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

export async function openCollector(): Promise<Collector> {
  const [spans, bodies]: [Span[], string[]] = [[], []];
  const server = createServer((incoming, answer) => {
    if (collector.isSilent) return;
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      bodies.push(body);
      for (const { resource, scopeSpans } of (JSON.parse(body) as Sent).resourceSpans)
        for (const { startTimeUnixNano, endTimeUnixNano, attributes, links = [], ...span } of scopeSpans.flatMap((scope) => scope.spans))
          spans.push({
            ...span,
            service: String(valuesOf(resource.attributes)['service.name']),
            startMs: Number(startTimeUnixNano) / 1e6,
            endMs: Number(endTimeUnixNano) / 1e6,
            attributes: valuesOf(attributes),
            links,
          });
      answer.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const collector: Collector = {
    isSilent: false,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: url },
    spans,
    bodies,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return collector;
}
