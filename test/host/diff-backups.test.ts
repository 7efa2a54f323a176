/** What changed between two backups, read in two cages. */
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../unit/cli/run.ts';
import { repositoryOf } from './a-repository.ts';
import { host, imageFile, scratch, titled, whyNotHere } from './machine.ts';

const why = whyNotHere('mke2fs', 'debugfs', 'zstd', 'unshare', 'prlimit', 'setpriv');
const [OLD, NEW] = ['20261123T020000Z', '20261124T020000Z'];
const MiB = 2 ** 20;
const THEN = new Date('2026-11-01T00:00:00Z');

function put(tree: string, path: string, content: string): void {
  mkdirSync(join(tree, path, '..'), { recursive: true });
  writeFileSync(join(tree, path), content);
  utimesSync(join(tree, path), THEN, THEN);
}

/** A file of which only the middle is not zero. */
function sparse(tree: string, path: string, how: 'holes' | 'blocks'): void {
  const file = openSync(join(tree, path), 'w');
  if (how === 'holes') {
    ftruncateSync(file, MiB);
    writeSync(file, 'in the middle', 300_000);
  } else {
    const bytes = Buffer.alloc(MiB);
    bytes.write('in the middle', 300_000);
    writeSync(file, bytes);
  }
  closeSync(file);
  utimesSync(join(tree, path), THEN, THEN);
}

interface Change {
  readonly path: string;
  readonly change: string;
  readonly parts?: string[];
  readonly was?: { kind: string; size: number };
  readonly now?: { kind: string; size: number };
}

interface Shown {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly changes: Change[];
  readonly problems: { path: string; reason: string }[];
}

/** Two backups of one guest, of trees that are made by these, as file systems of other layouts. */
async function two(make: readonly [(tree: string) => void, (tree: string) => void], commands: readonly string[] = []): Promise<string> {
  const directory = scratch();
  let repository = '';
  for (const [index, id] of [OLD, NEW].entries()) {
    const tree = join(directory, 'tree');
    mkdirSync(tree);
    make[index]!(tree);
    const image = imageFile(join(directory, id), 16 * MiB);
    const options = index === 0 ? ['-t', 'ext4', '-b', '1024'] : ['-t', 'ext4', '-b', '4096'];
    await host.run('mke2fs', ['-q', '-F', ...options, '-O', '^metadata_csum', '-d', tree, image]);
    for (const command of index === 0 ? [] : commands) await host.run('debugfs', ['-w', '-R', command, image]);
    repository = await repositoryOf(directory, image, 'web1', id);
    rmSync(tree, { recursive: true });
  }
  return repository;
}

async function diff(repository: string): Promise<Shown & { code: number }> {
  const { code, stdout, stderr } = await run(['backups', 'web1', '--repository', repository, '--diff', OLD, NEW, '--json']);
  if (stdout === '') throw new Error(stderr);
  const shown = JSON.parse(stdout) as Shown;
  // Each file system has its own, made when it was.
  return { code, ...shown, changes: shown.changes.filter(({ path }) => path !== '/lost+found' && path !== '/') };
}

describe.skipIf(why !== undefined)(titled('guestflow backups --repository DIR NAME --diff ID ID', why), () => {
  it('names what was added, removed and changed, and nothing that only lies elsewhere', async () => {
    const same = (tree: string): void => {
      for (let index = 0; index < 300; index += 1) put(tree, `many/file-${index}`, `content ${index}`);
      put(tree, 'a.b', 'beside a');
      put(tree, 'a/b', 'in a');
      linkSync(join(tree, 'a/b'), join(tree, 'a/other name of b'));
      utimesSync(join(tree, 'many'), THEN, THEN);
    };
    const repository = await two([
      (tree) => {
        same(tree);
        sparse(tree, 'sparse', 'holes');
        put(tree, 'gone/deep', 'x');
        put(tree, 'changed', 'one');
        put(tree, 'was a file', 'x');
        symlinkSync('here', join(tree, 'link'));
      },
      (tree) => {
        same(tree);
        sparse(tree, 'sparse', 'blocks');
        put(tree, 'changed', 'two');
        mkdirSync(join(tree, 'was a file'));
        symlinkSync('there', join(tree, 'link'));
        put(tree, 'new\nname', 'longer');
      },
    ]);
    const { code, changes, problems } = await diff(repository);
    const isOfTime = ({ parts = [] }: Change): boolean => parts.length === 1 && parts[0] === 'time';
    expect({ code, problems }).toEqual({ code: 0, problems: [] });
    expect(
      changes
        .filter((change) => !isOfTime(change))
        .map(({ path, change, parts = [] }) => [path, change, parts.filter((part) => part !== 'time' && part !== 'mode')]),
    ).toEqual([
      ['/changed', 'changed', ['content']],
      ['/gone', 'removed', []],
      ['/gone/deep', 'removed', []],
      ['/link', 'changed', ['target']],
      ['/new\\x0aname', 'added', []],
      ['/was a file', 'changed', ['kind', 'content']],
    ]);
    expect(changes.find(({ path }) => path.startsWith('/new'))).toMatchObject({ now: { kind: 'file', size: 6 } });
    const table = await run(['backups', 'web1', '--repository', repository, '--diff', OLD, NEW]);
    expect(table.stdout).toMatch(/changed +file → directory +1 → +kind, content.* \/was a file\n/);
    expect(table.stdout).toMatch(new RegExp(`1 added, 2 removed, \\d+ changed from ${OLD} to ${NEW} of web1\\n$`));
  });

  it('takes nothing for gone that cannot be read in one of them: that is named, and the exit code is 1', async () => {
    const make = (tree: string): void => {
      for (const name of ['d/one', 'd/two', 'e/three', 'f']) put(tree, name, name);
    };
    const repository = await two([make, make], ['sif /d block[5] 0x7fffffff', 'sif /f mode 0170644']);
    const { code, changes, problems } = await diff(repository);
    expect(code).toBe(1);
    expect(problems.map(({ path }) => path)).toEqual(['/d', '/f']);
    expect(changes.filter(({ change }) => change !== 'changed')).toEqual([]);
  });

  it.each([
    [['--diff', OLD], 2, /two backups/],
    [['--diff', OLD, OLD], 2, /two backups/],
    [['--diff', OLD, '../x'], 3, /holds no backup/],
    [['--diff', OLD, NEW, '--ls', '/'], 2, /--ls does not go with --diff/],
  ])('refuses %j', async (argv, code, reason) => {
    const make = (tree: string): void => put(tree, 'a', 'a');
    const refused = await run(['backups', 'web1', '--repository', await two([make, make]), ...argv]);
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code, stdout: '' });
    expect(refused.stderr).toMatch(reason);
  });
});
