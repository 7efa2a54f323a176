/**
 * The soak: guests in the lab, and things that break, at random, for as long as asked.
 *
 *   npm run soak -- --minutes N --seed S
 *
 * Each round orders a guest, or does something to one that lives, while one or two faults happen, or orders one that cannot be made; when all is quiet
 * again, what is on the dom0 is compared with what was promised. The same seed gives the same rounds and faults; how they meet depends on the machine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MiB } from '../../contract/sizes.ts';
import type { GuestOrder } from '../../contract/guest.ts';
import type { PlanChange } from '../../contract/guest-requests.ts';
import { FAULTS, outcomeOf, pick, randomOf, withFullDisk, withoutKernel, type FaultName } from '../lab/faults.ts';
import { complaintsAbout, domainOf, leftOf, untilStep } from '../lab/guests.ts';
import { inventoryOf, type Inventory } from '../lab/inventory.ts';
import { openRig, startRig, type Rig } from '../lab/rig.ts';

/** The last two cannot be made: that is fault enough for a round. */
const ORDERS = ['order', 'order', 'order', 'order', 'order without a kernel', 'order on a full disk'] as const;
const LIFE = ['backup', 'stop and start', 'suspend and resume', 'change of plan', 'terminate'] as const;
/** The plan that a guest changes to, and back from: it differs in memory only. */
const OTHER_PLAN = { name: 'medium', moreMiB: 64 } as const;
const MOST_GUESTS = 2;
/** A fault comes within this long after what it is to disturb has begun: about as long as that takes. */
const LATEST_FAULT_MS = { order: 180_000, life: 30_000 } as const;

interface Round {
  readonly what: string;
  readonly faults: string[];
  readonly came: string;
  readonly wrong: readonly string[];
  readonly seconds: number;
}

/** What a round, or the end, came to. */
interface Outcome {
  readonly came: string;
  readonly wrong: readonly string[];
}

type Operation = 'backup' | 'stop' | 'start' | 'suspend' | 'resume' | 'changePlan' | 'terminate';

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}

async function doesAnswer(rig: Rig): Promise<boolean> {
  return Promise.all([rig.lab.exec(['true'], { timeoutMs: 120_000 }), rig.flow.list()]).then(
    () => true,
    () => false,
  );
}

class Soak {
  private readonly guests = new Map<string, GuestOrder>();
  private readonly random: () => number;
  private readonly rig: Rig;
  private readonly before: Inventory;
  private ordered = 0;

  constructor(rig: Rig, before: Inventory, seed: number) {
    this.rig = rig;
    this.before = before;
    this.random = randomOf(seed);
  }

  /** One thing that is done, the faults meanwhile, and what came of it. */
  async round(): Promise<Round> {
    const begun = performance.now();
    const isOrder = this.guests.size === 0 || (this.guests.size < MOST_GUESTS && this.random() < 0.5);
    const kind = pick(this.random, isOrder ? ORDERS : LIFE);
    const order = isOrder
      ? await this.rig.order({ name: `soak${String((this.ordered += 1))}`, disk: '1GiB' })
      : pick(this.random, [...this.guests.values()]);
    const over = new AbortController();
    const faults: string[] = [];
    // An exception is a round that went wrong, not the end of the soak: what was seen so far must not be lost.
    const broken: string[] = [];
    const toldBroken = (error: unknown): void => {
      broken.push(messageOf(error));
    };
    const breaking = (
      kind.startsWith('order ') ? Promise.resolve() : this.breakThings(faults, LATEST_FAULT_MS[isOrder ? 'order' : 'life'], over.signal)
    ).catch(toldBroken);
    const { came, wrong } = await (isOrder ? this.make(order, kind) : this.live(order, kind)).catch((error: unknown): Outcome => {
      toldBroken(error);
      return { came: 'broken off', wrong: [] };
    });
    over.abort();
    await breaking;
    return {
      what: `${kind} ${order.name}`,
      faults,
      came,
      wrong: [...wrong, ...broken],
      seconds: Math.round((performance.now() - begun) / 1000),
    };
  }

