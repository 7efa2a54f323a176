/** An audit of a dom0 that has a thousand guests. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServer } from '../workflow/temporal.ts';
import { theAudit } from './the-audit.ts';

const PATIENCE_MS = 300_000;

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startServer();
}, PATIENCE_MS);
afterAll(async () => {
  await environment.teardown();
});

it(
  'an audit of 1,000 guests is done within 10 s and 100 MiB, wakes none of them, and orders are taken meanwhile',
  async () => {
    const audit = await theAudit(environment, { guests: 1_000 });
    expect(audit).toMatchObject({ problem: undefined, adopted: 1_000, orphans: 0, promised: 1_000 });
    for (const seconds of audit.seconds) expect(seconds).toBeLessThan(10);
    expect(audit.moreMiB).toBeLessThan(100);
    expect(audit.orderTakenMs).toBeLessThan(10_000);
  },
  PATIENCE_MS,
);
