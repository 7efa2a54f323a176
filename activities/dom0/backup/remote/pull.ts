/**
 * Copies the backups of a dom0 to this machine, which asks for them. Append-only: whatever the dom0 says, nothing that is here is changed or removed because
 * of it. What goes, goes by this host's own retention, by this host's own clock. A dom0 that somebody has broken into can lie about what it has from then
 * on, and fill the room that it may fill; it cannot reach what was taken before.
 */
import { lstat } from 'node:fs/promises';
import { GuestflowError } from '../../../../contract/errors.ts';
import type { Remote } from '../../tools/pull-ssh.ts';
import type { HandWork } from '../../work.ts';
import { timeOfId } from '../port.ts';
import { guestsIn } from '../repositories/reading.ts';
import type { Progress } from './ask.ts';
import { goingOf, whyNotWhole, type Retain } from './keep.ts';
import { offersOf } from './list.ts';
import { takeNotes } from './notes.ts';
import { Place, type Here } from './place.ts';
import type { Offer } from './protocol.ts';
import { Room, type Limits } from './room.ts';
import { take } from './take.ts';

/** Milliseconds in which something must come. */
const WINDOW_MS = 120_000;
/** Bytes that must come of a list, and of a backup, in each such time. */
const LEAST = { ofList: 1, ofBackup: 64 * 1024 } as const;

/** Clocks of two machines differ. */
const DAY_MS = 24 * 60 * 60 * 1000;
/** Problems that are told one by one: the dom0 decides how many there are. */
const MOST_PROBLEMS = 1_000;
/** After so many backups that could not be had, the dom0 is left alone. */
const MOST_UNREACHABLE = 3;

export interface Pulling {
  readonly remote: Remote;
  /** The directory of this dom0's backups. */
  readonly root: string;
  readonly limits: Limits;
  /** Nothing is written. */
  readonly isDryRun: boolean;
  /** Every backup that is here is read to its end, and its sum compared. */
  readonly doesVerify: boolean;
  readonly retain: Retain;
  /** Milliseconds in which something must come. Default: two minutes. */
  readonly windowMs?: number;
}

export interface Named {
  readonly guest: string;
  readonly id: string;
  readonly bytes: number;
}

/** What a person must look at. */
export interface Trouble {
  /** A guest, a backup, or a record. */
  readonly of: string;
  readonly reason: string;
}

export interface Pulled {
  /** Taken now; in a dry run, what would be. */
  readonly taken: readonly (Named & { readonly resumedFrom?: number })[];
  /** How many of those that the dom0 has were here already, whole. */
  readonly present: number;
  readonly removed: readonly Named[];
  readonly problems: readonly Trouble[];
  /** How many more there are. */
  readonly untold: number;
}

/** @throws Unreachable, BackupUnusable when the dom0 cannot be asked what it has */
export async function pull(work: HandWork, pulling: Pulling): Promise<Pulled> {
  return await new Pull(work, pulling, await Room.of(pulling.root, pulling.limits)).run();
}

class Pull {
  private readonly problems: Trouble[] = [];
  private readonly taken: (Named & { resumedFrom?: number })[] = [];
  private readonly removed: Named[] = [];
  private untold = 0;
  private present = 0;
  private unreachable = 0;
  private readonly work: HandWork;
  private readonly pulling: Pulling;
  private readonly room: Room;

  constructor(work: HandWork, pulling: Pulling, room: Room) {
    this.work = work;
    this.pulling = pulling;
    this.room = room;
  }

  async run(): Promise<Pulled> {
    const { root, remote } = this.pulling;
    const offers = await offersOf(this.work, remote, this.atLeast(LEAST.ofList), (of, reason) => this.tell(of, reason));
    // What the dom0 cannot read now may be there the next time.
    const isComplete = this.problems.length === 0;
    const isThere = (await lstat(root).catch(() => undefined)) !== undefined;
    const guests = new Set([...offers.keys(), ...(isThere ? await guestsIn(root) : [])]);
    for (const guest of [...guests].sort()) await this.guest(guest, offers.get(guest) ?? new Map<string, Offer>(), isComplete);
    const { problems, taken, removed, present, untold } = this;
    return { taken, present, removed, problems, untold };
  }

