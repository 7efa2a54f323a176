/** The scripts that freeze and thaw a guest, run by a real shell, below a directory of their own. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FREEZE_SCRIPT, THAW_SCRIPT } from '../../../../../activities/dom0/guests/scripts.ts';
import { createRunner } from '../../../../../system/run.ts';
import { until } from '../../../../../system/until.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'guestflow-freeze-'));
  mkdirSync(join(root, 'hooks'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** What the hooks were told, in order. */
const told = (): string[] => (existsSync(join(root, 'told')) ? readFileSync(join(root, 'told'), 'utf8').trim().split('\n') : []);
const hook = (name: string, body = 'true'): void => {
  writeFileSync(join(root, 'hooks', name), `#!/bin/sh\necho "$(basename "$0") $1" >> '${root}/told'\n${body}\n`, { mode: 0o755 });
};

async function run(script: string, sleep = '5'): Promise<string> {
  const here = script
    .replace('/etc/guestflow/freeze.d', join(root, 'hooks'))
    .replace('/run/guestflow-frozen', join(root, 'frozen'))
    .replace('sleep 120', `sleep ${sleep}`)
    .replace('\nsync\n', '\n');
  return (await createRunner().run('sh', ['-c', here], { timeoutMs: 20_000 })).stdout;
}

describe('a freeze', () => {
  it('of a guest without hooks flushes, and is over when it is thawed', async () => {
    expect(await run(FREEZE_SCRIPT)).toBe('frozen=yes\n');
    expect(await run(THAW_SCRIPT)).toBe('frozen=yes\n');
    expect(await run(THAW_SCRIPT)).toBe('');
  });

  it('tells each hook to freeze and then to thaw, in the order of their names, and leaves out what cannot be run', async () => {
    hook('20-files');
    hook('10 data base');
    writeFileSync(join(root, 'hooks', 'README'), 'none');
    expect(await run(FREEZE_SCRIPT)).toBe('frozen=yes\n');
    expect(told()).toEqual(['10 data base freeze', '20-files freeze']);
    expect(await run(THAW_SCRIPT)).toBe('frozen=yes\n');
    expect(told().slice(2)).toEqual(['10 data base thaw', '20-files thaw']);
  });

  it('in which a hook fails is thawed at once, and names the hook', async () => {
    hook('10-good');
    hook('20-bad', '[ "$1" = thaw ]');
    hook('30-never');
    expect(await run(FREEZE_SCRIPT)).toBe('failed=20-bad\n');
    expect(told()).toEqual(['10-good freeze', '20-bad freeze', '10-good thaw', '20-bad thaw', '30-never thaw']);
  });

  it('is over by itself when nobody comes, and says so to who comes later', async () => {
    hook('10-good');
    expect(await run(FREEZE_SCRIPT, '0.2')).toBe('frozen=yes\n');
    await until(() => Promise.resolve(told().includes('10-good thaw')), { everyMs: 50, limitMs: 10_000 });
    expect(await run(THAW_SCRIPT)).toBe('');
    expect(told()).toEqual(['10-good freeze', '10-good thaw']);
  });
});
