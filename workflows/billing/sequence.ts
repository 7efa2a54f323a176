/**
 * Sorts the statements of one thing in the order in which they were made. Stripe's times are whole seconds. If several are of one second, what each says
 * of the value before it (`previous_attributes`) decides first, then ranks, then ids. Pure: the order of arrival does not matter.
 */
import { NEW, type Change } from '../../contract/billing.ts';

/** What decides which of two statements is newer. */
export interface Stamp {
  /** ISO 8601. */
  readonly at: string;
  readonly rank: number;
  /** Event that said it. */
  readonly event: string;
}

/** A statement that may know what was before it. */
export interface Told extends Stamp, Partial<Change> {}

/** Negative if `a` is older. Compares time, then rank, then id: two events are never equal. */
export function byStamp(a: Stamp, b: Stamp): number {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1;
  if (a.rank !== b.rank) return a.rank - b.rank;
  return a.event === b.event ? 0 : a.event < b.event ? -1 : 1;
}

/** Statements, oldest first. */
export function inOrder<T extends Told>(statements: readonly T[]): T[] {
  const seconds = new Map<string, T[]>();
  for (const each of [...statements].sort(byStamp)) seconds.set(each.at, [...(seconds.get(each.at) ?? []), each]);
  const all: T[] = [];
  for (const said of seconds.values()) all.push(...(said.length === 1 ? said : withinASecond(said, all.at(-1)?.is)));
  return all;
}

interface Step<T> {
  readonly from: string;
  readonly to: string;
  readonly said: T;
}

/**
 * Sorts the statements of one second. A change leads from one value to the next, so a path through all changes is the order in which they were made. A
 * statement that does not say what was before it is placed where the path reaches its value; if the path never does, before or after it by its rank.
 *
 * @param said of one second, by rank and id
 * @param before the value of the second before
 */
function withinASecond<T extends Told>(said: readonly T[], before: string | undefined): T[] {
  const steps: Step<T>[] = said.flatMap((each) =>
    each.was === undefined || each.is === undefined ? [] : [{ from: each.was, to: each.is, said: each }],
  );
  const values = new Set(steps.flatMap(({ from, to }) => [from, to]));
  const others = said.filter(({ is, was }) => is === undefined || was === undefined);
  const atHome = others.filter(({ is }) => is !== undefined && values.has(is));
  const loops = atHome.map((each): Step<T> => ({ from: each.is ?? '', to: each.is ?? '', said: each }));
  const way = walk([...steps, ...loops], before);
  const last = way.at(-1);
  const strangers = others.filter((each) => !atHome.includes(each));
  const isBefore = (each: T): boolean => last !== undefined && byStamp(each, last) < 0;
  return [...strangers.filter(isBefore), ...way, ...strangers.filter((each) => !isBefore(each))];
}

/** Orders all steps into paths. If an event is missing there are several paths: they are sorted by rank and id of their last steps. */
function walk<T extends Told>(steps: readonly Step<T>[], before: string | undefined): T[] {
  const ways: T[][] = [];
  let left = [...steps];
  while (left.length > 0) {
    const way = wayFrom(startOf(left, before), left);
    left = left.filter((step) => !way.includes(step));
    ways.push(way.map(({ said }) => said));
  }
  const follows = (way: readonly T[]): boolean => before !== undefined && way[0]?.was === before;
  return ways
    .sort((a, b) => {
      if (follows(a) !== follows(b)) return follows(a) ? -1 : 1;
      const [x, y] = [a.at(-1), b.at(-1)];
      return x === undefined || y === undefined ? 0 : byStamp(x, y);
    })
    .flat();
}

/** Where a path begins. In this order: at nothing; where more steps leave than arrive; where the second before ended; before the first step by rank and id. */
function startOf<T>(steps: readonly Step<T>[], before: string | undefined): string {
  const nodes = [...new Set(steps.map(({ from }) => from))];
  const surplus = (node: string): number => steps.filter(({ from }) => from === node).length - steps.filter(({ to }) => to === node).length;
  const open = nodes.filter((node) => surplus(node) > 0);
  const among = open.length > 0 ? open : nodes;
  return among.find((node) => node === NEW) ?? among.find((node) => node === before) ?? among[0] ?? '';
}

/** Hierholzer's walk: along every step that can be reached, each once. */
function wayFrom<T>(start: string, steps: readonly Step<T>[]): Step<T>[] {
  const left = [...steps];
  const stack: { at: string; by?: Step<T> }[] = [{ at: start }];
  const way: Step<T>[] = [];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const { at } = top;
    const next = left.findIndex(({ from }) => from === at);
    if (next >= 0) {
      const [step] = left.splice(next, 1);
      if (step !== undefined) stack.push({ at: step.to, by: step });
    } else {
      stack.pop();
      if (top.by !== undefined) way.unshift(top.by);
    }
  }
  return way;
}
