/** Shows the stages of getting ready (Temporal, workers, lab), several at once, with their seconds. */
import type { UpOptions } from '../commands/up.ts';
import type { Io } from '../io.ts';
import type { Stage } from './summary.ts';

export interface Stages {
  /** Runs a stage; `work` says what it does, and returns what came of it. */
  run(name: string, work: (say: (message: string) => void) => Promise<string>): Promise<string>;
  note(text: string): void;
  all(): readonly Stage[];
}

/** Messages that repeat faster than this on a stream that is no terminal are left out. */
const QUIET_MS = 2_000;

export function createStages(io: Io, options: UpOptions): Stages {
  const begun = performance.now();
  const done: Stage[] = [];
  const mark = options.simulate === true ? 'simulated  ' : '';
  const clock = (): string => `${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s`;
  const line = (text: string): void => {
    io.stderr.write(`${mark}${clock()}  ${text}\n`);
  };
  return {
    async run(name, work) {
      const start = performance.now();
      let lastSaid = 0;
      const say = (message: string): void => {
        if (performance.now() - lastSaid < QUIET_MS) return;
        lastSaid = performance.now();
        line(`${name}: ${message}`);
      };
      const result = await work(say);
      const seconds = Math.round((performance.now() - start) / 100) / 10;
      done.push({ name, seconds });
      line(`${name}: ${result} (${seconds.toFixed(1)} s)`);
      return result;
    },
    note: (text) => {
      io.stderr.write(`${mark}${text}\n`);
    },
    all: () => [...done],
  };
}
