import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tryMachineLock } from '../../../system/machine-lock.ts';
import { run } from './run.ts';

test('a second guestflow up in a state directory, by whichever name, ends at once, says which one has it, and changes nothing there', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'guestflow-up-'));
  const link = `${stateDir}.link`;
  symlinkSync(stateDir, link);
  const first = await tryMachineLock(`up/${stateDir}`);
  try {
    for (const name of [stateDir, link]) {
      const { code, stderr } = await run(['up', '--simulate', '--once', '--state-dir', name]);
      expect(code).toBe(3);
      expect(stderr).toContain(`another guestflow up runs with the state directory ${stateDir}`);
      expect(stderr).toContain('--state-dir DIR');
    }
    expect(readdirSync(stateDir)).toEqual([]);
  } finally {
    await first?.release();
    rmSync(link);
    rmSync(stateDir, { recursive: true });
  }
});
