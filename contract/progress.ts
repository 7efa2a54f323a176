/** Where an operation stands, step by step, for people. Free of imports: workflow code imports it. */

/** The steps of provisioning by the recipe `how-to`, in order. */
export const PROVISION_STEPS = [
  'reserve',
  'plan',
  'golden',
  'create-image',
  'cfg-fix',
  'boot',
  'sysctl-wallclock',
  'lvm-migration',
  'autostart',
  'seal',
  'nightly-backup',
] as const;

/** The steps of each recipe, in order. `from-backup` is that of an order with an origin. */
export const RECIPE_STEPS = {
  'how-to': PROVISION_STEPS,
  'from-backup': ['reserve', 'plan', 'restore-volumes', 'cfg-fix', 'boot', 'sysctl-wallclock', 'autostart', 'nightly-backup', 'seal'],
  direct: [
    'reserve',
    'plan',
    'golden',
    'create-image',
    'make-volumes',
    'cfg-fix',
    'boot',
    'drop-image',
    'sysctl-wallclock',
    'autostart',
    'seal',
    'nightly-backup',
  ],
} as const;

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
