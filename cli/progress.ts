/** Shows an operation as it goes: redrawn on a terminal, one line for each change elsewhere, nothing where the output is JSON. */
import type { Writable } from 'node:stream';
import type { StepState } from '../contract/progress.ts';
import { changeLine, drawing, stepsOf, type ProgressDetail, type WithSteps } from './progress-lines.ts';

export type { ProgressDetail } from './progress-lines.ts';

export interface ProgressOptions {
  /** Shows nothing: the result will be the one JSON document. */
  readonly json: boolean;
  readonly stream: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** Marks each line: this is the fake dom0. Default: false. */
  readonly simulated?: boolean;
}

export interface Progress {
  /** Shows the newest state. */
  update(status: WithSteps, detail?: ProgressDetail): void;
  /** A line of its own, above the steps on a terminal. */
  note(text: string): void;
  /** Leaves the last state on the screen and ends the spinner. Safe to call twice. */
  stop(): void;
}

const SPINNER_MS = 120;

/** A shower of progress for this stream. */
export function createProgress(options: ProgressOptions): Progress {
  if (options.json) return { update: () => undefined, note: () => undefined, stop: () => undefined };
  const mark = options.simulated === true ? 'simulated  ' : '';
  return options.stream.isTTY === true ? onTerminal(options.stream, mark) : onLines(options.stream, mark);
}

function onLines(stream: Writable, mark: string): Progress {
  const shown = new Map<string, StepState>();
  let waiting: string | undefined;
  return {
    update: (status, detail = {}) => {
      for (const step of stepsOf(status, detail)) {
        if (step.state === (shown.get(step.name) ?? 'pending')) continue;
        shown.set(step.name, step.state);
        stream.write(`${mark}${changeLine(step)}\n`);
      }
      const reason = detail.operation?.waiting;
      if (reason !== undefined && reason !== waiting) stream.write(`${mark}waiting: ${reason}\n`);
      waiting = reason;
    },
    note: (text) => {
      stream.write(`${mark}${text}\n`);
    },
    stop: () => undefined,
  };
}

function onTerminal(stream: ProgressOptions['stream'], mark: string): Progress {
  let last: { status: WithSteps; detail: ProgressDetail } | undefined;
  let drawn = 0;
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;
  const clear = (): void => {
    if (drawn > 0) stream.write(`\u001B[${drawn}A\u001B[0J`);
    drawn = 0;
  };
  const draw = (): void => {
    if (last === undefined) return;
    clear();
    // A line that wraps would be two, and the next drawing would begin too low.
    const width = Math.max(20, (stream.columns ?? 80) - 1);
    const lines = drawing(last.status, last.detail, { now: Date.now(), frame }).map((line) => `${mark}${line}`.slice(0, width));
    if (lines.length > 0) stream.write(`${lines.join('\n')}\n`);
    drawn = lines.length;
    frame += 1;
  };
  return {
    update: (status, detail = {}) => {
      last = { status, detail };
      draw();
      timer ??= setInterval(draw, SPINNER_MS).unref();
    },
    note: (text) => {
      clear();
      stream.write(`${mark}${text}\n`);
      draw();
    },
    stop: () => {
      if (timer === undefined) return;
      clearInterval(timer);
      timer = undefined;
      draw();
      drawn = 0;
      last = undefined;
    },
  };
}
