/**
 * The soak: guests in the lab, and things that break, at random, for as long as asked.
 *
 *   npm run soak -- --minutes N --seed S
 *
 * Each round orders a guest, or does something to one that lives, while one or two faults happen; when all is quiet again, what is on the dom0 is compared
 * with what was promised. The same seed gives the same rounds and faults; how they meet depends on the machine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { GuestOrder } from '../contract/types.ts';
import { FAULTS, outcomeOf, pick, randomOf, type FaultName } from '../test/lab/faults.ts';
import { complaintsAbout, leftOf } from '../test/lab/guests.ts';
import { inventoryOf, type Inventory } from '../test/lab/inventory.ts';
import { openRig, startRig, type Rig } from '../test/lab/rig.ts';

const LIFE = ['backup', 'stop and start', 'suspend and resume', 'terminate'] as const;
const MOST_GUESTS = 2;
/** A fault comes within this long after what it is to disturb has begun: about as long as an order takes. */
const LATEST_FAULT_MS = 180_000;

interface Round {
  readonly what: string;
  readonly faults: string[];
  readonly came: string;
  readonly wrong: readonly string[];
  readonly seconds: number;
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
    const kind = isOrder ? 'order' : pick(this.random, LIFE);
    const order = isOrder
      ? await this.rig.order({ name: `soak${String((this.ordered += 1))}`, disk: '1GiB' })
      : pick(this.random, [...this.guests.values()]);
    const over = new AbortController();
    const faults: string[] = [];
    const breaking = this.breakThings(faults, over.signal);
    const { came, wrong } = await (isOrder ? this.make(order) : this.live(order, kind)).finally(async () => {
      over.abort();
      await breaking;
    });
    return { what: `${kind} ${order.name}`, faults, came, wrong, seconds: Math.round((performance.now() - begun) / 1000) };
  }

  private async breakThings(told: string[], signal: AbortSignal): Promise<void> {
    const plan = Array.from({ length: 1 + Math.floor(this.random() * 2) }, () => ({
      fault: pick(this.random, Object.keys(FAULTS) as FaultName[]),
      afterMs: Math.round(this.random() * LATEST_FAULT_MS),
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

  private async make(order: GuestOrder): Promise<{ came: string; wrong: readonly string[] }> {
    await this.rig.flow.order(order);
    const { phase, reason, wrong } = await outcomeOf(this.rig, order, this.before, this.others(order));
    if (phase === 'running') this.guests.set(order.name, order);
    return { came: reason === '' ? phase : `${phase} (${reason.split('\n')[0] ?? ''})`, wrong };
  }

  private async live(order: GuestOrder, kind: string): Promise<{ came: string; wrong: readonly string[] }> {
    const operate = async (name: 'backup' | 'stop' | 'start' | 'suspend' | 'resume' | 'terminate'): Promise<string> =>
      this.rig.flow.operate(order.name, name, name === 'terminate' ? { now: true } : {}).then(
        ({ phase }) => phase,
        (error: unknown) => (error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)),
      );
    const [first, second] = kind.split(' and ') as ['backup' | 'terminate' | 'stop' | 'suspend', ('start' | 'resume')?];
    const said = [await operate(first)];
    await this.rig.flow.waitFor(order.name);
    if (second !== undefined) said.push(await operate(second));
    let { phase } = await this.rig.flow.waitFor(order.name);
    if (phase === 'gone') {
      this.guests.delete(order.name);
      return { came: said.join(', '), wrong: await leftOf(this.rig, order, this.before, this.others(order)) };
    }
    // What a fault has kept from its end is asked for once more, undisturbed by now or not: it must come to its end then.
    if (phase !== 'running') said.push(await operate(phase === 'suspended' ? 'resume' : 'start'));
    else said.push(await operate('start'));
    ({ phase } = await this.rig.flow.waitFor(order.name));
    return {
      came: said.join(', '),
      wrong: phase === 'running' ? await complaintsAbout(this.rig, order, this.before, this.others(order)) : [`${order.name} is ${phase}`],
    };
  }

  /** The guests that are left go; then the dom0 must be as it was. */
  async end(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const { name } of this.guests.values()) {
      const { phase } = await this.rig.flow.operate(name, 'terminate', { now: true });
      if (phase !== 'gone') wrong.push(`${name} is ${phase}`);
    }
    const last = [...this.guests.values()];
    for (const order of last) wrong.push(...(await leftOf(this.rig, order, this.before)));
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
  try {
    const rig = await openRig(running.facts);
    const soak = new Soak(rig, await inventoryOf(rig.lab), seed);
    const rounds: Round[] = [];
    const deadline = Date.now() + minutes * 60_000;
    while (Date.now() < deadline && !stop.signal.aborted) {
      const round = await soak.round();
      rounds.push(round);
      say(`${round.what}: ${round.came}; ${round.faults.join('; ')}${round.wrong.map((text) => `\n  WRONG: ${text}`).join('')}`);
    }
    const atTheEnd = await soak.end();
    await rig.close();
    process.stdout.write(`${report(rounds, atTheEnd, minutes, seed)}\n`);
    return rounds.some(({ wrong }) => wrong.length > 0) || atTheEnd.length > 0 ? 1 : 0;
  } finally {
    await running.stop();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof RangeError || (error instanceof TypeError && 'code' in error) ? 2 : 1;
}
