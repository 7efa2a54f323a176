/** What goes wrong on a fake dom0, and when. */

/** One call that the fake answered: a process, or a change of its files. */
export interface FakeCall {
  /** Its number among the calls of its kind, from 0, since the plan was last restarted. */
  readonly index: number;
  readonly kind: 'process' | 'file';
  /** What was started, or `file.write`, `file.rename`, …: a change by a method of `HostFiles`. */
  readonly tool: string;
  /** The tool that does the work: `xen-create-image` when `tool` is the `setpriv` that contains it. */
  readonly name: string;
  readonly args: readonly string[];
  seconds: number;
  outcome: 'running' | 'ok' | 'failed' | 'timeout' | 'cancelled' | 'killed';
}

/**
 * - `fail`: once, without effect · `fail-middle`: once, with half its effect · `fail-after`: once, but it was done · `fail-always`: each time
 * - `hang`: it never ends by itself, and does nothing · `hang-after`: it did all it had to, and never ends
 * - `wait`: it begins when `until` is settled
 * - `kill-before`, `kill-middle`, `kill-after`: the worker process is gone from that moment
 */
export type FaultKind =
  'fail' | 'fail-middle' | 'fail-after' | 'fail-always' | 'hang' | 'hang-after' | 'wait' | 'kill-before' | 'kill-middle' | 'kill-after';

export interface FaultRule {
  /** Which call: a function, or the index of a process. */
  readonly match: number | ((call: FakeCall) => boolean);
  readonly kind: FaultKind;
  /** Default: 1, or the first code after it that the caller does not accept. */
  readonly exitCode?: number;
  readonly stderr?: string;
  /** `hang`: only a cancellation or a kill ends it, not the time limit, which at the speed `instant` passes at once. */
  readonly forever?: boolean;
  readonly until?: Promise<unknown>;
}

/** States of the dom0 in which its tools cannot do their work, until they are switched off. */
export interface Conditions {
  /** Nothing more can be written to files (ENOSPC). */
  diskFull: boolean;
  /** No extent is free. */
  vgFull: boolean;
  /** No memory for another domain. */
  noMemory: boolean;
  /** No loop device is free. */
  noLoop: boolean;
  /** The file system of the dom0 takes no changes (EROFS). */
  readOnlyFs: boolean;
  /** Guests that are started do not come up. */
  guestsDoNotBoot: boolean;
  /** Guests that are told to give memory or vcpus back, or to take more, do nothing. */
  guestsDoNotFollow: boolean;
  /** Snapshots fill up while they are dumped. */
  snapshotsOverflow: boolean;
  /** No mirror answers. */
  noMirror: boolean;
  /** The router answers ARP for every address. */
  proxyArp: boolean;
  /** Tools that are not installed. */
  missingTools: Set<string>;
}

export interface FaultPlan extends Conditions {
  add(rule: FaultRule): void;
  /** Forgets rules, conditions and what fired, and counts calls from 0 again. */
  restart(): void;
  /** The calls that a rule was applied to. */
  readonly fired: readonly FakeCall[];
  /** Calls so far, by kind. */
  readonly counts: Readonly<Record<FakeCall['kind'], number>>;
}

/** A worker process that is gone can do nothing more: what its code calls after that ends with this. */
export class WorkerKilled extends Error {
  constructor() {
    super('the worker process was killed');
    this.name = 'WorkerKilled';
  }
}

/** The plan as the runner uses it. */
export interface WorkingPlan extends FaultPlan {
  /** Numbers a call and keeps it. */
  record(kind: FakeCall['kind'], tool: string, args: readonly string[], name?: string): FakeCall;
  /** All calls of all handles. */
  readonly calls: readonly FakeCall[];
  /** The rule that applies to this call; rules other than `fail-always` apply once. */
  take(call: FakeCall): FaultRule | undefined;
}

export function noConditions(): Conditions {
  return {
    diskFull: false,
    vgFull: false,
    noMemory: false,
    noLoop: false,
    readOnlyFs: false,
    guestsDoNotBoot: false,
    guestsDoNotFollow: false,
    snapshotsOverflow: false,
    noMirror: false,
    proxyArp: false,
    missingTools: new Set(),
  };
}

export function createFaultPlan(): WorkingPlan {
  let rules: FaultRule[] = [];
  const counts = { process: 0, file: 0 };
  const fired: FakeCall[] = [];
  const calls: FakeCall[] = [];
  const plan: WorkingPlan = {
    ...noConditions(),
    fired,
    counts,
    add(rule) {
      rules.push(rule);
    },
    restart() {
      rules = [];
      fired.length = 0;
      counts.process = 0;
      counts.file = 0;
      Object.assign(plan, noConditions());
    },
    calls,
    record(kind, tool, args, name = tool) {
      const call: FakeCall = { index: counts[kind], kind, tool, name, args, seconds: 0, outcome: 'running' };
      counts[kind] += 1;
      calls.push(call);
      return call;
    },
    take(call) {
      const rule = rules.find(({ match }) => (typeof match === 'number' ? call.kind === 'process' && call.index === match : match(call)));
      if (rule === undefined) return undefined;
      if (rule.kind !== 'fail-always') rules = rules.filter((other) => other !== rule);
      fired.push(call);
      return rule;
    },
  };
  return plan;
}
