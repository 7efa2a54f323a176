/** The renewal of golden images: each fault at each process and each change of a file of each of its steps. One whole golden image is in use at its end. */
import type { GoldenImage } from '../../contract/golden.ts';
import type { GoldenResult } from '../../contract/step-results.ts';
import type { FakeCall, FaultKind } from '../../fake/index.ts';
import type { Case, Verdict } from './case.ts';
import { asBefore, type Complaints } from './invariants.ts';
import { perform, undo } from './perform.ts';
import type { Rehearsal, Stage } from './stage.ts';
import { entryName, nameOf, strike, strikesAt, type Matrix } from './step-faults.ts';
import type { Entry } from './tape.ts';
import { settingsOf, type World } from './world.ts';

const WORKFLOW = { workflowId: 'dom0/faults/renew' };

function entry(activity: string, input: unknown): Entry {
  return { activity, input, isControl: false };
}

async function done<T>(world: World, one: Entry): Promise<T> {
  const outcome = await perform(world, one, WORKFLOW);
  if (!outcome.isOk) throw outcome.error;
  return outcome.value as T;
}

interface Play {
  readonly name: 'renewal' | 'back';
  readonly start: Stage;
  readonly order: Entry;
  readonly rehearsals: readonly Rehearsal[];
  readonly discard: readonly Entry[];
}

/** A dom0 whose golden images an order has made, and the steps of their renewal. */
async function playOf({ tape, stages, host, start: bare }: Matrix): Promise<Play> {
  const order = tape.forward.find(({ activity }) => activity === 'ensureGoldenRoot');
  if (order === undefined) throw new Error('the tape has no golden root file system');
  const { start, image } = await stages.on(bare, host, async (world) => {
    await done(world, order);
    const [found] = await done<GoldenImage[]>(world, entry('listGolden', undefined));
    if (found === undefined) throw new Error('the order has left nothing golden');
    return { start: stages.keep(world), image: found };
  });
  const { dist } = image;
  const discard = ['stopGoldenTrial', 'endGoldenTrial', 'discardNextGolden'].map((activity) => entry(activity, { dist }));
  const forward = [
    entry('renewTarball', { dist }),
    ...image.systems.flatMap((system) => [
      ...['renewGoldenRoot', 'makeGoldenTrial', 'bootGoldenTrial'].map((activity) => entry(activity, { system })),
      ...['stopGoldenTrial', 'endGoldenTrial'].map((activity) => entry(activity, { dist })),
    ]),
    entry('useNextGolden', { dist }),
  ];
  return { name: 'renewal', start, order, rehearsals: await stages.rehearse(start, host, forward), discard };
}

/** After a renewal the former one is brought back. */
async function backOf({ stages, host }: Matrix, { start, order, rehearsals, discard }: Play): Promise<Play> {
  const renewed = rehearsals.at(-1)?.after ?? start;
  const { os } = order.input as { os: { dist: string } };
  const { sha256 } = JSON.parse(start.snapshot.files[`${settingsOf(host).goldenDir}/${os.dist}.tar.json`] ?? '{}') as GoldenResult;
  const forward = [entry('bringBackGolden', { dist: os.dist, sha256 })];
  return { name: 'back', start: renewed, order, rehearsals: await stages.rehearse(renewed, host, forward), discard };
}

/** What of an order's golden images is not as it is to be. */
async function wrongWith(world: World, { name, start, order }: Play, isRenewed: boolean): Promise<Complaints> {
  const snapshot = world.snapshot();
  const others = asBefore(start.snapshot, snapshot, settingsOf(world.settings.host));
  const { os } = order.input as { os: { dist: string } };
  const tarball = await done<GoldenResult>(world, entry('ensureGolden', { dist: os.dist }));
  const root = isRenewed ? await done<GoldenResult>(world, order) : tarball;
  const before = JSON.parse(start.snapshot.files[`${world.settings.goldenDir}/${os.dist}.tar.json`] ?? '{}') as GoldenResult;
  return [
    ...others,
    ...(tarball.reused ? [] : ['the golden tarball in use was not whole']),
    ...(root.reused ? [] : ['the renewed golden root file system is not found by an order']),
    ...(isRenewed && name === 'renewal' && tarball.createdAt <= before.createdAt ? ['the golden tarball was not renewed'] : []),
    ...(isRenewed && name === 'back' && tarball.createdAt >= before.createdAt ? ['the former golden tarball was not brought back'] : []),
  ];
}

async function runFault({ stages, host }: Matrix, play: Play, index: number, call: FakeCall, kind: FaultKind): Promise<Verdict> {
  const rehearsal = play.rehearsals[index];
  if (rehearsal === undefined) throw new Error('no such rehearsal');
  return stages.on(rehearsal.from, host, async (world) => {
    strike(world, call, kind);
    let { isOk } = await perform(world, rehearsal.entry, WORKFLOW);
    const notFired = world.dom0.faults.fired.length > 0 ? [] : ['the fault did not happen: the activity is not the same twice'];
    world.dom0.faults.restart();
    world.startWorker();
    for (const { entry: next } of play.rehearsals.slice(index + 1)) isOk = isOk && (await perform(world, next, WORKFLOW)).isOk;
    const failed = isOk ? [] : await undo(world, play.discard, WORKFLOW);
    const gaveUp = kind.startsWith('kill') && !isOk ? ['it could not go on after the kill'] : [];
    return {
      end: isOk ? 'as ordered' : 'as before',
      complaints: [...notFired, ...gaveUp, ...failed, ...(await wrongWith(world, play, isOk))],
    };
  });
}

/** @param direct the matrix of a tape of the recipe `direct` */
export async function renewalCases(direct: Matrix): Promise<Case[]> {
  const play = await playOf(direct);
  return [play, await backOf(direct, play)].flatMap((each) => {
    const entries = each.rehearsals.map((rehearsal) => rehearsal.entry);
    return each.rehearsals.flatMap(({ calls }, index) =>
      strikesAt(calls).map(({ call, kind }): Case => ({
        name: `renewal/${each.name}/${entryName(entries, index)}/${nameOf(call)}/${kind}`,
        run: () => runFault(direct, each, index, call, kind),
      })),
    );
  });
}

/** What a renewal calls. */
export const CALLED_BY_RENEWALS: readonly string[] = [
  ...['renewTarball', 'renewGoldenRoot', 'useNextGolden', 'discardNextGolden'],
  ...['bringBackGolden', 'makeGoldenTrial', 'bootGoldenTrial', 'stopGoldenTrial', 'endGoldenTrial'],
];
