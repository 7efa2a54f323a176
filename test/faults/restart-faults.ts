/** The control worker, or the Temporal server, goes and comes back, while one order stands at each call of the tape, and one at each of its undo. */
import type { Case, Verdict } from './case.ts';
import { Scenario, type Disturbance } from './scenario.ts';
import type { Server } from './server.ts';
import type { OwnTemporal } from './temporal.ts';
import type { Matrix } from './step-faults.ts';
import { failForGood, placesOf, type Place } from './workflow-faults.ts';

export interface RestartMatrix extends Matrix {
  readonly server: Server;
  readonly temporal: OwnTemporal;
  readonly hosts: readonly string[];
}

/** Lets a crowd through together, once all have come or ended. */
class Gathering {
  private awaited: number;
  private readonly act: () => Promise<void>;
  private open: () => void = () => undefined;
  readonly isOver = new Promise<void>((resolve) => {
    this.open = resolve;
  });

  constructor(size: number, act: () => Promise<void>) {
    this.awaited = size;
    this.act = act;
  }

  arrive(): void {
    this.awaited -= 1;
    if (this.awaited === 0)
      void this.act().finally(() => {
        this.open();
      });
  }
}

function stopAt(place: Place, last: string | undefined, gathering: Gathering): Disturbance {
  let isUsed = false;
  return {
    async before({ key, scenario }) {
      if (place.isUndo && key === last) failForGood('the last step fails, for the undo');
      if (key !== place.key || isUsed) return;
      isUsed = true;
      scenario.isDisturbed = true;
      gathering.arrive();
      await gathering.isOver;
    },
  };
}

interface Restart {
  readonly who: string;
  /** At each undo, too. A server that restarts does not know which calls are undos. */
  readonly isForUndo: boolean;
  readonly act: (matrix: RestartMatrix) => Promise<void>;
}

/** What goes and comes back. */
const RESTARTS: readonly Restart[] = [
  { who: 'control worker', isForUndo: true, act: ({ server }) => server.restartControl() },
  { who: 'Temporal server', isForUndo: false, act: ({ temporal }) => temporal.crashAndRestart() },
];

/** Groups of cases, each of which runs at once, or not at all: what goes, goes once for all of them. */
export function restartCases(matrix: RestartMatrix, isWanted: (name: string) => boolean): Case[][] {
  return RESTARTS.map((restart) => casesOf(matrix, restart, isWanted));
}

function casesOf(matrix: RestartMatrix, { who, isForUndo, act }: Restart, isWanted: (name: string) => boolean): Case[] {
  const places = [...placesOf(matrix.tape.forward, false), ...(isForUndo ? placesOf(matrix.tape.undo.at(-1) ?? [], true) : [])];
  const last = placesOf(matrix.tape.forward, false).at(-1)?.key;
  const nameOf = ({ key, isUndo }: Place): string => `${who}/${isUndo ? 'undo ' : ''}${key}/goes and comes back`;
  const wanted = places.filter((place) => isWanted(nameOf(place)));
  const gathering = new Gathering(wanted.length, () => act(matrix));
  return wanted.map((place, index): Case => ({
    name: nameOf(place),
    async run(): Promise<Verdict> {
      const scenario = await Scenario.create(
        matrix,
        `${who.slice(0, 1).toLowerCase()}restart${String(index)}`,
        matrix.hosts[index % matrix.hosts.length] ?? '',
        stopAt(place, last, gathering),
      );
      try {
        const verdict = await scenario.play();
        const end = place.isUndo ? 'as before' : 'as ordered';
        const wrongEnd = verdict.end === end ? [] : [`it ended ${verdict.end}, not ${end}`];
        const undisturbed = scenario.isDisturbed ? [] : ['it never came to where it should wait'];
        return { ...verdict, complaints: [...wrongEnd, ...undisturbed, ...verdict.complaints] };
      } finally {
        await scenario.end();
      }
    },
  }));
}
