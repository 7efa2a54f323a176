/** Traces as a collector gets them. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GuestflowError } from '../../../../contract/errors.ts';
import { traceOf } from '../../../../system/tracing/trace-ids.ts';
import { createTracing, type Tracing } from '../../../../system/tracing/tracing.ts';
import { openCollector, type Collector, type Span } from '../../../collector.ts';

const OPERATION = 'guest/guest1/backup/b1';

let collector: Collector;
let tracing: Tracing;
beforeEach(async () => {
  collector = await openCollector();
  for (const [name, value] of Object.entries(collector.env)) vi.stubEnv(name, value);
  tracing = (await createTracing('guestflow-test'))!;
});
afterEach(async () => {
  await tracing.close();
  collector.close();
  vi.unstubAllEnvs();
});

async function sent(): Promise<Map<string, Span>> {
  await tracing.close();
  return new Map(collector.spans.map((span) => [span.name, span]));
}

describe('a trace', () => {
  it('has the same ids for whoever knows the workflow, and others for another one', () => {
    expect(traceOf(OPERATION)).toEqual(traceOf(OPERATION));
    expect(traceOf(OPERATION).traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(traceOf(OPERATION).rootId).toMatch(/^[0-9a-f]{16}$/);
    expect(traceOf('guest/guest1/backup/b2').traceId).not.toBe(traceOf(OPERATION).traceId);
  });

  it('has its operation at the root, what was done for it below, and tools below that, whatever ends first', async () => {
    await tracing.within({ name: 'takeBackup', workflow: OPERATION, attributes: { attempt: 2 } }, async () => {
      await Promise.resolve();
      tracing.record({ name: 'lvs', startMs: 1_000, endMs: 3_500 });
    });
    tracing.record({ name: 'backup', workflow: OPERATION, isRoot: true, startMs: 0, endMs: 9_000 });
    const spans = await sent();
    const { traceId, rootId } = traceOf(OPERATION);
    expect(spans.get('backup')).toMatchObject({ traceId, spanId: rootId, startMs: 0, endMs: 9_000, service: 'guestflow-test' });
    expect(spans.get('backup')?.parentSpanId ?? '').toBe('');
    expect(spans.get('takeBackup')).toMatchObject({ traceId, parentSpanId: rootId, attributes: { attempt: 2 } });
    expect(spans.get('lvs')).toMatchObject({ traceId, parentSpanId: spans.get('takeBackup')?.spanId, startMs: 1_000, endMs: 3_500 });
  });

  it('is one of its own for what belongs to no operation, and leads to the one that it asked for', async () => {
    tracing.record({ name: 'POST /webhooks/signup', startMs: 0, endMs: 1, leadsTo: OPERATION });
    tracing.record({ name: 'other', startMs: 0, endMs: 1 });
    const spans = await sent();
    const { traceId, rootId } = traceOf(OPERATION);
    expect(spans.get('POST /webhooks/signup')).toMatchObject({ links: [{ traceId, spanId: rootId }] });
    expect(new Set([traceId, spans.get('POST /webhooks/signup')?.traceId, spans.get('other')?.traceId]).size).toBe(3);
  });

  it('says which type of failure it was, and nothing of its message', async () => {
    const failing = (error: Error): Promise<unknown> =>
      tracing.within({ name: error.name, workflow: OPERATION }, () => Promise.reject(error)).catch(() => undefined);
    await failing(new GuestflowError('NoCapacity', 'a planted secret'));
    await failing(new RangeError('a planted secret'));
    const spans = await sent();
    expect(spans.get('GuestflowError')?.status).toMatchObject({ code: 2, message: 'NoCapacity' });
    expect(spans.get('RangeError')?.status).toMatchObject({ code: 2, message: 'RangeError' });
    expect(collector.bodies.join('')).not.toContain('planted');
  });

  it('keeps apart what runs at the same time', async () => {
    await Promise.all(
      ['a', 'b'].map((name) =>
        tracing.within({ name, workflow: `guest/${name}/stop/1` }, async () => {
          await new Promise((resolve) => setTimeout(resolve, 10));
          tracing.record({ name: `tool of ${name}`, startMs: 0, endMs: 1 });
        }),
      ),
    );
    const spans = await sent();
    for (const name of ['a', 'b']) expect(spans.get(`tool of ${name}`)?.parentSpanId).toBe(spans.get(name)?.spanId);
  });
});

describe('tracing', () => {
  it('is off unless a collector is named, and where OpenTelemetry is switched off', async () => {
    expect(await createTracing('x', {})).toBeUndefined();
    expect(await createTracing('x', { OTEL_EXPORTER_OTLP_ENDPOINT: '' })).toBeUndefined();
    expect(await createTracing('x', { ...collector.env, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
  });

  it.each(['localhost:4318', 'grpc://collector', 'no address'])(
    'refuses %j as the address of a collector, and says which variable',
    async (url) => {
      await expect(createTracing('x', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url })).rejects.toMatchObject({
        type: 'InvalidInput',
        details: { field: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', value: url },
      });
    },
  );

  it('of a collector that never answers, or is away, holds nobody up', async () => {
    collector.isSilent = true;
    tracing.record({ name: 'lost', startMs: 0, endMs: 1 });
    await tracing.close();
    collector.close();
    const other = (await createTracing('guestflow-test'))!;
    other.record({ name: 'lost', startMs: 0, endMs: 1 });
    await other.close();
    expect(collector.spans).toEqual([]);
  });
});
