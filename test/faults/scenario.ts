/** One order through the real workflows, disturbed at chosen calls; its end is checked on the dom0, in the ledger and in its status. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { GUEST_UPDATES, nightlyScheduleId } from '../../contract/names.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import type { FakeDom0Options } from '../../fake/index.ts';
import { booksOf, emptyComplaints, fullComplaints, lostComplaints } from './books.ts';
import type { Verdict } from './case.ts';
import { asBefore, asOrdered, leftOn } from './invariants.ts';
import { inexact, notOfThese } from './lists.ts';
import { failureOf, type Call, type Server } from './server.ts';
import { placesIn, type Tape } from './tape.ts';
import { orderOf, refOf, World } from './world.ts';

/** An attempt of an activity: `fixCfg#2` is the second one that the guest's workflows called, however often it was attempted. */
export interface Moment {
  readonly key: string;
  readonly call: Call;
  readonly scenario: Scenario;
}

export interface Disturbance {
  /** Before the attempt. What it throws is the attempt's failure. */
  readonly before?: (moment: Moment) => Promise<void> | void;
  /** After the attempt, before Temporal hears of it. */
  readonly after?: (moment: Moment) => Promise<void> | void;
}

/** What comes of the order. */
export interface Expectation {
  /** Default: any good end. */
  readonly end?: Verdict['end'];
}

/** Where orders are played, and what one calls when nothing disturbs it. */
interface Stage {
  readonly server: Server;
  readonly tape: Tape;
}

export class Scenario {
  readonly server: Server;
  readonly name: string;
  readonly host: string;
  readonly world: World;
  /** Keys in the order in which they were first called. */
  readonly keys: string[] = [];
  /** Of these Temporal has heard that they are done. */
  private readonly done = new Set<string>();
  /** Whether what was to disturb it has done so. */
  isDisturbed = false;
  private readonly keyOf = new Map<string, string>();
  private readonly tape: Tape;
  private readonly disturbance: Disturbance;
  private holdsNothing = false;

  private constructor({ server, tape }: Stage, name: string, world: World, disturbance: Disturbance) {
    this.server = server;
    this.tape = tape;
    this.name = name;
    this.host = world.settings.host;
    this.world = world;
    this.disturbance = disturbance;
  }

  static async create(
    stage: Stage,
    name: string,
    host: string,
    disturbance: Disturbance,
    options: Partial<FakeDom0Options> = {},
  ): Promise<Scenario> {
    const scenario = new Scenario(stage, name, await World.create(host, options), disturbance);
    stage.server.lead(name, (call, work) => scenario.answer(call, work));
    return scenario;
  }

  private key({ activity, activityId }: Call): string {
    const known = this.keyOf.get(activityId);
    if (known !== undefined) return known;
    const count = this.keys.filter((key) => key.startsWith(`${activity}#`)).length;
    const key = `${activity}#${String(count + 1)}`;
    this.keyOf.set(activityId, key);
    this.keys.push(key);
    return key;
  }

  private async answer(call: Call, work: () => Promise<unknown>): Promise<unknown> {
    const moment: Moment = { key: this.key(call), call, scenario: this };
    if (!call.isControl) this.world.startWorker();
    await this.disturbance.before?.(moment);
    const result = call.isControl ? await work() : await this.world.attempt(call.activity, call.input);
    await this.disturbance.after?.(moment);
    this.done.add(moment.key);
    return result;
  }

  async cancel(): Promise<void> {
    await this.server.handle(this.name).executeUpdate(GUEST_UPDATES.cancel);
  }

  /** Orders, waits for the end, and checks it; when something is left, mends and cleans up, and checks again. */
  async play(mend: () => Promise<void> | void = () => undefined): Promise<Verdict> {
    const before = this.world.snapshot();
    const order = orderOf(this.name, this.host);
    await this.server.place(order);
    const status = await this.server.settled(this.name);
    if (status.phase === 'running')
      return {
        end: 'as ordered',
        complaints: [
          ...asOrdered(before, this.world.snapshot(), refOf(order), this.world.settings),
          ...fullComplaints(await this.books(), status.spec, this.world.snapshot()),
          ...saysNothingOf(status),
        ],
      };
    if (status.phase === 'failed') {
      this.world.dom0.faults.restart();
      return { end: 'as before', complaints: [...(await this.goneAltogether(before)), ...saysNothingOf(status)] };
    }
    if (status.phase !== 'needs-cleanup') return { end: 'as before', complaints: [`the guest is ${status.phase}`] };
    return {
      end: 'needs cleanup, then as before',
      complaints: [...(await this.isExact(status, before)), ...(await this.cleanedUp(before, mend))],
    };
  }

