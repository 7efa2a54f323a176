import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tryMachineLock } from '../../../system/machine-lock.ts';
import { run } from './run.ts';

test('a second guestflow up in a state directory ends at once, says which one has it, and changes nothing there', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'guestflow-up-'));
  const first = await tryMachineLock(`up/${stateDir}`);
  try {
    const { code, stderr } = await run(['up', '--simulate', '--once', '--state-dir', stateDir]);
    expect(code).toBe(3);
    expect(stderr).toContain(`another guestflow up runs with the state directory ${stateDir}`);
    expect(stderr).toContain('--state-dir DIR');
    expect(readdirSync(stateDir)).toEqual([]);
  } finally {
    await first?.release();
    rmSync(stateDir, { recursive: true });
  }
});
