/** Goes through what is asked for of a file system, and says each thing once. Runs in the cage. */
import { whyNotName } from './ext4/directory.ts';
import { ROOT, type FileSystem } from './ext4/file-system.ts';
import { ImageProblem, Unreadable } from './ext4/image.ts';
import type { Inode } from './ext4/inode.ts';
import type { Frame, Request } from './frames.ts';

/** Directories below each other. No program makes so many; a loop of them has no end. */
const DEEPEST = 1_000;
/** What is kept in mind of a file system: its directories, and files that have several names. */
const MOST_KEPT = 2_000_000;

/** A frame, and after it the content of its file. */
export interface Said {
  readonly frame: Frame;
  readonly content?: Iterable<Buffer>;
}

interface Place {
  readonly inode: Inode;
  readonly path: string;
}

export class Walk {
  private readonly fs: FileSystem;
  /** Paths of files that have more than one, by inode. */
  private readonly linked = new Map<number, string>();
  /** Sums of the content of those, by inode. */
  private readonly sums = new Map<number, string>();
  /** Names that are in memory, of the directories that it is in. */
  private names = 0;
  /** Paths of directories that were gone into, by inode. */
  private readonly entered = new Map<number, string>();

  constructor(fs: FileSystem) {
    this.fs = fs;
  }

  /** @throws ImageProblem when it cannot go on */
  *say({ what, paths }: Request): Generator<Said> {
    for (const path of paths) yield* what === 'list' ? this.list(path) : this.all(path, what);
    yield { frame: { is: 'end' } };
  }

  private *list(path: string): Generator<Said> {
    const place = this.find(path);
    if ('reason' in place) yield said(path, place.reason);
    else if (place.inode.kind !== 'directory') yield* this.tell(place, 'list');
    else for (const below of this.below(place)) yield* 'frame' in below ? [below] : this.tell(below, 'list');
  }

