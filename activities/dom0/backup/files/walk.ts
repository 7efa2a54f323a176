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
  /** Paths of directories that were gone into, by inode. */
  private readonly entered = new Map<number, string>();

  constructor(fs: FileSystem) {
    this.fs = fs;
  }

  /** @throws ImageProblem when it cannot go on */
  *say({ what, paths }: Request): Generator<Said> {
    for (const path of paths) yield* what === 'list' ? this.list(path) : this.read(path);
    yield { frame: { is: 'end' } };
  }

  private *list(path: string): Generator<Said> {
    const place = this.find(path);
    if ('reason' in place) yield said(path, place.reason);
    else if (place.inode.kind !== 'directory') yield* this.tell(place, false);
    else for (const below of this.below(place)) yield* 'frame' in below ? [below] : this.tell(below, false);
  }

  /** A thing, and all that is below it, before that which is beside it. */
  private *read(path: string): Generator<Said> {
    const start = this.find(path);
    if ('reason' in start) {
      yield said(path, start.reason);
      return;
    }
    yield* this.tell(start, true);
    const levels = this.enter(start);
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
          yield* this.tell(below, true);
          levels.push(...this.enter(below));
        }
      }
    }
  }

  private enter(place: Place): Generator<Place | Said>[] {
    if (place.inode.kind !== 'directory') return [];
    this.keep(this.entered, place);
    return [this.below(place)];
  }

  /** What is in a directory, with what cannot be read of it. */
  private *below({ inode, path }: Place): Generator<Place | Said> {
    try {
      for (const { name, inode: number } of this.fs.entries(inode)) {
        const at = path === '' ? name : `${path}/${name}`;
        const why = whyNotName(name);
        if (why !== undefined) yield said(at, why);
        else
          try {
            yield { inode: this.fs.inode(number), path: at };
          } catch (error) {
            yield said(at, reasonOf(error));
          }
      }
    } catch (error) {
      yield said(path, reasonOf(error));
    }
  }

  private *tell({ inode, path }: Place, withContent: boolean): Generator<Said> {
    const { kind, mode, uid, gid, size, mtime, device } = inode;
    const plain = { is: 'entry', path, kind, mode, uid, gid, size: 0, mtime: [...mtime], attributes: [], segments: [] } as const;
    const first = this.linked.get(inode.number);
    try {
      if (withContent && first !== undefined)
        yield { frame: { ...plain, kind: 'hardlink', mtime: [...mtime], attributes: [], segments: [], target: first } };
      else {
        const isFile = kind === 'file';
        const segments = isFile && withContent ? this.fs.segments(inode).map(([at, length]): [number, number] => [at, length]) : [];
        const attributes = withContent ? this.attributes(inode) : [];
        const frame: Frame = {
          ...{ ...plain, mtime: [...mtime], size: isFile ? size : 0, segments, attributes },
          ...(kind === 'symlink' ? { target: this.fs.target(inode) } : {}),
          ...(device === undefined ? {} : { device: [...device] }),
        };
        yield isFile && withContent ? { frame, content: this.fs.content(inode) } : { frame };
        if (kind !== 'directory' && inode.links > 1) this.keep(this.linked, { inode, path });
      }
    } catch (error) {
      yield said(path, reasonOf(error));
    }
  }

  private keep(where: Map<number, string>, { inode, path }: Place): void {
    where.set(inode.number, path);
    if (this.entered.size + this.linked.size > MOST_KEPT)
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

function said(path: string, reason: string): Said {
  return { frame: { is: 'problem', path, reason: reason.slice(0, 1_000), isLoss: true } };
}

/** Why one thing cannot be read. Anything else ends the reader. */
function reasonOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message;
  throw error;
}
