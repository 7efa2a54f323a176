/** What a dom0 remembers of golden images that could not be renewed: pure. */
import type { NotRenewed } from '../../contract/capacity.ts';
import type { GoldenRenewal } from '../../contract/golden.ts';

/** A failure carries the end of a console; its first line is remembered. */
const LENGTH = 300;

/** After a renewal. What was not renewed this time, and what was left for later, stays as it was. */
export function afterRenewal(before: readonly NotRenewed[], outcomes: readonly GoldenRenewal[], now: string): readonly NotRenewed[] {
  const judged = outcomes.filter(({ isLeftForLater }) => isLeftForLater !== true);
  const others = before.filter(({ dist }) => judged.every((outcome) => outcome.dist !== dist));
  const failed = judged.flatMap(({ dist, problem }): NotRenewed[] => {
    if (problem === undefined) return [];
    const [first = ''] = problem.split('\n', 1);
    const reason = first.replace(/ The end of its console:$/, '').slice(0, LENGTH);
    return [{ dist, reason, since: before.find((each) => each.dist === dist)?.since ?? now }];
  });
  return [...others, ...failed].sort((a, b) => (a.dist < b.dist ? -1 : 1));
}
