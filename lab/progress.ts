/** How the lab tells what it does. */
import { tail } from '../system/run.ts';

/** One piece of news. */
export interface LabProgress {
  /** `tools`, `trees`, `image`, `boot`, `resume`, `package`, `save`, `build`, `ready`. */
  readonly stage: string;
  readonly message: string;
  /** Share that is done, 0 to 1, where it is known. */
  readonly fraction?: number;
  /** Seconds the stage took; with `done`. */
  readonly seconds?: number;
  readonly done?: boolean;
}

/** Tells a listener about stages and their times. */
export interface Progress {
  /** A stage begins; the function returned ends it. */
  begin(stage: string, message: string): () => void;
  say(stage: string, message: string): void;
  /** Output of the tool at work: its last line is shown beside the current stage. */
  readonly detail: (text: string) => void;
}

/** A `Progress` that reports to `listener`. */
export function createProgress(listener: (event: LabProgress) => void = () => undefined): Progress {
  let current = 'build';
  return {
    begin(stage, message) {
      const started = performance.now();
      current = stage;
      listener({ stage, message });
      return () => {
        listener({ stage, message, done: true, seconds: (performance.now() - started) / 1000 });
      };
    },
    say(stage, message) {
      listener({ stage, message });
    },
    detail(text) {
      const line = tail(text, 1).trim();
      if (/^I: \S/.test(line)) listener({ stage: current, message: line.slice(3) });
    },
  };
}
