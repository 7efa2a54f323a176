import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { openSink, writeWhole } from '../../../system/whole-file.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guestflow-whole-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

it('a file that is written in the place of another is new, and its owner alone reads it; nothing is left beside it', async () => {
  const path = join(folder, 'file');
  await writeFile(path, 'former', { mode: 0o644 });
  await writeWhole(path, 'new');
  expect(await readFile(path, 'utf8')).toBe('new');
  expect(await modeOf(path)).toBe(0o600);
  await writeWhole(path, Buffer.from([0, 255]), { mode: 0o644 });
  expect(await readFile(path)).toEqual(Buffer.from([0, 255]));
  expect(await modeOf(path)).toBe(0o644);
  expect(await readdir(folder)).toEqual(['file']);
});

it('a file that is made like another has its mode, whatever the umask', async () => {
  const path = join(folder, 'file');
  await writeFile(path, 'former');
  await chmod(path, 0o666);
  await writeWhole(path, 'new', { like: await stat(path) });
  expect(await modeOf(path)).toBe(0o666);
});

it('what is not committed is not there, and what was there stays', async () => {
  const path = join(folder, 'file');
  await writeFile(path, 'former');
  const file = await openSink(path);
  await file.write(Buffer.from('half'));
  expect(await readFile(path, 'utf8')).toBe('former');
  await file.abort();
  expect(await readFile(path, 'utf8')).toBe('former');
  expect(await readdir(folder)).toEqual(['file']);
});

it('the directory is brought to the disk after the file has its name', async () => {
  const seen: string[][] = [];
  const sync = async (directory: string): Promise<void> => void seen.push(await readdir(directory));
  await writeWhole(join(folder, 'file'), 'x', { sync });
  expect(seen).toEqual([['file']]);
});
