/** An operation's steps as lines of text. Pure. */
import type { ActivityNow } from '../client/guests/look.ts';
import type { GuestStatus } from '../contract/guest.ts';
import type { OperationProgress, StepProgress, StepState } from '../contract/progress.ts';

/** What is known beside the guest's state: what `client.progress` returns. */
export interface ProgressDetail {
  readonly operation?: OperationProgress;
  readonly activities?: readonly ActivityNow[];
}

/** Whose steps are shown when no operation is known: a guest; nothing, where only operations are. */
export type WithSteps = Pick<GuestStatus, 'steps'>;

/** Moments that a picture of the progress depends on. */
export interface Moment {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Counts up; turns the spinner. */
  readonly frame: number;
}

const SIGNS: Readonly<Record<Exclude<StepState, 'running'>, string>> = {
  pending: '·',
  done: '✔',
  failed: '✘',
  undone: '↩',
  'undo-failed': '✘',
};
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** The steps that there are to show, from the operation or, when it has ended, from the guest. */
export function stepsOf(status: WithSteps, detail: ProgressDetail): readonly StepProgress[] {
  return detail.operation?.steps ?? status.steps ?? [];
}

/** All lines, for a terminal that redraws them. */
export function drawing(status: WithSteps, detail: ProgressDetail, moment: Moment): string[] {
  const steps = stepsOf(status, detail);
  const width = Math.max(0, ...steps.map(({ name }) => name.length));
  const lines = steps.map((step) => {
    const sign = step.state === 'running' ? (SPINNER[moment.frame % SPINNER.length] ?? '') : SIGNS[step.state];
    return `  ${sign} ${step.name.padEnd(width)}  ${timeOf(step, moment.now).padStart(8)}  ${step.state === 'running' ? activityText(detail) : (step.summary ?? '')}`.trimEnd();
  });
  return [...lines, ...waitingLines(detail)];
}

/** One line for a step whose state has changed, for output that is no terminal. */
export function changeLine(step: StepProgress): string {
  const seconds = step.seconds === undefined ? '' : ` (${step.seconds.toFixed(1)} s)`;
  const summary = step.summary === undefined || step.state === 'running' ? '' : `: ${step.summary}`;
  return `${step.name}: ${step.state}${seconds}${summary}`;
}

function timeOf(step: StepProgress, now: number): string {
  if (step.seconds !== undefined) return `${step.seconds.toFixed(1)} s`;
  if (step.state !== 'running' || step.startedAt === undefined) return '';
  return `${Math.max(0, Math.round((now - Date.parse(step.startedAt)) / 1000))} s`;
}

/** What the running activity says of itself. */
export function activityText({ activities = [] }: ProgressDetail): string {
  const [activity] = activities;
  if (activity === undefined) return '';
  const percent = activity.fraction === undefined ? '' : `${Math.round(activity.fraction * 100)} % `;
  const attempt =
    activity.attempt > 1
      ? ` (attempt ${activity.attempt}${activity.lastFailure === undefined ? '' : `, before: ${firstLine(activity.lastFailure)}`})`
      : '';
  if (activity.waitingForWorker) return `waits for a worker of the dom0${attempt}`;
  return `${percent}${activity.message ?? ''}${attempt}`.trim();
}

function waitingLines({ operation }: ProgressDetail): string[] {
  return operation?.waiting === undefined ? [] : [`  waiting: ${operation.waiting}`];
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
