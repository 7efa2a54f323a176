import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgress } from '../../../cli/progress.ts';
import { drawing } from '../../../cli/progress-lines.ts';
import type { GuestStatus } from '../../../contract/guest.ts';
import type { StepProgress } from '../../../contract/progress.ts';

const STATUS: GuestStatus = {
  name: 'guest1',
  order: 'o',
  dom0: 'xen1',
  plan: 'small',
  phase: 'provisioning',
  orderedAt: '2026-01-01T00:00:00.000Z',
  queued: [],
  warnings: [],
  backups: [],
  leftovers: [],
};
const DONE: StepProgress = { name: 'reserve', state: 'done', seconds: 0.5, summary: '192.0.2.10' };
const RUNNING: StepProgress = { name: 'boot', state: 'running', startedAt: '2026-01-01T00:00:10.000Z' };
const PENDING: StepProgress = { name: 'seal', state: 'pending' };
const ACTIVITY = {
  activity: 'bootGuest',
  attempt: 2,
  waitingForWorker: false,
  message: 'waiting for sshd',
  fraction: 0.25,
  lastFailure: 'xl create failed\nstack',
};

function shown(isTTY: boolean, json: boolean, simulated: boolean, updates: (readonly StepProgress[])[]): string {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 60 });
  const progress = createProgress({ json, stream, simulated });
  for (const steps of updates) progress.update(STATUS, { operation: { steps } });
  progress.stop();
  const bytes: unknown = stream.read();
  return Buffer.isBuffer(bytes) ? bytes.toString() : '';
}

describe('progress', () => {
  it('away from a terminal is one line for each change of a step', () => {
    const text = shown(false, false, false, [
      [DONE, PENDING],
      [DONE, RUNNING],
      [DONE, RUNNING],
      [DONE, { ...RUNNING, state: 'done', seconds: 2 }],
    ]);
    expect(text).toBe('reserve: done (0.5 s): 192.0.2.10\nboot: running\nboot: done (2.0 s)\n');
  });

  it('of the simulated dom0 marks each line', () => {
    expect(shown(false, false, true, [[DONE]])).toMatch(/^simulated {2}reserve: done/);
  });

  it('is silent where the output is JSON', () => {
    expect(shown(true, true, false, [[DONE]])).toBe('');
  });

  it('on a terminal is redrawn in place, and no line is wider than the terminal', () => {
    const text = shown(true, false, false, [
      [DONE, RUNNING],
      [{ ...DONE, summary: 'x'.repeat(200) }, RUNNING],
    ]);
    expect(text).toContain('\u001B[2A\u001B[0J');

    for (const line of text.replace(/\u001B\[\d+[AJ]/g, '').split('\n')) expect(line.length).toBeLessThan(60);
  });

  it('of the running step says seconds, percent, words, and why the attempt before failed', () => {
    const now = Date.parse('2026-01-01T00:00:52.000Z');
    const [first, second, third] = drawing(
      STATUS,
      { operation: { steps: [DONE, RUNNING, PENDING] }, activities: [ACTIVITY] },
      { now, frame: 0 },
    );
    expect(first).toMatch(/✔ reserve +0\.5 s {2}192\.0\.2\.10/);
    expect(second).toMatch(/boot +42 s {2}25 % waiting for sshd \(attempt 2, before: xl create failed\)$/);
    expect(third).toMatch(/· seal$/);
  });

  it('of a step that no worker takes says so, and what the operation waits for', () => {
    const lines = drawing(
      STATUS,
      {
        operation: { steps: [RUNNING], waiting: 'dom0 xen1 does not answer' },
        activities: [{ ...ACTIVITY, attempt: 1, waitingForWorker: true }],
      },
      { now: 0, frame: 0 },
    );
    expect(lines[0]).toContain('waits for a worker of the dom0');
    expect(lines[1]).toContain('dom0 xen1 does not answer');
  });

  it('of an operation that ended is that of the guest', () => {
    expect(drawing({ ...STATUS, steps: [DONE] }, {}, { now: 0, frame: 0 })).toHaveLength(1);
  });
});
