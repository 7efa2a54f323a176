import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processStartTime } from '../../../system/run-server.ts';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../../worker/embedded-temporal.ts';
import { readServerRecord, writeServerRecord } from '../../../worker/server-record.ts';

let stateDir: string;
const running: EmbeddedTemporal[] = [];
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'guestflow-temporal-'));
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  rmSync(stateDir, { recursive: true });
});

async function start(): Promise<EmbeddedTemporal> {
  const server = await startEmbeddedTemporal({ stateDir, port: 17_433, uiPort: 18_433 });
  running.push(server);
  return server;
}

const record = (): string => join(stateDir, 'temporal', 'server.json');
const modeOf = (name: string): number => statSync(join(stateDir, name)).mode & 0o777;

describe('the embedded Temporal', () => {
  it('serves, is joined by whoever starts it again, keeps what it was told over a restart, and ends', async () => {
    const first = await start();
    const again = await start();
    expect(again).toMatchObject({ pid: first.pid, address: first.address, attached: false });
    expect(modeOf('temporal')).toBe(0o700);
    expect(modeOf('temporal/temporal.db')).toBe(0o600);
    expect(modeOf('temporal/server.json')).toBe(0o600);
    const connection = await Connection.connect({ address: first.address });
    const started = await new Client({ connection }).workflow.start('kept', { taskQueue: 'nobody', workflowId: 'kept' });
    await connection.close();
    await first.stop();
    expect(processStartTime(first.pid)).toBeUndefined();

    const second = await start();
    expect(second.pid).not.toBe(first.pid);
    expect(second.address).toBe(first.address);
    const later = await Connection.connect({ address: second.address });
    expect(await new Client({ connection: later }).workflow.getHandle('kept').describe()).toMatchObject({
      runId: started.firstExecutionRunId,
    });
    await later.close();
  });

  it('is left running by who joined it while its starter lives, and taken over once that was killed', async () => {
    const first = await start();
    const known = await readServerRecord(record());
    if (known === undefined) throw new Error('no record');
    // Process 1 always lives; a process of this id with another start time does not.
    await writeServerRecord(record(), { ...known, owner: { pid: 1, startTime: processStartTime(1) ?? '' } });
    const guest = await start();
    expect(guest.attached).toBe(true);
    await guest.stop();
    expect(processStartTime(first.pid)).toBeDefined();

    await writeServerRecord(record(), { ...known, owner: { pid: 1, startTime: '0' } });
    const heir = await start();
    expect(heir).toMatchObject({ pid: first.pid, attached: false });
    await heir.stop();
    expect(processStartTime(first.pid)).toBeUndefined();
  });

  it('says so in one sentence when its database is damaged, with what to do', async () => {
    await (await start()).stop();
    writeFileSync(join(stateDir, 'temporal', 'temporal.db'), 'this is no database');
    await expect(start()).rejects.toMatchObject({
      type: 'Unreachable',
      message: expect.stringMatching(/its database .* is damaged/) as string,
      details: { mend: expect.stringContaining('mv ') as string },
    });
  });
});
