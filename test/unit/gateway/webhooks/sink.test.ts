/** How an event gets to the workflow of its order, and what a sender hears when it does not. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Session } from '../../../../client/session.ts';
import type { BillingEvent } from '../../../../contract/billing.ts';
import { GuestflowError } from '../../../../contract/errors.ts';
import { createEventSink } from '../../../../gateway/webhooks/event-sink.ts';
import { createLazySession, within } from '../../../../gateway/lazy-session.ts';

function event(changes: Partial<BillingEvent> = {}): BillingEvent {
  return {
    id: 'signup/msg_1',
    digest: 'a'.repeat(64),
    meaning: 'm',
    type: 'order.paid',
    order: 'A',
    at: '2026-01-01T00:00:00.000Z',
    says: { life: 'active' },
    ...changes,
  };
}

/** A session whose updates go to `answer`. */
function sessionWith(answer: (event: BillingEvent, updateId: string) => Promise<unknown>): Session {
  const executeUpdateWithStart = (
    _name: string,
    { args: [sent], updateId }: { args: [BillingEvent]; updateId: string },
  ): Promise<unknown> => answer(sent, updateId);
  return {
    client: { workflow: { executeUpdateWithStart } },
    call: (_subject: string, work: () => Promise<unknown>) => work(),
  } as unknown as Session;
}

describe('an event', () => {
  it('has an update id of its own for each body: Temporal answers a known one without a look at what it holds', async () => {
    const ids: string[] = [];
    const sink = createEventSink(
      () =>
        Promise.resolve(
          sessionWith((_event, updateId) => {
            ids.push(updateId);
            return Promise.resolve({ verdict: 'taken' });
          }),
        ),
      1_000,
    );
    await sink.deliver(event());
    await sink.deliver(event());
    await sink.deliver(event({ digest: 'b'.repeat(64) }));
    expect(ids[0]).toBe(ids[1]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  it('that comes again in the name of another order goes to the first one, and says nothing there', async () => {
    const got: BillingEvent[] = [];
    const session = sessionWith((sent) => {
      got.push(sent);
      return Promise.resolve({ verdict: 'taken' });
    });
    const sink = createEventSink(() => Promise.resolve(session), 1_000);
    await sink.deliver(event());
    await sink.deliver(event({ order: 'B', digest: 'b'.repeat(64) }));
    expect(got[1]).toMatchObject({ order: 'A', says: {}, digest: 'b'.repeat(64) });
  });

  it('that Temporal did not take is not remembered: it may be sent in its own name later', async () => {
    const got: BillingEvent[] = [];
    const session = sessionWith((sent) => {
      got.push(sent);
      return Promise.reject(new GuestflowError('Unreachable', 'down'));
    });
    const sink = createEventSink(() => Promise.resolve(session), 1_000);
    await sink.deliver(event()).catch(() => undefined);
    await sink.deliver(event({ order: 'B' })).catch(() => undefined);
    expect(got[1]).toMatchObject({ order: 'B', says: { life: 'active' } });
  });

  it.each(['NotFound', 'ToolFailed', 'Busy'] as const)('that Temporal refuses by %s is to be sent again', async (type) => {
    const session = sessionWith(() => Promise.reject(new GuestflowError(type, 'the workflow is busy')));
    await expect(createEventSink(() => Promise.resolve(session), 1_000).deliver(event())).rejects.toMatchObject({ type: 'Unreachable' });
  });

  it('is given up when Temporal hangs', async () => {
    const session = sessionWith(() => new Promise(() => undefined));
    await expect(createEventSink(() => Promise.resolve(session), 20).deliver(event())).rejects.toMatchObject({ type: 'Unreachable' });
  });
});

describe('many events at once', () => {
  it('are with Temporal 32 at a time, in their order, and all are taken', async () => {
    let [now, most] = [0, 0];
    const got: string[] = [];
    const session = sessionWith(async ({ id }) => {
      got.push(id);
      most = Math.max(most, (now += 1));
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      return { verdict: 'taken' };
    });
    const sink = createEventSink(() => Promise.resolve(session), 60_000);
    const ids = Array.from({ length: 200 }, (_, index) => `signup/msg_${index}`);
    await Promise.all(ids.map((id) => sink.deliver(event({ id }))));
    expect(got).toEqual(ids);
    expect(most).toBe(32);
  });

  it('that nobody waits for any more are not begun, and those that hang make room', async () => {
    let begun = 0;
    const session = sessionWith(() => {
      begun += 1;
      return new Promise(() => undefined);
    });
    // All of them come in one instant, however busy the machine is.
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const sink = createEventSink(() => Promise.resolve(session), 1_000);
    const delivered = Promise.allSettled(Array.from({ length: 100 }, (_, index) => sink.deliver(event({ id: `signup/msg_${index}` }))));
    await vi.advanceTimersByTimeAsync(1_000);
    const outcomes = await delivered;
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect(begun).toBe(32);
    const later = expect(sink.deliver(event({ id: 'signup/later' }))).rejects.toMatchObject({ type: 'Unreachable' });
    await vi.advanceTimersByTimeAsync(1_000);
    await later;
    expect(begun).toBe(33);
  });
});

describe('the connection', () => {
  it('is made once for all who ask at the same time, and again after it could not be made', async () => {
    let tries = 0;
    const session = sessionWith(() => Promise.resolve({}));
    const lazy = createLazySession(
      () => Promise.resolve({} as never),
      () => ((tries += 1) === 1 ? Promise.reject(new GuestflowError('Unreachable', 'down')) : Promise.resolve(session)),
    );
    await expect(lazy.get()).rejects.toMatchObject({ type: 'Unreachable' });
    expect(await Promise.all([lazy.get(), lazy.get(), lazy.get()])).toEqual([session, session, session]);
    expect(tries).toBe(2);
  });

  it('has a limit for everything', async () => {
    await expect(within(10, () => new Promise(() => undefined))).rejects.toMatchObject({ type: 'Unreachable' });
    expect(await within(1_000, () => Promise.resolve(7))).toBe(7);
  });
});
