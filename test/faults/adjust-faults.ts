/** The undo of a size that was changed while the guest ran, where it cannot have its way: no memory is free, the guest does not follow, or it ends. */
import type { DomainState, FakeCall } from '../../fake/index.ts';
import type { Case, Verdict } from './case.ts';
import { at } from './interruptions.ts';
import type { Complaints } from './invariants.ts';
import { asItWas } from './operation-invariants.ts';
import type { OperationPlay } from './operation-tape.ts';
import { undo } from './perform.ts';
import type { Stage } from './stage.ts';
import { entryName, nameOf, type Matrix } from './step-faults.ts';
import type { Entry } from './tape.ts';
import type { World } from './world.ts';

/** What keeps a guest from following while a change of its size is undone. */
const WHY_NOT_FOLLOW: Readonly<Record<string, (world: World) => void>> = {
  'Xen has no memory free'({ dom0: { state, machine } }) {
    const memoryMiB = machine.freeMemoryMiB();
    const own = { id: 900, name: 'neighbour', cfgPath: '/etc/xen/neighbour.cfg', memoryMiB, vcpus: 1, disks: [], bridges: [], kernel: '' };
    state.domains.push({ ...own, onCrash: 'restart', state: 'running', startedAt: 0, looksLeft: 0, booted: true, liveSysctl: {} });
  },
  'the guest does not follow'({ dom0: { faults } }) {
    faults.guestsDoNotFollow = true;
  },
};

function leaveNeighbour({ dom0: { state } }: World): void {
  state.domains = state.domains.filter(({ name }) => name !== 'neighbour');
}

/** A domain of a snapshot, which a world gives its size. */
interface Sized {
  readonly name: string;
  readonly memoryMiB?: number;
  readonly vcpus?: number;
}

/** The guest's memory and vcpus aside: it may have less of them than before, until it follows. */
function asItWasBut(play: OperationPlay, world: World): Complaints {
  const { before, guest } = play.wanted;
  const now = world.snapshot();
  const sized = ({ domains }: DomainState): readonly Sized[] => domains;
  const was = sized(before).find(({ name }) => name === guest);
  const is = sized(now).find(({ name }) => name === guest);
  const isMore = (is?.memoryMiB ?? 0) > (was?.memoryMiB ?? 0);
  const size = { memoryMiB: was?.memoryMiB, vcpus: was?.vcpus };
  const asBig = { ...now, domains: now.domains.map((domain) => (domain.name === guest ? { ...domain, ...size } : domain)) };
  return [...(isMore ? [`it keeps ${String(is?.memoryMiB)} MiB`] : []), ...asItWas(play.wanted, asBig)];
}

const KEEPS = /^undo adjustGuest failed: \S+ keeps \d+ MiB of memory: /;
/** Of a guest that was stopped for the change: another has its memory by now. */
const NO_ROOM = /^undo bootGuest failed: xl create .*failed to free memory for the domain/;

function isAllowed(line: string, why: string): boolean {
  return KEEPS.test(line) || (why === 'Xen has no memory free' && NO_ROOM.test(line));
}

/** The size of a guest cannot be undone now: it has no more than before, or what it keeps is a failure; and then it follows. */
async function runNotFollowed(matrix: Matrix, play: OperationPlay, from: Stage, entries: readonly Entry[], why: string): Promise<Verdict> {
  return matrix.stages.on(from, matrix.host, async (world) => {
    WHY_NOT_FOLLOW[why]?.(world);
    const stuck = await undo(world, entries);
    world.dom0.faults.restart();
    leaveNeighbour(world);
    const isStuck = stuck.length > 0;
    const complaints = isStuck ? stuck.filter((line) => !isAllowed(line, why)) : asItWasBut(play, world);
    const later = [...(await undo(world, entries)), ...asItWas(play.wanted, world.snapshot())];
    return { end: isStuck ? 'needs cleanup, then as ordered' : 'as before', complaints: [...complaints, ...later] };
  });
}

/** The guest ends at a call of the undo of its size: that is nothing that the undo could change. */
async function runGone(
  matrix: Matrix,
  play: OperationPlay,
  from: Stage,
  entries: readonly Entry[],
  position: number,
  call: FakeCall,
): Promise<Verdict> {
  return matrix.stages.on(from, matrix.host, async (world) => {
    const { state } = world.dom0;
    const isNotIts = ({ name }: { name: string }): boolean => name !== play.wanted.guest;
    const first = await undo(world, entries.slice(0, position));
    world.dom0.faults.restart();
    at(world, call, () => {
      state.domains = state.domains.filter(isNotIts);
    });
    const stuck = [...first, ...(await undo(world, entries.slice(position)))];
    const before = { ...play.wanted.before, domains: play.wanted.before.domains.filter(isNotIts) };
    const notFired = world.dom0.faults.fired.length > 0 ? [] : ['the guest did not end'];
    return { end: 'as before', complaints: [...notFired, ...stuck, ...asItWas({ ...play.wanted, before }, world.snapshot())] };
  });
}

/** Of every operation that changes a size while the guest runs. */
export async function adjustUndoCases(matrix: Matrix, plays: readonly OperationPlay[]): Promise<Case[]> {
  const cases: Case[] = [];
  for (const play of plays)
    for (const [index, { after }] of play.rehearsals.entries()) {
      const entries = play.undo[index] ?? [];
      const position = entries.findIndex(({ activity }) => activity === 'adjustGuest');
      if (position < 0) continue;
      const place = `operation/${play.row.name}/undone after ${entryName(play.forward, index)}`;
      for (const why of Object.keys(WHY_NOT_FOLLOW))
        cases.push({ name: `${place}/${why}`, run: () => runNotFollowed(matrix, play, after, entries, why) });
      const rehearsals = await matrix.stages.rehearse(after, matrix.host, entries.slice(0, position + 1));
      for (const call of rehearsals[position]?.calls ?? [])
        cases.push({
          name: `${place}/${entryName(entries, position)}/${nameOf(call)}/the guest has ended`,
          run: () => runGone(matrix, play, after, entries, position, call),
        });
    }
  return cases;
}
