/** Ledgers that continue as new under a stream of requests: each request is answered. The server suggests to continue after a few events. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createControlActivities } from '../../activities/control/activities.ts';
import { registerDom0 } from '../../client/dom0s/register.ts';
import { WORKFLOWS } from '../../contract/names.ts';
import { each, roomyFacts } from './many-guests.ts';
import { order } from './scripted.ts';
import { startServer, withWorkers, type AnyActivities } from './temporal.ts';

const PATIENCE_MS = 180_000;
const HOST = 'anew1';
const SUGGESTED_AFTER = 12;

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startServer(['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${String(SUGGESTED_AFTER)}`]);
}, PATIENCE_MS);
afterAll(async () => {
  await environment.teardown();
});

it(
  'a dom0 and its network that continue as new again and again take every registration, reservation and release',
  async () => {
    const { client } = environment;
    const facts = roomyFacts(HOST);
    const control = createControlActivities(client);
    await withWorkers(environment, control as unknown as AnyActivities, async () => {
      await registerDom0(client, facts);
      const failures: unknown[] = [];
      const works = Array.from({ length: 30 }, (_, index) => async (): Promise<unknown> => {
        if (index % 3 === 0) return registerDom0(client, facts);
        const document = order({ dom0: HOST });
        await control.reserve(document);
        return control.release({ name: document.name, order: document.order, dom0: HOST });
      });
      await each(works, 6, (work) => work().catch((error: unknown) => failures.push(error)));
      expect(failures).toEqual([]);
      const { count } = await client.workflow.count(`WorkflowType = '${WORKFLOWS.dom0}' AND ExecutionStatus = 'ContinuedAsNew'`);
      expect(count).toBeGreaterThan(5);
    });
  },
  PATIENCE_MS,
);
