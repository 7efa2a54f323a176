/** The nights of a guest. A signal asks for each; its backup is an operation like any other; the result is remembered, and sent back by a signal. */
import { NIGHT_SIGNALS } from '../../contract/names.ts';
import { NIGHTS_KEPT, type NightRecord, type NightRequest } from '../../contract/nights.ts';
import type { OperationResult } from '../../contract/guest-requests.ts';
import { signalTo } from '../saga/handlers.ts';
import { rootFailure } from '../saga/operation.ts';

/** What the nights need of their guest. */
export interface GuestByNight {
  readonly name: string;
  readonly order: string;
  nights(): readonly NightRecord[];
  keep(nights: readonly NightRecord[]): void;
  /** Why no backup can be taken, now or after a wait; undefined if it can be asked for. */
  whyNot(): string | undefined;
  /** Takes a backup when it is its turn. Throws the failure of that operation. */
  backUp(id: string): Promise<OperationResult>;
}

/** Id of the operation that a night is. */
export function nightId(due: string): string {
  return `nightly-${due.replace(/\.\d+/, '').replace(/[-:]/g, '')}`;
}

/** The nights with this one among them, the last thirty by their time. */
export function withNight(nights: readonly NightRecord[], night: NightRecord): readonly NightRecord[] {
  const others = nights.filter(({ due }) => due !== night.due);
  return [...others, night].sort((a, b) => (a.due < b.due ? -1 : 1)).slice(-NIGHTS_KEPT);
}

const REASON_LENGTH = 300;

function now(): string {
  return new Date().toISOString();
}

export class Nights {
  private readonly guest: GuestByNight;
  /** The workflows that wait for the answer of a night, by its time. */
  private readonly askers = new Map<string, Set<string>>();

  constructor(guest: GuestByNight) {
    this.guest = guest;
  }

  /** Takes a request, and tells the workflow that asked how the night ended. A night that is over is not taken again. */
  async take({ due, order, answerTo }: NightRequest): Promise<void> {
    const { guest } = this;
    if (order !== guest.order) {
      const at = now();
      await tell(answerTo, { due, state: 'skipped', askedAt: at, endedAt: at, reason: `${guest.name} is a guest of another order by now` });
      return;
    }
    const known = guest.nights().find((night) => night.due === due);
    if (known?.endedAt !== undefined) {
      await tell(answerTo, known);
      return;
    }
    const waiting = this.askers.get(due);
    if (waiting !== undefined) {
      waiting.add(answerTo);
      return;
    }
    const askers = new Set([answerTo]);
    this.askers.set(due, askers);
    const night = await this.spend({ due, state: 'waiting', askedAt: now() });
    this.keep(night);
    this.askers.delete(due);
    for (const asker of askers) await tell(asker, night);
  }

  private keep(night: NightRecord): void {
    this.guest.keep(withNight(this.guest.nights(), night));
  }

  /** Has the backup taken. Returns the night as it ended. */
  private async spend(night: NightRecord): Promise<NightRecord> {
    const before = this.guest.nights().find(({ due, state }) => state === 'waiting' && due !== night.due);
    if (before !== undefined)
      return ended(night, { state: 'overlapped', reason: `the backup of the night before (${before.due}) was not done yet` });
    const refusal = this.guest.whyNot();
    if (refusal !== undefined) return ended(night, { state: 'skipped', reason: refusal });
    this.keep(night);
    try {
      const { backup } = await this.guest.backUp(nightId(night.due));
      return ended(night, { state: 'done', ...(backup === undefined ? {} : { backup: backup.id, takenAt: backup.takenAt }) });
    } catch (error) {
      const { type, message } = rootFailure(error);
      // Its phase changed while it waited for its turn.
      if (type === 'Busy') return ended(night, { state: 'skipped', reason: message });
      return ended(night, { state: 'failed', error: type, reason: message });
    }
  }
}

function ended(
  night: NightRecord,
  { reason, ...how }: Pick<NightRecord, 'state' | 'backup' | 'takenAt' | 'reason' | 'error'>,
): NightRecord {
  return { ...night, ...how, endedAt: now(), ...(reason === undefined ? {} : { reason: reason.slice(0, REASON_LENGTH) }) };
}

/** Sends the answer. The workflow that asked may be gone; the guest remembers the night in any case. */
async function tell(workflowId: string, night: NightRecord): Promise<void> {
  await signalTo(workflowId, NIGHT_SIGNALS.answer, night).catch(() => undefined);
}
