/** Workflows that began with yesterday's code go on with today's: recorded histories replay. */
import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { describe, expect, it } from 'vitest';
import { workflowBundle } from './temporal.ts';

const FOLDER = new URL('../histories/', import.meta.url).pathname;
const FILES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .sort();

interface RecordedEvent {
  readonly activityTaskScheduledEventAttributes?: { activityType: { name: string } };
}

function read(file: string): { events: RecordedEvent[] } {
  return JSON.parse(readFileSync(`${FOLDER}${file}`, 'utf8')) as { events: RecordedEvent[] };
}

describe('recorded histories', () => {
  it('has one of a life, of a failure with undo, of a cancellation and of an undo that could not finish', () => {
    expect(FILES).toEqual(
      expect.arrayContaining([
        'guest-life.json',
        'provision.json',
        'provision-undone.json',
        'provision-cancelled.json',
        'provision-needs-cleanup.json',
      ]),
    );
  });

  it.each(FILES)('%s replays with the code as it is', async (file) => {
    await Worker.runReplayHistory({ workflowBundle: await workflowBundle() }, read(file));
  });

  it('notices a workflow that would do something else now', async () => {
    const history = read('provision.json');
    const step = history.events.find(
      ({ activityTaskScheduledEventAttributes }) => activityTaskScheduledEventAttributes?.activityType.name === 'createImage',
    );
    if (step?.activityTaskScheduledEventAttributes === undefined) throw new Error('the history has no createImage');
    step.activityTaskScheduledEventAttributes.activityType.name = 'somethingElse';
    await expect(Worker.runReplayHistory({ workflowBundle: await workflowBundle() }, history)).rejects.toThrow(DeterminismViolationError);
  });
});
