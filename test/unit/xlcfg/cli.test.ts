import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fixCommand, showCommand } from '../../../cli/commands/cfg.ts';
import type { FixOptions } from '../../../cli/commands/cfg.ts';

let folder: string;
let file: string;
let written: { stdout: Buffer[]; stderr: string[] };
const CFG = "name = 'guest1'\nkernel = '/k'\nmemory = 512 # MiB, f\xfcr alle\n";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cfg-command-'));
  file = join(folder, 'guest1.cfg');
  writeFileSync(file, CFG, 'latin1');
  written = { stdout: [], stderr: [] };
  vi.spyOn(process.stdout, 'write').mockImplementation(((chunk: string | Uint8Array, done?: (error?: Error) => void) => {
    written.stdout.push(Buffer.from(chunk));
    done?.();
    return true;
  }) as typeof process.stdout.write);
  vi.spyOn(process.stderr, 'write').mockImplementation(((chunk: string) => {
    written.stderr.push(chunk);
    return true;
  }) as typeof process.stderr.write);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const stdout = (): string => Buffer.concat(written.stdout).toString('latin1');
const inFolder = (): string[] => readdirSync(folder).sort();
const fix = (options: FixOptions): Promise<number> => fixCommand(file, options);

describe('guestflow cfg show', () => {
  test('prints one JSON document', async () => {
    expect(await showCommand(file, {})).toBe(0);
    expect(JSON.parse(stdout())).toMatchObject({ keys: { name: 'guest1', memory: 512 }, disks: [], vifs: [], problems: [] });
  });

  test('a file that xl refuses: exit 2, one line with file, line, column and reason', async () => {
    writeFileSync(file, 'name = guest1\n');
    expect(await showCommand(file, {})).toBe(2);
    expect(written.stderr).toEqual([
      `guestflow: ${file}: line 1, column 8: "guest1" is not in quotes: a value is a number, a quoted string or a [ list ]\n`,
    ]);
    expect(stdout()).toBe('');
  });

  test('with --json the error is JSON', async () => {
    writeFileSync(file, 'name = guest1\n');
    expect(await showCommand(file, { json: true })).toBe(2);
    expect(JSON.parse(written.stderr.join(''))).toMatchObject({ error: { type: 'InvalidInput', line: 1, column: 8 } });
  });

  test.each([
    ['a folder', () => folder, 'no regular file'],
    ['a device', () => '/dev/zero', 'no regular file'],
    ['a missing file', () => join(folder, 'none'), 'no such file'],
  ])('%s: exit 2', async (_what, path, reason) => {
    expect(await showCommand(path(), {})).toBe(2);
    expect(written.stderr.join('')).toContain(reason);
  });

  test('a pipe is refused and not waited for', async () => {
    const pipe = join(folder, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    expect(await showCommand(pipe, {})).toBe(2);
  });

  test('more than 1 MiB: exit 2', async () => {
    writeFileSync(file, '\n'.repeat(1024 * 1024 + 1));
    expect(await showCommand(file, {})).toBe(2);
    expect(written.stderr.join('')).toContain('at most 1048576');
  });

  test('no control character of a file reaches the terminal', async () => {
    writeFileSync(file, "name = 'a'\non_crash = '\u001b]0;x\u0007' '\n");
    expect(await showCommand(file, {})).toBe(2);
    expect(written.stderr.join('')).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
  });
});

describe('guestflow cfg fix', () => {
  test('prints the result byte for byte, and leaves the file alone', async () => {
    expect(await fix({ set: ['memory=1024'] })).toBe(0);
    expect(stdout()).toBe(CFG.replace('512', '1024'));
    expect(readFileSync(file, 'latin1')).toBe(CFG);
  });

  test('takes the change from a file, and --set besides', async () => {
    const change = join(folder, 'change.json');
    writeFileSync(change, '{"extraWords": ["clocksource=jiffies"]}');
    expect(await fix({ change, set: ['name=web=1'] })).toBe(0);
    expect(stdout()).toBe(`${CFG.replace('guest1', 'web=1')}extra = 'clocksource=jiffies'\n`);
  });

  test('--set with a leading zero is no number', async () => {
    expect(await fix({ set: ['memory=0512'] })).toBe(2);
    expect(written.stderr.join('')).toContain('octal');
  });

  test('--out replaces the file in one step and keeps its mode', async () => {
    chmodSync(file, 0o640);
    expect(await fix({ set: ['memory=1024'], out: file })).toBe(0);
    expect(readFileSync(file, 'latin1')).toBe(CFG.replace('512', '1024'));
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(inFolder()).toEqual(['guest1.cfg']);
    expect(stdout()).toBe('');
  });

  test('--out makes a new file for its owner only', async () => {
    const out = join(folder, 'new.cfg');
    expect(await fix({ out })).toBe(0);
    expect(statSync(out).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['a symbolic link', (): string => join(folder, 'link')],
    ['a folder', (): string => folder],
    ['a file in a folder that is not there', (): string => join(folder, 'none', 'x.cfg')],
  ])('--out to %s: exit 2, nothing written', async (_what, path) => {
    symlinkSync(file, join(folder, 'link'));
    expect(await fix({ set: ['memory=1'], out: path() })).toBe(2);
    expect(readFileSync(file, 'latin1')).toBe(CFG);
    expect(inFolder()).toEqual(['guest1.cfg', 'link']);
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
  });

  test('a refused change: exit 2, the file and --out untouched', async () => {
    expect(await fix({ set: ['memory=512Mb'], out: file, json: true })).toBe(2);
    expect(JSON.parse(written.stderr.join(''))).toMatchObject({ error: { type: 'InvalidInput', field: 'set.memory' } });
    expect(readFileSync(file, 'latin1')).toBe(CFG);
  });

  test.each([
    ['no KEY=VALUE', { set: ['memory'] }],
    ['a key twice', { set: ['memory=1', 'memory=2'] }],
    ['a prototype', { set: ['__proto__=1'] }],
    ['no change file', { change: '/nowhere/change.json' }],
  ])('%s: exit 2', async (_what, options) => {
    expect(await fix(options)).toBe(2);
    expect(written.stderr).toHaveLength(1);
  });

  test.each([
    ['with a key twice in one object', '{"set": {"memory": 1, "memory": 2}}', /line 1, column \d+: .*unique/],
    ['with a key twice that is written in two ways', String.raw`{"set": {"memory": 1, "m\u0065mory": 2}}`, /unique/],
    ['that is no document', '{"set": {"memory": 1},', /line 1/],
    ['that is not in UTF-8', Buffer.from([0x22, 0xff, 0x22]), /UTF-8/],
    ['that is nothing but a word', '"memory"', /cannot be changed/],
  ])('a change %s: exit 2, and where', async (_what, text, where) => {
    const change = join(folder, 'change.json');
    writeFileSync(change, text);
    expect(await fix({ change, json: true })).toBe(2);
    expect(JSON.parse(written.stderr.join(''))).toMatchObject({
      error: { type: 'InvalidInput', message: expect.stringMatching(where) as string },
    });
    expect(stdout()).toBe('');
  });

  test('--diff prints a unified diff that patch(1) takes', async () => {
    expect(await fix({ set: ['memory=1024', 'vcpus=2'], diff: true })).toBe(0);
    expect(stdout()).toBe(
      `--- ${file}\n+++ ${file}\n@@ -1,3 +1,4 @@\n name = 'guest1'\n kernel = '/k'\n-memory = 512 # MiB, f\xfcr alle\n+memory = 1024 # MiB, f\xfcr alle\n+vcpus = 2\n`,
    );
  });

  test('notes go to stderr, or into the document with --json', async () => {
    writeFileSync(file, "name='a'\r\nkernel='/k'\r\n");
    expect(await fix({})).toBe(0);
    expect(stdout()).toBe("name='a'\nkernel='/k'\n");
    expect(written.stderr.join('')).toMatch(/^note: lines ended in CRLF/);
    written.stdout.length = 0;
    expect(await fix({ json: true })).toBe(0);
    expect(JSON.parse(stdout())).toMatchObject({
      changed: ['line ends'],
      notes: [expect.stringContaining('CRLF')],
      cfg: "name='a'\nkernel='/k'\n",
    });
  });
});
