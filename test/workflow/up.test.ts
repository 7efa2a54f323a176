import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { readServerRecord } from '../../worker/server-record.ts';
import { run } from '../unit/cli/run.ts';

const WAIT = { timeout: 30_000, interval: 200 };

test('guestflow up ends, and says why, when its Temporal has ended by itself', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'guestflow-up-'));
  const record = join(stateDir, 'simulated', 'temporal', 'server.json');
  const log = join(stateDir, 'simulated', 'guestflow.log');
  try {
    const over = run(['up', '--simulate', '--once', '--state-dir', stateDir]);
    // It serves, and the control worker of this process polls.
    await vi.waitFor(async () => expect(await readFile(log, 'utf8')).toContain('control worker polls'), WAIT);
    const server = await readServerRecord(record);
    process.kill(server?.pid ?? 0, 'SIGKILL');
    const { code, stderr } = await over;
    expect(code).toBe(5);
    expect(stderr).toMatch(/the embedded Temporal .* has ended by itself/);
  } finally {
    rmSync(stateDir, { recursive: true });
  }
});