  private async breakThings(told: string[], latestMs: number, signal: AbortSignal): Promise<void> {
    const plan = Array.from({ length: 1 + Math.floor(this.random() * 2) }, () => ({
      fault: pick(this.random, Object.keys(FAULTS) as FaultName[]),
      afterMs: Math.round(this.random() * latestMs),
    }));
    for (const { fault, afterMs } of plan) {
      await sleep(afterMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      told.push(`${fault} after ${(afterMs / 1000).toFixed(0)} s`);
      await FAULTS[fault](this.rig);
    }
  }

  private others(order: GuestOrder): string[] {
    return [...this.guests.keys()].filter((name) => name !== order.name);
  }

  private async make(order: GuestOrder, kind: string): Promise<Outcome> {
    if (kind === 'order without a kernel') return withoutKernel(this.rig, () => this.makeNone(order));
    if (kind === 'order on a full disk') return this.makeNone(order, (wait) => withFullDisk(this.rig, wait));
    return this.makeOne(order);
  }

  /** @param during in what the end of the order is waited for, once its image is begun. */
  private async makeOne(order: GuestOrder, during?: (wait: () => Promise<Outcome>) => Promise<Outcome>): Promise<Outcome> {
    await this.rig.flow.order(order);
    this.guests.set(order.name, order);
    const wait = async (): Promise<Outcome> => {
      const { phase, reason, wrong } = await outcomeOf(this.rig, order, this.before, this.others(order));
      if (phase !== 'running') this.guests.delete(order.name);
      return { came: reason === '' ? phase : `${phase} (${reason.split('\n')[0] ?? ''})`, wrong };
    };
    if (during === undefined) return wait();
    await untilStep(this.rig, order.name, 'create-image');
    return during(wait);
  }

  private async makeNone(order: GuestOrder, during?: (wait: () => Promise<Outcome>) => Promise<Outcome>): Promise<Outcome> {
    const { came, wrong } = await this.makeOne(order, during);
    return { came, wrong: this.guests.has(order.name) ? [...wrong, `${order.name} was made all the same`] : wrong };
  }

  private async memoryMiB({ name, plan, size: { memoryBytes } }: GuestOrder): Promise<number> {
    return memoryBytes / MiB + ((await this.rig.flow.status(name)).plan === plan ? 0 : OTHER_PLAN.moreMiB);
  }

  private async otherPlan({ name, plan, size: { memoryBytes, vcpus, diskBytes } }: GuestOrder): Promise<PlanChange> {
    const sizes = { vcpus, diskBytes, mayRestart: true };
    return (await this.rig.flow.status(name)).plan === plan
      ? { ...sizes, plan: OTHER_PLAN.name, memoryBytes: memoryBytes + OTHER_PLAN.moreMiB * MiB }
      : { ...sizes, plan, memoryBytes };
  }

  private async live(order: GuestOrder, kind: string): Promise<Outcome> {
    const operate = async (name: Operation): Promise<string> => {
      const options = name === 'terminate' ? { now: true } : name === 'changePlan' ? { change: await this.otherPlan(order) } : {};
      return (await this.rig.flow.operate(order.name, name, options)).phase;
    };
    // A fault may be what keeps it from its end.
    const tried = (name: Operation): Promise<string> => operate(name).catch(messageOf);
    const [first, second] = (kind === 'change of plan' ? ['changePlan'] : kind.split(' and ')) as [Operation, Operation?];
    const said = [await tried(first)];
    await this.rig.flow.waitFor(order.name);
    if (second !== undefined) said.push(await tried(second));
    let { phase } = await this.rig.flow.waitFor(order.name);
    // One whose round was broken off may have failed since.
    if (phase === 'gone' || phase === 'failed') {
      this.guests.delete(order.name);
      return { came: said.join(', '), wrong: await leftOf(this.rig, order, this.before, this.others(order)) };
    }
    // What a fault has kept from its end is asked for once more, undisturbed by now or not: it must come to its end then.
    said.push(await tried(phase === 'suspended' ? 'resume' : 'start'));
    ({ phase } = await this.rig.flow.waitFor(order.name));
    if (phase !== 'running') return { came: said.join(', '), wrong: [`${order.name} is ${phase}`] };
    const wrong = await complaintsAbout(this.rig, order, this.before, this.others(order));
    const [seen, wanted] = [(await domainOf(this.rig, order.name))?.memoryMiB, await this.memoryMiB(order)];
    return {
      came: said.join(', '),
      wrong: seen === wanted ? wrong : [...wrong, `memory: ${String(seen)} MiB instead of ${String(wanted)}`],
    };
  }

  /** The guests that are left go; then the dom0 must be as it was. */
  async end(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const { name } of this.guests.values()) {
      const came = await this.rig.flow.operate(name, 'terminate', { now: true }).then(({ phase }) => phase, messageOf);
      if (came !== 'gone') wrong.push(`${name} is not gone: ${came}`);
    }
    const last = [...this.guests.values()];
    for (const order of last) wrong.push(...(await leftOf(this.rig, order, this.before).catch((error: unknown) => [messageOf(error)])));
    return wrong;
  }
}

