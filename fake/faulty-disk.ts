/** Looks at the fake dom0's files and changes of them, with the faults of the plan, the states of the dom0 and the end of the worker. */
import type { WorkingPlan } from './faults.ts';
import type { WorkerLife } from './life.ts';
import type { Machine } from './machine.ts';

/** What happens to one change: all of it, or half of it when the worker is killed in the middle. */
export interface Change<T> {
  /** It needs room. */
  readonly grows?: boolean;
  readonly half?: () => void;
  readonly whole: () => T;
}

export function systemError(code: string, text: string, what: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${text}, ${what} '${path}'`), { code, syscall: what, path });
}

/** The files as one worker process reaches them. */
export class FaultyDisk {
  private readonly machine: Machine;
  private readonly plan: WorkingPlan;
  private readonly life: WorkerLife;

  constructor(machine: Machine, plan: WorkingPlan, life: WorkerLife) {
    this.machine = machine;
    this.plan = plan;
    this.life = life;
  }

  /** Where a file of the dom0 lies on the machine that plays it. */
  at(path: string): string {
    if (!path.startsWith('/') || path.split('/').includes('..')) throw new Error(`not an absolute path: ${path}`);
    return this.machine.at(path);
  }

  async look<T>(work: () => T): Promise<T> {
    await this.life.mustLive();
    return work();
  }

  /**
   * Makes a change, as far as a fault lets it.
   *
   * @param args of the call, as rules of the plan see it. Default: the path.
   */
  async change<T>(what: string, path: string, { grows = false, half, whole }: Change<T>, args: readonly string[] = [path]): Promise<T> {
    const { conditions } = this.machine;
    await this.life.mustLive();
    const call = this.plan.record('file', `file.${what}`, args);
    const rule = this.plan.take(call);
    if (rule?.kind === 'wait') await this.life.guard(Promise.resolve(rule.until));
    if (rule?.kind === 'kill-before') return this.life.dieIn(call);
    call.outcome = 'failed';
    if (conditions.readOnlyFs) throw systemError('EROFS', 'read-only file system', what, path);
    if (conditions.diskFull && grows) throw systemError('ENOSPC', 'no space left on device', what, path);
    if (rule?.kind === 'kill-middle') {
      half?.();
      return this.life.dieIn(call);
    }
    if (rule !== undefined && /^(fail|hang)/.test(rule.kind)) {
      if (rule.kind === 'fail-middle') half?.();
      if (rule.kind === 'fail-after') whole();
      throw systemError('EIO', 'i/o error', what, path);
    }
    const result = whole();
    if (rule?.kind === 'kill-after') return this.life.dieIn(call);
    call.outcome = 'ok';
    return result;
  }
}
