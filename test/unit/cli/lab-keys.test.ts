import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRunner } from '../../../system/run.ts';
import { codecKey } from '../../../client/codec/keys.ts';
import { shareCodecKeys } from '../../../cli/up/lab-keys.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-lab-keys-'));
  writeFileSync(join(directory, 'systemctl'), `#!/bin/sh\necho "$@" >> ${join(directory, 'restarts')}\n`, { mode: 0o755 });
  writeFileSync(join(directory, 'worker.env'), 'TEMPORAL_ADDRESS=10.0.2.2:7233\n');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** As in the lab's dom0, with another folder in place of /etc/guestflow. */
const share = (keys: Parameters<typeof shareCodecKeys>[1]): Promise<void> =>
  shareCodecKeys(
    ([tool = '', ...args], { input }) =>
      createRunner().run(tool, [...args.slice(0, -1), directory], { input, env: { PATH: `${directory}:${process.env['PATH'] ?? ''}` } }),
    keys,
  );
const restarts = (): number =>
  existsSync(join(directory, 'restarts')) ? readFileSync(join(directory, 'restarts'), 'utf8').trim().split('\n').length : 0;
const env = (): string => readFileSync(join(directory, 'worker.env'), 'utf8');

describe('the codec keys of the lab', () => {
  it('reach its worker in a file of its own, and restart it only when they change', async () => {
    const key = codecKey(Buffer.alloc(32, 7));
    await share([key]);
    await share([key]);
    const file = join(directory, 'codec-keys');
    expect(readFileSync(file, 'utf8')).toBe(`${Buffer.from(key.secret).toString('base64')}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(env()).toBe(`TEMPORAL_ADDRESS=10.0.2.2:7233\nGUESTFLOW_CODEC_KEY_FILE=${file}\n`);
    expect(restarts()).toBe(1);
  });

  it('go when guestflow up has none', async () => {
    await share([]);
    expect(restarts()).toBe(0);
    await share([codecKey(Buffer.alloc(32, 7))]);
    await share([]);
    expect(existsSync(join(directory, 'codec-keys'))).toBe(false);
    expect(env()).toBe('TEMPORAL_ADDRESS=10.0.2.2:7233\n');
    expect(restarts()).toBe(2);
  });
});
