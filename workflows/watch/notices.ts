/** What operators are told after a look at the fleet, by what they were told before: pure. */
import { PROBLEM_KINDS, type Notice, type ProblemGroup, type ProblemKind, type ProblemLook } from '../../contract/watch.ts';

/** A problem that was seen. */
export interface Seen {
  readonly kind: ProblemKind;
  readonly dom0: string;
  readonly subject: string;
  /** When it was seen first (milliseconds). */
  readonly since: number;
  readonly isTold: boolean;
  /** In how many looks in a row it was not there. */
  readonly absent: number;
}

/** A problem is over if it is not there twice in a row: what comes and goes is not told each minute. */
const LOOKS_UNTIL_OVER = 2;
/** So many are remembered; what comes beyond them is told when others are over. */
export const MOST_SEEN = 2_000;
/** Who is ordered again is told of in another way; who is not, is forgotten by Temporal some day: no end of it is told. */
const ENDS_UNTOLD: ReadonlySet<ProblemKind> = new Set<ProblemKind>(['guest-failed']);

const keyOf = (kind: ProblemKind, dom0: string, subject: string): string => `${kind} ${dom0} ${subject}`;

/** @returns what is seen from now on, and what is to be told; nothing, most of the time */
export function afterLook(
  before: readonly Seen[],
  { groups, silentMs }: Pick<ProblemLook, 'groups' | 'silentMs'>,
  nowMs: number,
): { readonly seen: readonly Seen[]; readonly notice: Notice } {
  const silent = new Set(groups.filter(({ kind }) => kind === 'dom0-silent').map(({ dom0 = '' }) => dom0));
  const lost = new Set(groups.filter(({ kind }) => kind === 'dom0-lost').map(({ dom0 = '' }) => dom0));
  // What a dom0's silence brings about is not told beside it; of one that is lost, nothing is waited for any more.
  const isHushed = (kind: ProblemKind, dom0: string): boolean => silent.has(dom0) && kind !== 'dom0-silent';
  const isDropped = (kind: ProblemKind, dom0: string): boolean => lost.has(dom0) && kind !== 'dom0-lost';
  const known = new Map(before.map((one) => [keyOf(one.kind, one.dom0, one.subject), one]));
  const present = new Map<string, Seen>();
  for (const { kind, dom0 = '', subjects } of groups)
    for (const subject of subjects) {
      const key = keyOf(kind, dom0, subject);
      const former = known.get(key);
      if (isDropped(kind, dom0) || (former === undefined && (isHushed(kind, dom0) || known.size + present.size >= MOST_SEEN))) continue;
      const since = former?.since ?? nowMs;
      const isDue = kind !== 'dom0-silent' || nowMs - since >= silentMs;
      present.set(key, { kind, dom0, subject, since, absent: 0, isTold: former?.isTold === true || (isDue && !isHushed(kind, dom0)) });
    }
  const cut = new Set(groups.filter(({ more = 0 }) => more > 0).map(({ kind, dom0 = '' }) => `${kind} ${dom0}`));
  const absent = before
    .filter((one) => !present.has(keyOf(one.kind, one.dom0, one.subject)) && !isDropped(one.kind, one.dom0))
    .map((one) => (isHushed(one.kind, one.dom0) || cut.has(`${one.kind} ${one.dom0}`) ? one : { ...one, absent: one.absent + 1 }));
  const begun = [...present].filter(([key, { isTold }]) => isTold && known.get(key)?.isTold !== true).map(([, one]) => one);
  const over = absent.filter((one) => one.isTold && one.absent >= LOOKS_UNTIL_OVER && !ENDS_UNTOLD.has(one.kind));
  return {
    seen: [...present.values(), ...absent.filter((one) => one.absent < LOOKS_UNTIL_OVER && (one.isTold || one.absent === 0))],
    notice: { begun: grouped(begun, groups), over: grouped(over, []) },
  };
}

/** By kind, in the order of the table, and by dom0; with what the look said of the group. */
function grouped(all: readonly Seen[], groups: readonly ProblemGroup[]): ProblemGroup[] {
  return (Object.keys(PROBLEM_KINDS) as ProblemKind[]).flatMap((kind) => {
    const ofKind = all.filter((one) => one.kind === kind);
    return [...new Set(ofKind.map(({ dom0 }) => dom0))].sort().map((dom0): ProblemGroup => {
      const { note, more } = groups.find((group) => group.kind === kind && (group.dom0 ?? '') === dom0) ?? {};
      const subjects = ofKind
        .filter((one) => one.dom0 === dom0)
        .map(({ subject }) => subject)
        .sort();
      return {
        kind,
        ...(dom0 === '' ? {} : { dom0 }),
        subjects,
        ...(note === undefined ? {} : { note }),
        ...(more === undefined ? {} : { more }),
      };
    });
  });
}