  private async guest(guest: string, offers: ReadonlyMap<string, Offer>, isComplete: boolean): Promise<void> {
    const { isDryRun, doesVerify } = this.pulling;
    const here = await this.place(guest).look();
    for (const [id, reason] of here.damaged)
      this.tell(`${guest}/${id}`, `what is here of it is damaged, and is left as it is: ${reason}. Move its files away, and pull again`);
    const wanted = [...offers.values()].filter((offer) => this.isWanted(offer, here)).sort((a, b) => (a.id < b.id ? -1 : 1));
    if (!isDryRun) {
      const ids = new Set(wanted.map(({ id }) => id));
      await this.place(guest).tidy(
        (id) => ids.has(id),
        (id) => offers.has(id) || !isComplete,
      );
    }
    for (const offer of wanted) await this.takeOne(offer);
    for (const backup of doesVerify ? here.whole.values() : []) {
      const why = await whyNotWhole(this.work, backup);
      if (why !== undefined) this.tell(`${guest}/${backup.id}`, why);
    }
    if (!isDryRun) await takeNotes(this.place(guest), offers, ({ id }, reason) => this.tell(`${guest}/${id}`, reason));
    await this.prune(guest);
  }

  private isWanted({ guest, id, recordSha256 }: Offer, { whole, damaged, arrivals }: Here): boolean {
    const found = whole.get(id);
    if (found !== undefined) {
      if (found.recordSha256 === recordSha256) this.present += 1;
      else this.tell(`${guest}/${id}`, 'the dom0 has another backup of this name than the one that was taken before, which stays');
      return false;
    }
    if (damaged.has(id) || arrivals.get(id)?.removedAt !== undefined) return false;
    if (timeOfId(id) < Date.now() + DAY_MS) return true;
    this.tell(`${guest}/${id}`, 'it says that it is of the future, or of no time: look at the clocks of both machines. It is not taken');
    return false;
  }

  private async takeOne(offer: Offer): Promise<void> {
    const { guest, id, bytes } = offer;
    const { remote, isDryRun } = this.pulling;
    try {
      if (this.unreachable >= MOST_UNREACHABLE) throw new GuestflowError('Cancelled', 'not tried: the dom0 did not send those before');
      if (isDryRun) {
        const why = await this.room.whyNot(bytes);
        if (why !== undefined) throw new GuestflowError('NoCapacity', why);
        this.room.add({ bytes, backups: 1 });
        this.taken.push({ guest, id, bytes });
        return;
      }
      const { from } = await take(
        this.work,
        { remote, place: this.place(guest), room: this.room, atLeast: this.atLeast(LEAST.ofBackup) },
        offer,
      );
      this.taken.push({ guest, id, bytes, ...(from === 0 ? {} : { resumedFrom: from }) });
    } catch (error) {
      if (!(error instanceof GuestflowError) || this.work.signal.aborted) throw error;
      if (error.type === 'Unreachable') this.unreachable += 1;
      this.tell(`${guest}/${id}`, error.message);
    }
  }

  private async prune(guest: string): Promise<void> {
    const now = new Date();
    const going = goingOf(await this.place(guest).look(), this.pulling.retain, now);
    if (going === undefined)
      this.tell(guest, "some of its backups came later than it is now: this machine's clock was or is wrong. None is removed");
    for (const backup of going ?? []) {
      const { id, bytes } = backup;
      if (!this.pulling.isDryRun) {
        await this.place(guest).remove(backup, backup.arrivedAt, now);
        this.room.add({ bytes: -bytes, backups: -1 });
      }
      this.removed.push({ guest, id, bytes });
    }
  }

  private atLeast(bytes: number): Progress {
    return { bytes, everyMs: this.pulling.windowMs ?? WINDOW_MS };
  }

  private place(guest: string): Place {
    return new Place(this.pulling.root, guest);
  }

  private tell(of: string, reason: string): void {
    if (this.problems.length < MOST_PROBLEMS) this.problems.push({ of, reason });
    else this.untold += 1;
  }
}