  /** A thing, and all that is below it, before that which is beside it. */
  private *all(path: string, what: 'read' | 'tree'): Generator<Said> {
    const start = this.find(path);
    if ('reason' in start) {
      yield said(path, start.reason);
      return;
    }
    yield* this.tell(start, what);
    const levels = this.enter(start, what);
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const next = level.next();
      if (next.done === true) levels.pop();
      else if ('frame' in next.value) yield next.value;
      else {
        const below = next.value;
        const former = below.inode.kind === 'directory' ? this.entered.get(below.inode.number) : undefined;
        if (former !== undefined) yield said(below.path, `is the directory /${former} once more`);
        else if (levels.length >= DEEPEST) yield said(below.path, `is more than ${DEEPEST} directories deep`);
        else {
          yield* this.tell(below, what);
          levels.push(...this.enter(below, what));
        }
      }
    }
  }

  private enter(place: Place, what: 'read' | 'tree'): Generator<Place | Said>[] {
    if (place.inode.kind !== 'directory') return [];
    this.keep(this.entered, place.inode, place.path);
    return [what === 'tree' ? this.inOrder(place) : this.below(place)];
  }

  /** What is in a directory, in the order of its names, each once. What cannot be read comes first. */
  private *inOrder({ inode, path }: Place): Generator<Place | Said> {
    const numbers = new Map<string, number>();
    try {
      for (const { name, inode: number } of this.fs.entries(inode)) {
        if (numbers.has(name)) yield said(below(path, name), 'is there more than once');
        else if ((this.names += 1) > MOST_KEPT) throw new ImageProblem(`directories have more than ${MOST_KEPT} names`);
        else numbers.set(name, number);
      }
    } catch (error) {
      yield said(path, reasonOf(error));
    }
    for (const [name, number] of [...numbers].sort(([a], [b]) => (a < b ? -1 : 1))) yield this.place(path, name, number);
    this.names -= numbers.size;
  }

  private place(path: string, name: string, number: number): Place | Said {
    const at = below(path, name);
    const why = whyNotName(name);
    if (why !== undefined) return said(at, why);
    try {
      return { inode: this.fs.inode(number), path: at };
    } catch (error) {
      return said(at, reasonOf(error));
    }
  }

  /** What is in a directory, with what cannot be read of it. */
  private *below({ inode, path }: Place): Generator<Place | Said> {
    try {
      for (const { name, inode: number } of this.fs.entries(inode)) yield this.place(path, name, number);
    } catch (error) {
      yield said(path, reasonOf(error));
    }
  }

  private *tell({ inode, path }: Place, what: Request['what']): Generator<Said> {
    const { kind, mode, uid, gid, size, mtime, device } = inode;
    const plain = { is: 'entry', path, kind, mode, uid, gid, size: 0, mtime: [...mtime], attributes: [], segments: [] } as const;
    const first = this.linked.get(inode.number);
    const withContent = what === 'read';
    try {
      if (withContent && first !== undefined)
        yield { frame: { ...plain, kind: 'hardlink', mtime: [...mtime], attributes: [], segments: [], target: first } };
      else {
        const isFile = kind === 'file';
        const segments = isFile && withContent ? this.fs.segments(inode).map(([at, length]): [number, number] => [at, length]) : [];
        const attributes = what === 'list' ? [] : this.attributes(inode);
        const frame: Frame = {
          ...{ ...plain, mtime: [...mtime], size: isFile ? size : 0, segments, attributes },
          ...(kind === 'symlink' ? { target: this.fs.target(inode) } : {}),
          ...(device === undefined ? {} : { device: [...device] }),
          ...(isFile && what === 'tree' ? { digest: this.digest(inode) } : {}),
        };
        yield isFile && withContent ? { frame, content: this.fs.content(inode) } : { frame };
        if (what !== 'tree' && kind !== 'directory' && inode.links > 1) this.keep(this.linked, inode, path);
      }
    } catch (error) {
      yield said(path, reasonOf(error));
    }
  }

  /** A file that has many names is read once. */
  private digest(inode: Inode): string {
    const known = this.sums.get(inode.number);
    if (known !== undefined) return known;
    const sum = this.fs.digest(inode);
    if (inode.links > 1) this.keep(this.sums, inode, sum);
    return sum;
  }

  private keep(where: Map<number, string>, { number }: Inode, what: string): void {
    where.set(number, what);
    if (this.entered.size + this.linked.size + this.sums.size > MOST_KEPT)
      throw new ImageProblem(`there are more than ${MOST_KEPT} directories and files with several names: restore it whole`);
  }

  private attributes(inode: Inode): [string, string][] {
    return this.fs
      .attributes(inode)
      .filter(({ name }) => name !== 'system.data')
      .map(({ name, value }) => {
        if (/[=\0]/.test(name)) throw new Unreadable('has an extended attribute whose name no tar can hold');
        return [name, value.toString('base64')];
      });
  }

  /** What is at a path; no link is followed. */
  private find(path: string): Place | { readonly reason: string } {
    try {
      let place: Place = { inode: this.fs.inode(ROOT), path: '' };
      for (const name of path.split('/').filter((part) => part !== '')) {
        if (place.inode.kind === 'symlink')
          return { reason: `is behind the link /${place.path}, which leads to ${this.fs.target(place.inode)}: name what it leads to` };
        if (place.inode.kind !== 'directory') return { reason: `is not there: /${place.path} is no directory` };
        const number = this.look(place.inode, name);
        if (number === undefined) return { reason: 'is not there' };
        place = { inode: this.fs.inode(number), path: place.path === '' ? name : `${place.path}/${name}` };
      }
      return place;
    } catch (error) {
      return { reason: reasonOf(error) };
    }
  }

  private look(directory: Inode, wanted: string): number | undefined {
    for (const { name, inode } of this.fs.entries(directory)) if (name === wanted) return inode;
    return undefined;
  }
}

function below(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

function said(path: string, reason: string): Said {
  return { frame: { is: 'problem', path, reason: reason.slice(0, 1_000), isLoss: true } };
}

/** Why one thing cannot be read. Anything else ends the reader. */
function reasonOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message;
  throw error;
}