function wholeNumber(name: string, value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1) throw new RangeError(`--${name} takes a whole number above 0, not "${value}"`);
  return number;
}

function report(rounds: readonly Round[], atTheEnd: readonly string[], minutes: number, seed: number): string {
  const lines = rounds.map(({ what, faults, came, wrong, seconds }, index) =>
    [
      `${String(index + 1).padStart(3)}  ${what}: ${came} (${String(seconds)} s)${faults.length === 0 ? '' : `; ${faults.join('; ')}`}`,
      ...wrong.map((text) => `     WRONG: ${text}`),
    ].join('\n'),
  );
  const bad = rounds.filter(({ wrong }) => wrong.length > 0).length;
  const faults = rounds.reduce((sum, round) => sum + round.faults.length, 0);
  return [
    ...lines,
    ...atTheEnd.map((text) => `at the end: WRONG: ${text}`),
    `${String(minutes)} minutes, seed ${String(seed)}: ${String(rounds.length)} rounds, ${String(faults)} faults, ${String(bad + (atTheEnd.length > 0 ? 1 : 0))} wrong`,
  ].join('\n');
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, seed: { type: 'string', default: '1' } } });
  const [minutes, seed] = [wholeNumber('minutes', values.minutes), wholeNumber('seed', values.seed)];
  const say = (message: string): void => {
    process.stderr.write(`soak: ${message}\n`);
  };
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => {
      stop.abort();
      say('ending after this round');
    });
  const running = await startRig(say);
  const rounds: Round[] = [];
  const atTheEnd: string[] = [];
  try {
    const rig = await openRig(running.facts);
    const soak = new Soak(rig, await inventoryOf(rig.lab), seed);
    const deadline = Date.now() + minutes * 60_000;
    while (Date.now() < deadline && !stop.signal.aborted) {
      const round = await soak.round();
      rounds.push(round);
      say(`${round.what}: ${round.came}; ${round.faults.join('; ')}${round.wrong.map((text) => `\n  WRONG: ${text}`).join('')}`);
      if (round.wrong.length > 0 && !(await doesAnswer(rig))) {
        atTheEnd.push('the rig does not answer any more');
        break;
      }
    }
    // Without an answer, a guest's end would be waited for as long as a dom0 may be away, which is a day.
    if (atTheEnd.length === 0) atTheEnd.push(...(await soak.end()));
    await rig.close();
  } catch (error) {
    atTheEnd.push(messageOf(error));
  } finally {
    process.stdout.write(`${report(rounds, atTheEnd, minutes, seed)}\n`);
    await running.stop();
  }
  return rounds.some(({ wrong }) => wrong.length > 0) || atTheEnd.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof RangeError || (error instanceof TypeError && 'code' in error) ? 2 : 1;
}
