/** What events come to, and what is done about it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BillingEvent, BillingStatements, GuestView, OrderWishes, PlanTemplate, Wish } from '../../../../contract/billing.ts';
import type { GuestPhase } from '../../../../contract/guest.ts';
import { remember, verdictOn, withProblem, type KnownEvent } from '../../../../workflows/billing/inbox.ts';
import { afterEvent, isSettled, nextAction, targetOf, type Done, type Facts, type Target } from '../../../../workflows/billing/rules.ts';
import { firstState, isOver, phaseOf, restMs, type OrderState } from '../../../../workflows/billing/state.ts';

type Said = Pick<BillingEvent, 'id' | 'at' | 'says'>;

function plan(name: string): PlanTemplate {
  return { plan: name, size: { memoryBytes: 1, vcpus: 1, diskBytes: 1 }, mayRestart: true } as PlanTemplate;
}

const WISHES: OrderWishes = { hostname: 'a.example.org', sshKeys: [] };

function said(second: number, says: BillingStatements, id = `e${second}-${JSON.stringify(says)}`): Said {
  return { id, at: new Date(Date.UTC(2026, 0, 1) + second * 1_000).toISOString(), says };
}

function after(events: readonly Said[]): Target {
  return targetOf(events.reduce<Facts>(afterEvent, {}));
}

describe('what billing wants', () => {
  it.each<[string, Wish, readonly Said[]]>([
    ['nothing was said', 'nothing', []],
    ['a checkout is complete and unpaid', 'nothing', [said(1, { wishes: WISHES, namedPlan: plan('small') })]],
    ['it is paid afterwards', 'active', [said(1, { wishes: WISHES }), said(9, { life: 'paid' })]],
    ['a subscription is active', 'active', [said(1, { life: 'active' })]],
    ['a subscription is unpaid', 'suspended', [said(1, { life: 'active' }), said(2, { life: 'suspended' })]],
    ['and is paid again', 'active', [said(1, { life: 'active' }), said(2, { life: 'suspended' }), said(3, { life: 'paid' })]],
    ['the payment was before the suspension', 'suspended', [said(3, { life: 'suspended' }), said(2, { life: 'paid' })]],
    ['a subscription is deleted', 'terminated', [said(1, { life: 'active' }), said(2, { life: 'terminated' })]],
    ['its last invoice is paid after that', 'terminated', [said(2, { life: 'terminated' }), said(3, { life: 'paid' })]],
    ['a new subscription begins after that', 'active', [said(2, { life: 'terminated' }), said(3, { life: 'active' })]],
    ['an old event comes late', 'terminated', [said(5, { life: 'terminated' }), said(1, { life: 'active' })]],
    ['paid and suspended are of the same second', 'active', [said(1, { life: 'suspended' }), said(1, { life: 'paid' })]],
    ['active and deleted are of the same second', 'terminated', [said(1, { life: 'terminated' }), said(1, { life: 'active' })]],
  ])('when %s: %s', (_case, wish, events) => {
    expect(after(events).wish).toBe(wish);
    expect(after([...events].reverse()).wish).toBe(wish);
  });

  it('is the plan that a price pays for, whatever metadata says', () => {
    expect(after([said(1, { plan: plan('large') }), said(2, { namedPlan: plan('small') })]).plan?.plan).toBe('large');
    expect(after([said(2, { namedPlan: plan('small') })]).plan?.plan).toBe('small');
  });

  it('is the same whatever the order in which the events come, and however often', () => {
    const statement = fc.record(
      {
        life: fc.constantFrom('active', 'paid', 'suspended', 'terminated'),
        plan: fc.constantFrom('small', 'large').map(plan),
        namedPlan: fc.constantFrom('small', 'medium').map(plan),
        wishes: fc.constantFrom('a', 'b').map((host): OrderWishes => ({ hostname: `${host}.example.org`, sshKeys: [] })),
      },
      { requiredKeys: [] },
    ) as fc.Arbitrary<BillingStatements>;
    // Few seconds: draws are what matters.
    const event = fc.tuple(fc.nat(4), statement, fc.nat(1_000_000)).map(([second, says, id]) => said(second, says, `e${id}`));
    const events = fc.uniqueArray(event, { maxLength: 12, selector: ({ id }) => id });
    fc.assert(
      fc.property(
        events.chain((sent) => fc.tuple(fc.constant(sent), fc.shuffledSubarray([...sent, ...sent], { minLength: 2 * sent.length }))),
        ([sent, arrived]) => {
          expect(after(arrived)).toEqual(after(sent));
        },
      ),
      { numRuns: 500 },
    );
  });
});

function view(phase: GuestPhase, changes: Partial<GuestView> = {}): GuestView {
  return { order: 'A', phase, plan: 'small', isBusy: false, ...changes };
}

const NEW: Done = { wish: 'nothing' };

function target(wish: Wish, changes: Partial<Target> = {}): Target {
  return { wish, cause: 'e1', plan: plan('small'), wishes: WISHES, ...changes };
}

describe('what is done about it', () => {
  it.each<[Wish, GuestPhase | 'none', string]>([
    ['active', 'none', 'place'],
    ['active', 'failed', 'place'],
    ['active', 'ordered', 'wait'],
    ['active', 'provisioning', 'wait'],
    ['active', 'running', 'nothing'],
    ['active', 'stopped', 'nothing'],
    ['active', 'suspended', 'resume'],
    ['active', 'terminating', 'undelete'],
    ['active', 'gone', 'renew'],
    ['active', 'needs-cleanup', 'refuse'],
    ['suspended', 'none', 'nothing'],
    ['suspended', 'failed', 'nothing'],
    ['suspended', 'provisioning', 'wait'],
    ['suspended', 'running', 'suspend'],
    ['suspended', 'stopped', 'suspend'],
    ['suspended', 'suspended', 'nothing'],
    ['suspended', 'terminating', 'nothing'],
    ['suspended', 'gone', 'nothing'],
    ['terminated', 'none', 'nothing'],
    ['terminated', 'failed', 'nothing'],
    ['terminated', 'provisioning', 'wait'],
    ['terminated', 'running', 'terminate'],
    ['terminated', 'stopped', 'terminate'],
    ['terminated', 'suspended', 'terminate'],
    ['terminated', 'terminating', 'nothing'],
    ['terminated', 'gone', 'nothing'],
    ['terminated', 'needs-cleanup', 'refuse'],
    ['active', 'rescue', 'nothing'],
    ['suspended', 'rescue', 'suspend'],
    ['terminated', 'rescue', 'terminate'],
    ['active', 'lost', 'nothing'],
    ['suspended', 'lost', 'refuse'],
    ['terminated', 'lost', 'terminate'],
    ['nothing', 'running', 'nothing'],
  ])('%s is wanted and the guest is %s: %s', (wish, phase, expected) => {
    const action = nextAction(target(wish), { ...NEW, plan: 'small' }, phase === 'none' ? undefined : view(phase));
    expect(action.do === 'operate' ? action.kind : action.do).toBe(expected);
  });

  it('an order waits for its plan and for its host name', () => {
    const { plan: _plan, ...withoutPlan } = target('active');
    const { wishes: _wishes, ...withoutName } = target('active');
    expect(nextAction(withoutPlan, NEW, undefined)).toMatchObject({ do: 'lack', why: expect.stringContaining('plan') as unknown });
    expect(nextAction(withoutName, NEW, undefined)).toMatchObject({ do: 'lack', why: expect.stringContaining('host name') as unknown });
  });

  it('another plan is a change, but not of a guest that is suspended', () => {
    const larger = target('active', { plan: plan('large') });
    expect(nextAction(larger, { wish: 'active', plan: 'small' }, view('running'))).toEqual({ do: 'operate', kind: 'changePlan' });
    expect(nextAction({ ...larger, wish: 'suspended' }, { wish: 'suspended', plan: 'small' }, view('suspended'))).toEqual({
      do: 'nothing',
    });
  });

  it('a plan that an operator has changed by hand is left until billing names another', () => {
    expect(nextAction(target('active'), { wish: 'suspended', plan: 'small' }, view('running', { plan: 'large' }))).toEqual({
      do: 'nothing',
    });
  });

  it('a guest that an operator has removed is not brought back by a change of plan', () => {
    const larger = target('active', { plan: plan('large') });
    expect(nextAction(larger, { wish: 'active', plan: 'small' }, view('gone'))).toMatchObject({ do: 'refuse' });
    expect(nextAction(target('active'), { wish: 'terminated' }, view('gone'))).toEqual({ do: 'renew' });
    expect(nextAction(larger, { wish: 'active', plan: 'small' }, view('rescue'))).toMatchObject({ do: 'refuse', type: 'Busy' });
    expect(nextAction(larger, { wish: 'active', plan: 'small' }, view('lost'))).toMatchObject({ do: 'refuse', type: 'Unreachable' });
  });

  it('a guest that is busy is not taken for what it seems', () => {
    expect(nextAction(target('active'), { wish: 'suspended', plan: 'small' }, view('running', { isBusy: true }))).toMatchObject({
      do: 'wait',
    });
  });

  it('what was carried out is not enforced again: the operator has the last word', () => {
    expect(isSettled(target('active'), { wish: 'active', plan: 'small' })).toBe(true);
    expect(isSettled(target('active'), { wish: 'active', plan: 'large' })).toBe(false);
    expect(isSettled(target('suspended', { plan: plan('large') }), { wish: 'suspended', plan: 'small' })).toBe(true);
  });
});

describe('the memory of events', () => {
  const event = (id: string, digest: string, changes: Partial<BillingEvent> = {}): BillingEvent => ({
    id,
    digest,
    meaning: 'm',
    type: 't',
    order: 'A',
    at: '2026-01-01T00:00:00.000Z',
    says: {},
    ...changes,
  });

  it('knows an event that comes again, and refuses another body under its id', () => {
    const known = remember([], event('e1', 'd1'), 'now');
    expect(verdictOn(known, event('e1', 'd1'))).toBe('known');
    expect(verdictOn(known, event('e1', 'd2'))).toBe('conflict');
    expect(verdictOn(known, event('e2', 'd2'))).toBe('new');
  });

  it('takes the same event in the shape of another API version for the same, when it says the same', () => {
    const known = remember([], event('e1', 'd1', { variant: '2024-06-20' }), 'now');
    expect(verdictOn(known, event('e1', 'd2', { variant: '2026-10-28' }))).toBe('known');
    expect(verdictOn(known, event('e1', 'd2', { variant: '2026-10-28', meaning: 'other' }))).toBe('conflict');
    expect(verdictOn(known, event('e1', 'd2', { variant: '2024-06-20' }))).toBe('conflict');
  });

  it('is bounded', () => {
    let known: readonly KnownEvent[] = [];
    for (let index = 0; index < 500; index += 1) known = remember(known, event(`e${index}`, 'd'), 'now');
    expect(known).toHaveLength(100);
    expect(known.at(-1)?.id).toBe('e499');
  });

  it('lists an impostor once, however often it is sent', () => {
    const problem = { at: '1', type: 'EventConflict', message: 'm', event: 'e1' };
    expect(withProblem([problem], { ...problem, at: '2' })).toEqual([problem]);
  });
});

describe('an order at rest', () => {
  const DAY = 86_400_000;
  const start = Date.UTC(2026, 0, 1);
  const blank = firstState('A', 'g-a', new Date(start).toISOString());
  const withWish = (wish: 'active' | 'suspended' | 'terminated', work: Partial<OrderState['work']> = {}): OrderState => ({
    ...blank,
    heard: { ...blank.heard, facts: afterEvent({}, said(1, { life: wish })) },
    work: { ...blank.work, done: { wish }, ...work },
  });

  it('that nobody has paid for is forgotten after five weeks, and no sooner', () => {
    expect(isOver(blank, start + 34 * DAY)).toBe(false);
    expect(isOver(blank, start + 36 * DAY)).toBe(true);
    expect(phaseOf(blank)).toBe('waiting');
  });

  it('whose guest runs is never forgotten', () => {
    expect(isOver(withWish('active'), start + 4_000 * DAY)).toBe(false);
    expect(restMs(withWish('active'), start)).toBeUndefined();
  });

  it('is looked at when its grace period is over, and again while the guest is still there', () => {
    const inGrace = withWish('terminated', { graceUntil: new Date(start + 7 * DAY).toISOString() });
    expect(phaseOf(inGrace)).toBe('settled');
    expect(isOver(inGrace, start + 40 * DAY)).toBe(false);
    expect(restMs(inGrace, start)).toBe(7 * DAY + 60_000);
    expect(restMs({ ...inGrace, work: { ...inGrace.work, lookedAt: new Date(start + 8 * DAY).toISOString() } }, start + 8 * DAY)).toBe(
      600_000,
    );
    expect(phaseOf(withWish('terminated'))).toBe('over');
  });

  it('in trouble is tried again, later and later, but not when only another event can help', () => {
    const trouble = { at: new Date(start).toISOString(), type: 'NoCapacity', message: 'full' };
    const inTrouble = (tries: number): OrderState => withWish('active', { trouble, tries });
    expect([1, 2, 3, 20].map((tries) => restMs(inTrouble(tries), start))).toEqual([30_000, 60_000, 120_000, 3_600_000]);
    expect(phaseOf(inTrouble(1))).toBe('problem');
    expect(restMs(withWish('active', { trouble: { ...trouble, type: 'InvalidInput' }, tries: 1 }), start)).toBeUndefined();
  });
});
