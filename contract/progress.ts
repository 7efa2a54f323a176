/** Where an operation stands, step by step, for people. Free of imports: workflow code imports it. */

/** The steps of an order's recipe: what each begins and ends with, and its own between. */
const recipe = <const T extends readonly string[]>(own: T) => ['reserve', 'plan', ...own, 'autostart', 'seal', 'nightly-backup'] as const;

/** The steps of each recipe, in order. `from-backup` is that of an order with an origin. */
export const RECIPE_STEPS = {
  'how-to': recipe(['golden', 'create-image', 'cfg-fix', 'boot', 'sysctl-wallclock', 'lvm-migration']),
  direct: recipe(['golden-root', 'make-volumes', 'cfg-fix', 'boot', 'sysctl-wallclock']),
  'from-backup': recipe(['restore-volumes', 'cfg-fix', 'boot', 'sysctl-wallclock']),
} as const;

/** The steps of provisioning by the recipe `how-to`, in order. */
export const PROVISION_STEPS = RECIPE_STEPS['how-to'];

export type StepState = 'pending' | 'running' | 'done' | 'failed' | 'undone' | 'undo-failed';

/** One step of an operation, as a person sees it. */
export interface StepProgress {
  readonly name: string;
  readonly state: StepState;
  readonly startedAt?: string;
  readonly seconds?: number;
  /** What came of it, in words. */
  readonly summary?: string;
}

/** Where an operation stands. */
export interface OperationProgress {
  readonly steps: readonly StepProgress[];
  /** What it waits for, when it waits for something outside (a dom0 that does not answer). */
  readonly waiting?: string;
}
