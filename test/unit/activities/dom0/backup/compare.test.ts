/** Two file systems compared as their readers go through them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Comparison, type Change, type Side } from '../../../../../activities/dom0/backup/files/compare.ts';
import { contentSum } from '../../../../../activities/dom0/backup/files/ext4/content-sum.ts';
import type { FileEntry, FrameSink } from '../../../../../activities/dom0/backup/files/frames.ts';

type Tree = ReadonlyMap<string, string>;

function entry(path: string, content: string): FileEntry {
  return {
    ...{ is: 'entry', path, kind: 'file', mode: 0o644, uid: 0, gid: 0, size: content.length, mtime: [1, 0], attributes: [], segments: [] },
    digest: content.padEnd(64, '0'),
  };
}

/** By their names one below the other, as the reader goes. */
function ordered(tree: Tree): string[] {
  const key = (path: string): string => path.replaceAll('/', '\0');
  return [...tree.keys()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

async function said(comparison: Comparison, side: Side, tree: Tree): Promise<void> {
  const sink = comparison.sink(side, () => undefined);
  for (const path of ordered(tree)) await sink.entry(entry(path, tree.get(path)!));
  comparison.end(side);
}

const names = fc.array(fc.constantFrom('a', 'b', 'a.b', '!', '\xff'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const trees = fc.dictionary(names, fc.constantFrom('1', '2', '33'), { maxKeys: 12 }).map((each): Tree => new Map(Object.entries(each)));

describe('a comparison', () => {
  it('finds what was added, removed and changed, each once, whatever there is', async () => {
    await fc.assert(
      fc.asyncProperty(trees, trees, async (older, newer) => {
        const changes: Change[] = [];
        const comparison = new Comparison((change) => changes.push(change));
        await Promise.all([said(comparison, 0, older), said(comparison, 1, newer)]);
        const shown = changes.map(({ path, was, now }) => `${path} ${String(was?.size)} ${String(now?.size)}`);
        const expected = [...new Set([...older.keys(), ...newer.keys()])]
          .filter((path) => older.get(path) !== newer.get(path))
          .map((path) => `${path} ${String(older.get(path)?.length)} ${String(newer.get(path)?.length)}`);
        expect([...shown].sort()).toEqual(expected.sort());
      }),
    );
  });

  it('holds no more than one thing of each: the one that is further waits', async () => {
    const comparison = new Comparison(() => undefined);
    const [older, newer] = ([0, 1] as const).map((side) => comparison.sink(side, () => undefined)) as [FrameSink, FrameSink];
    let isHeard = false;
    const further = older.entry(entry('b', '')).then(() => (isHeard = true));
    await newer.entry(entry('a', ''));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isHeard).toBe(false);
    await newer.entry(entry('b', ''));
    expect(await further).toBe(true);
  });

  it.each([
    ['twice the same', ['a', 'a']],
    ['backwards', ['b', 'a']],
    ['what is in a directory after what is beside it', ['a', 'b', 'a/c']],
  ])('believes no reader that says %s', async (_, paths) => {
    const comparison = new Comparison(() => undefined);
    comparison.end(1);
    const sink = comparison.sink(0, () => undefined);
    const all = async (): Promise<void> => {
      for (const path of paths) await sink.entry(entry(path, ''));
    };
    await expect(all()).rejects.toMatchObject({ type: 'BackupUnusable' });
  });

  it('lets nobody wait for a reader that has failed, neither who waits now nor who comes later', async () => {
    const comparison = new Comparison(() => undefined);
    const sink = comparison.sink(0, () => undefined);
    const waiting = sink.entry(entry('a', ''));
    comparison.fail(new Error('the other one has ended'));
    await expect(waiting).rejects.toThrow('the other one has ended');
    await expect(sink.entry(entry('b', ''))).rejects.toThrow('the other one has ended');
  });

  it('ends when a tenant has made more unreadable than is kept in mind', () => {
    const sink = new Comparison(() => undefined).sink(0, () => undefined);
    const all = (): void => {
      for (let index = 0; index <= 10_000; index += 1)
        sink.problem({ is: 'problem', path: String(index), reason: 'is broken', isLoss: true });
    };
    expect(all).toThrow(/more than 10000 files cannot be read/);
  });
});

describe('a sum of a content', () => {
  const UNIT = 1_024;
  const pieces = fc.array(fc.constantFrom('zeros', 'ones', 'mixed', 'hole'), { minLength: 1, maxLength: 8 });

  function sumOf(kinds: readonly string[], cut: number, withHoles: boolean): string {
    const whole = Buffer.concat(kinds.map((kind, index) => Buffer.alloc(UNIT, kind === 'ones' ? 1 : kind === 'mixed' ? `\0x${index}` : 0)));
    const sum = contentSum();
    for (let at = 0; at < whole.length; at += cut * UNIT) {
      const isHole = withHoles && kinds.slice(at / UNIT, at / UNIT + cut).every((kind) => kind === 'hole');
      if (!isHole) sum.add(at, whole.subarray(at, at + cut * UNIT));
    }
    return sum.end();
  }

  it('is the same however the content is cut into pieces, and whether zeros are holes', () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 8 }), fc.boolean(), (kinds, cut, withHoles) => {
        expect(sumOf(kinds, cut, withHoles)).toBe(sumOf(kinds, 8, false));
      }),
    );
  });

  it('is another one for another content, or for the same at another place', () => {
    const bytes = Buffer.alloc(UNIT, 1);
    const at = (...offsets: number[]): string => {
      const sum = contentSum();
      for (const offset of offsets) sum.add(offset, bytes);
      return sum.end();
    };
    const sums = [at(), at(0), at(UNIT), at(0, UNIT), at(0, 2 * UNIT), at(UNIT, 2 * UNIT)];
    expect(new Set(sums).size).toBe(sums.length);
  });
});
