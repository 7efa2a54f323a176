/**
 * What billing systems have sent, as files: each is played through the gateway as signed events, in each order of arrival that it names,
 * and must come to what it says is right. `test/fixtures/billing/README.md` has the keys.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { afterEvent, targetOf, type Facts, type Target } from '../../../../workflows/billing/rules.ts';
import { bench, stripe, type FakeSink } from '../../gateway/bench.ts';
import { stripeEvent } from '../../gateway/webhooks/stripe-events.ts';

interface Case {
  readonly about: string;
  /** `null`: there is no file of prices. */
  readonly prices?: null;
  readonly orders?: readonly (readonly number[])[];
  readonly events: readonly {
    readonly id?: string;
    readonly type: string;
    readonly after: number;
    readonly previous?: object;
    readonly object: object;
  }[];
  readonly right: {
    readonly after?: readonly string[];
    readonly plan?: readonly (string | null)[];
    readonly answers?: readonly number[];
    readonly problems?: readonly (readonly string[])[];
    readonly hostname?: readonly string[];
  };
}

const FOLDER = new URL('../../../fixtures/billing/', import.meta.url);
const PRICES = { price_small: 'small', price_medium: 'medium', price_large: 'large' };

const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));

function orderIn(object: unknown): string | undefined {
  const found = /"order":"([^"]*)"/.exec(JSON.stringify(object));
  return found?.[1];
}

function targetIn(sink: FakeSink, order: string | undefined): Target {
  return targetOf(sink.events.filter((event) => event.order === order).reduce<Facts>(afterEvent, {}));
}

function seen(target: Target): { after: string; plan: string | null; problems: string[]; hostname: string | undefined } {
  return {
    hostname: target.wishes?.hostname,
    after: target.wish,
    plan: target.plan?.plan ?? null,
    problems: (target.problems ?? []).map(({ field }) => field),
  };
}

describe.each(files)('%s', (file) => {
  const { about, events, right, orders = [], prices } = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Case;
  const bodies = events.map(({ id, previous, ...event }, index) =>
    stripeEvent({
      ...event,
      id: id ?? `evt_${file.replace(/\W/g, '_')}_${index}`,
      ...(previous === undefined ? {} : { previous }),
    }),
  );

  it(`comes to what is right after each event: ${about}`, async () => {
    const { gateway, sink } = await bench({}, prices === null ? {} : PRICES);
    for (const [index, body] of bodies.entries()) {
      const { status } = await gateway(stripe(body));
      expect(status, `the answer to event ${index}`).toBe(right.answers?.[index] ?? 200);
      const order = events.slice(0, index + 1).flatMap(({ object }) => orderIn(object) ?? []);
      const state = seen(targetIn(sink, order.at(-1)));
      const wanted = {
        after: right.after?.[index],
        plan: right.plan?.[index],
        problems: right.problems?.[index],
        hostname: right.hostname?.[index],
      };
      expect(state, `after event ${index}`).toMatchObject(
        Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)),
      );
    }
  });

  it.each(orders.map((order) => [order.join(', '), order] as const))(
    'comes to the same in the order of arrival %s',
    async (_name, order) => {
      const { gateway, sink } = await bench({}, prices === null ? {} : PRICES);
      for (const index of [...order, ...order]) expect((await gateway(stripe(bodies[index]))).status).toBe(200);
      const last = events.length - 1;
      const wanted = {
        after: right.after?.[last],
        plan: right.plan?.[last],
        problems: right.problems?.[last],
        hostname: right.hostname?.[last],
      };
      expect(seen(targetIn(sink, orderIn(events[last]?.object)))).toMatchObject(
        Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)),
      );
    },
  );
});
