/**
 * What changed between two file systems, each read by a reader of its own, in the same order. Both go on together: the one that is further waits for the
 * other, so that no more than one thing of each is in memory. Neither reader is believed: one that does not keep the order is no reader of ours.
 */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { FileEntry, FrameSink, Problem } from './frames.ts';

/** What was read of one thing. */
const PARTS = ['kind', 'content', 'target', 'device', 'mode', 'owner', 'attributes', 'time'] as const;

export type Part = (typeof PARTS)[number];

export interface Change {
  readonly path: string;
  /** What it was; undefined when it is new. */
  readonly was?: FileEntry;
  /** What it is; undefined when it is gone. */
  readonly now?: FileEntry;
  /** Of one that was there before, what is another now. */
  readonly parts: readonly Part[];
}

/** The older one, and the newer one. */
export type Side = 0 | 1;

/** So many things may be unreadable: each is kept in mind, so that it does not count as gone. */
const MOST_UNREADABLE = 10_000;

interface Waiting {
  readonly entry: FileEntry;
  readonly goOn: () => void;
  readonly giveUp: (error: Error) => void;
}

export class Comparison {
  private readonly waiting: [Waiting | undefined, Waiting | undefined] = [undefined, undefined];
  private readonly ended: [boolean, boolean] = [false, false];
  private readonly last: [string | undefined, string | undefined] = [undefined, undefined];
  /** Of both: what one of them cannot read is compared in neither. */
  private readonly unreadable = new Set<string>();
  private readonly tell: (change: Change) => void;
  private failure: Error | undefined;

  constructor(tell: (change: Change) => void) {
    this.tell = tell;
  }

  /** Takes what the reader of one side says. */
  sink(side: Side, problem: (problem: Problem) => void): FrameSink {
    return {
      entry: (entry) => this.arrive(side, entry),
      content: () => Promise.reject(new GuestflowError('BackupUnusable', 'the reader of the file system sends what it was not asked for')),
      problem: (found) => {
        this.unreadable.add(found.path);
        if (this.unreadable.size > MOST_UNREADABLE)
          throw new GuestflowError('BackupUnusable', `more than ${MOST_UNREADABLE} files cannot be read: there is nothing to compare`);
        problem(found);
      },
    };
  }

  /** The reader of one side has said all. */
  end(side: Side): void {
    this.ended[side] = true;
    this.meet();
  }

  /** One of the readers cannot go on: the other one must not wait for it. */
  fail(error: Error): void {
    this.failure = error;
    for (const waiting of this.waiting) waiting?.giveUp(error);
  }

  private arrive(side: Side, entry: FileEntry): Promise<void> {
    const before = this.last[side];
    if (before !== undefined && inOrder(before, entry.path) >= 0)
      throw new GuestflowError('BackupUnusable', 'the reader of the file system is not to be believed: it does not keep the order');
    this.last[side] = entry.path;
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((goOn, giveUp) => {
      this.waiting[side] = { entry, goOn, giveUp };
      this.meet();
    });
  }

  /** Of the two that wait, the first goes on, or both if they are of one path. */
  private meet(): void {
    const [was, now] = this.waiting;
    if ((was === undefined && !this.ended[0]) || (now === undefined && !this.ended[1])) return;
    const order = was === undefined ? 1 : now === undefined ? -1 : inOrder(was.entry.path, now.entry.path);
    if (order <= 0) this.waiting[0] = undefined;
    if (order >= 0) this.waiting[1] = undefined;
    this.compare(order <= 0 ? was?.entry : undefined, order >= 0 ? now?.entry : undefined);
    if (order <= 0) was?.goOn();
    if (order >= 0) now?.goOn();
  }

  private compare(was: FileEntry | undefined, now: FileEntry | undefined): void {
    const path = (was ?? now)?.path;
    if (path === undefined) return;
    if (was !== undefined && now !== undefined) {
      const parts = PARTS.filter((part) => partOf(was, part) !== partOf(now, part));
      if (parts.length > 0) this.tell({ path, was, now, parts });
    } else if (!this.isHidden(path))
      this.tell({ path, parts: [], ...(was === undefined ? {} : { was }), ...(now === undefined ? {} : { now }) });
  }

  /** Whether it, or a directory above it, could not be read on one of the sides: then nobody knows whether it is there. */
  private isHidden(path: string): boolean {
    if (this.unreadable.size === 0) return false;
    const parts = path.split('/');
    return this.unreadable.has('') || parts.some((_, index) => this.unreadable.has(parts.slice(0, index + 1).join('/')));
  }
}

function partOf({ kind, mode, uid, gid, size, mtime, target, device, attributes, digest }: FileEntry, part: Part): string {
  switch (part) {
    case 'kind':
      return kind;
    case 'content':
      return kind === 'file' ? `${size} ${digest ?? ''}` : '';
    case 'target':
      return target ?? '';
    case 'device':
      return String(device ?? '');
    case 'mode':
      return String(mode);
    case 'owner':
      return `${uid}:${gid}`;
    case 'attributes':
      return JSON.stringify([...attributes].sort(([a], [b]) => (a < b ? -1 : 1)));
    case 'time':
      return mtime.join('.');
  }
}

/** As the reader goes: what is in a directory follows on it, and is in the order of the bytes of its names. */
function inOrder(one: string, other: string): number {
  const [a, b] = [one === '' ? [] : one.split('/'), other === '' ? [] : other.split('/')];
  for (const [index, name] of a.entries()) {
    const against = b[index];
    if (against === undefined) return 1;
    if (name !== against) return name < against ? -1 : 1;
  }
  return a.length - b.length;
}
