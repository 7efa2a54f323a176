/** A night of hundreds of guests: nobody is forgotten, and the day's orders do not wait for it. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServer } from '../workflow/temporal.ts';
import { theNight } from './the-night.ts';

const PATIENCE_MS = 300_000;

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startServer();
}, PATIENCE_MS);
afterAll(async () => {
  await environment.teardown();
});

it(
  'a night of 250 guests on two dom0s with a control worker of 3 slots lets an order for another dom0 begin within 2 s, and ends done for each of them',
  async () => {
    const night = await theNight(environment, { guests: 250, slots: 3 });
    expect(night.waitingWhenOrdered).toBe(250);
    expect(night.firstStepMs).toBeLessThan(2_000);
    expect(night.states).toEqual({ done: 250 });
    expect(night.nightsOfEach).toEqual({ 1: 250 });
  },
  PATIENCE_MS,
);
