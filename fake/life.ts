/** The life of one worker process on the fake dom0: once it is killed, none of its calls does anything or ends well. */
import { WorkerKilled, type FakeCall } from './faults.ts';

export interface WorkerLife {
  readonly isDead: boolean;
  /** Aborted at the kill. */
  readonly signal: AbortSignal;
  kill(): void;
  /** Settles as `work` does, unless the worker dies before. */
  guard<T>(work: Promise<T>): Promise<T>;
  /** Ends the worker during this call. */
  dieIn(call: FakeCall): Promise<never>;
  /** Goes on only when the worker lives. */
  mustLive(): Promise<void>;
}

/**
 * @param afterKill `throw`: calls of a dead worker reject with `WorkerKilled`; `never`: they stay open for ever, as in a process that is
 * no more (whoever waits for them must be left behind, too).
 */
export function createWorkerLife(afterKill: 'throw' | 'never', whenKilled: () => void): WorkerLife {
  const controller = new AbortController();
  const { signal } = controller;
  const dead = (): Promise<never> => (afterKill === 'throw' ? Promise.reject(new WorkerKilled()) : new Promise<never>(() => undefined));
  const life: WorkerLife = {
    get isDead() {
      return signal.aborted;
    },
    signal,
    kill() {
      if (signal.aborted) return;
      controller.abort(new WorkerKilled());
      whenKilled();
    },
    async guard(work) {
      try {
        const value = await work;
        return signal.aborted ? await dead() : value;
      } catch (error) {
        if (signal.aborted) return dead();
        throw error;
      }
    },
    async dieIn(call) {
      call.outcome = 'killed';
      life.kill();
      return dead();
    },
    async mustLive() {
      if (signal.aborted) await dead();
    },
  };
  return life;
}