  private async goneAltogether(before: ReturnType<World['snapshot']>): Promise<string[]> {
    const isClosed = await this.closed();
    const held = emptyComplaints(await this.books());
    this.holdsNothing = held.length === 0;
    return [
      ...asBefore(before, this.world.snapshot(), this.world.settings),
      ...held,
      ...(isClosed ? [] : ['the name is not free: its workflow is open']),
    ];
  }

  private async closed(): Promise<boolean> {
    for (let look = 0; look < 50; look += 1) {
      if (!(await this.server.isOpen(this.name))) return true;
      await sleep(100);
    }
    return false;
  }

  private async books(): ReturnType<typeof booksOf> {
    return booksOf(this.server, this.host, this.name);
  }

  /** What is left is listed, and what is in use is not promised to others. */
  private async isExact(status: GuestStatus, before: ReturnType<World['snapshot']>): Promise<string[]> {
    // With its condition on, a dom0 may say that it has no room; the list is of what there is.
    const { left, unlisted } = leftOn(
      before,
      this.world.snapshot(),
      { name: this.name, order: status.order, dom0: this.host },
      this.world.settings,
    );
    const books = await this.books();
    if (books.isScheduled) left.push(`schedule ${nightlyScheduleId(this.name)}`);
    const { leftovers: listed } = status;
    const isKnown = left.length > 0 && this.done.has('leftoversOf#1') && this.done.has('schedulesLeft#1');
    // Not asked for the list, or not heard: only because nobody was there, or because the question failed.
    const couldAsk = this.server.isServed(this.host) && !this.keys.some((key) => /^(leftoversOf|schedulesLeft)#/.test(key));
    return [
      ...(isKnown ? inexact(listed, left) : notOfThese(listed, this.stuckSteps(), 'undo of ')),
      ...(couldAsk ? ['nobody has asked what is left'] : []),
      ...unlisted,
      ...lostComplaints(books),
    ];
  }

  /** Steps whose undo could not finish: what of it Temporal has not heard to be done. */
  private stuckSteps(): string[] {
    const forward = placesIn(this.tape.forward);
    const last = forward.findLastIndex(({ key }) => this.keys.includes(key));
    // One that was done is followed by one that nobody took.
    const failed = this.done.has(forward[last]?.key ?? '') ? last + 1 : last;
    const steps = this.tape.undoSteps[failed] ?? [];
    const stuck = placesIn(this.tape.undo[failed] ?? []).flatMap(({ key }, index) => (this.done.has(key) ? [] : [steps[index] ?? '']));
    // The first step is undone when all others are.
    const others = stuck.filter((step) => step !== steps.at(-1));
    return others.length > 0 ? others : stuck;
  }

  private async cleanedUp(before: ReturnType<World['snapshot']>, mend: () => Promise<void> | void): Promise<string[]> {
    this.world.dom0.faults.restart();
    await mend();
    try {
      await this.server.operate(this.name, { kind: 'cleanup', id: 'mended' });
    } catch (error) {
      return [`cleanup failed: ${failureOf(error).message}`];
    }
    return this.goneAltogether(before);
  }

  async end(): Promise<void> {
    await this.server
      .handle(this.name)
      .terminate('the case is over')
      .catch(() => undefined);
    // What a case has left in the books would be in the way of none, but there are hundreds of them.
    if (!this.holdsNothing) await this.server.dismiss(refOf(orderOf(this.name, this.host)));
    this.server.forget(this.name);
    this.world.close();
  }
}

function saysNothingOf({ leftovers }: GuestStatus): string[] {
  return leftovers.length === 0 ? [] : [`the status lists ${leftovers.join(', ')}`];
}

/** Waits until this attempt hears that it was cancelled. */
export async function hearsOfCancel(): Promise<void> {
  const context = Context.current();
  while (!context.cancellationSignal.aborted) {
    context.heartbeat();
    await sleep(50);
  }
}
