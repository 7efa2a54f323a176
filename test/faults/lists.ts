/** Lists of what is left: each thing that is there is named, and each that is named is there. */
import type { OrderRef } from '../../contract/guest.ts';
import type { Complaints } from './invariants.ts';
import { perform } from './perform.ts';
import type { Entry } from './tape.ts';
import type { World } from './world.ts';

/**
 * What the dom0 says is left of a guest, once that does not change any more: a domain that was told to end goes after it was looked at for a while.
 * Compare it with a look that comes later. Where a fault keeps the dom0 from saying anything it is asked again without: nothing else may be the reason.
 */
export async function saidToBeLeft(world: World, ref: OrderRef): Promise<readonly string[]> {
  for (let before = await askOnce(world, ref); ;) {
    const now = await askOnce(world, ref);
    if (now.length === before.length) return now;
    before = now;
  }
}

async function askOnce(world: World, ref: OrderRef): Promise<readonly string[]> {
  const entry: Entry = { activity: 'leftoversOf', input: ref, isControl: false };
  const first = await perform(world, entry);
  if (first.isOk) return first.value as string[];
  world.dom0.faults.restart();
  const second = await perform(world, entry);
  if (!second.isOk) throw second.error;
  return second.value as string[];
}

/** What is named, against what was found without its help. */
export function inexact(listed: readonly string[], left: readonly string[]): Complaints {
  const [named, there] = [[...listed].sort(), [...left].sort()];
  return JSON.stringify(named) === JSON.stringify(there) ? [] : [`the list says ${named.join(', ')}; left is ${there.join(', ')}`];
}

/** What could not be done because something before it could not, whatever that was, or `on` the step that is named. */
const FOLLOWS: readonly { readonly says: RegExp; readonly on?: string }[] = [
  // A guest that is not off keeps its disks.
  { says: /: domain \S+ is still in xl list:/ },
  // A guest that has its own disk again, from which dom0 has not learnt how it is known, is off, and that is to be said.
  { says: /^undo of stop: guest \S+ did not answer at /, on: 'exchange' },
  // Of a guest and its rescue system one is started only when the other is off, and a system that is not off keeps its disk.
  { says: /^undo of stop: (?:\S+ runs from its own disk|the rescue system of \S+ still runs): /, on: 'start' },
  { says: /^undo of disk: .*-rescue\b/, on: 'start' },
];

/**
 * A list that can only name what could not be done: of these steps each, and no other but what follows from them.
 *
 * @param of `undo of STEP: …`, or `STEP: …` of a removal
 */
export function notOfThese(listed: readonly string[], steps: readonly string[], of: 'undo of ' | ''): Complaints {
  const [said, meant] = [new Set<string>(), [...new Set(steps)].sort()];
  const follows = (line: string): boolean => FOLLOWS.some(({ says, on }) => says.test(line) && (on === undefined || steps.includes(on)));
  for (const line of listed) {
    const step = (line.startsWith(of) ? /^([a-z-]+): ./.exec(line.slice(of.length))?.[1] : undefined) ?? `"${line}"`;
    if (steps.length === 0 || steps.includes(step) || !follows(line)) said.add(step);
  }
  return JSON.stringify([...said].sort()) === JSON.stringify(meant)
    ? []
    : [`the list should name what could not be done (${meant.join(', ')}), and says ${listed.join(', ')}`];
}

/**
 * The step that each undo belongs to. An operation is undone from the step that failed backwards: what a list of undos has more than the one of
 * the step before are that step's.
 *
 * @param undo after each call that failed
 * @param steps that each of those calls is a part of
 */
export function stepsOfUndos(undo: readonly (readonly Entry[])[], steps: readonly string[]): string[][] {
  const labels: string[][] = [];
  for (const [index, entries] of undo.entries()) {
    const step = steps[index] ?? '';
    const before = steps.slice(0, index).findLastIndex((other) => other !== step);
    const rest = undo[before] ?? [];
    const own = entries.length - rest.length;
    const isNested = entries.slice(own).every(({ activity }, at) => activity === rest[at]?.activity);
    if (own < 0 || !isNested) throw new Error(`the undos after ${step} do not end with those of the step before it`);
    labels.push([...Array.from({ length: own }, () => step), ...(labels[before] ?? [])]);
  }
  return labels;
}
