/** Names say what is sent and what comes back: the compiler refuses anything else. At run time they are what they always were. */
import { expect, expectTypeOf, it } from 'vitest';
import type { Client } from '@temporalio/client';
import { query, signal, update } from '../../../client/workflow-calls.ts';
import { DOM0_UPDATES, GUEST_SIGNALS, QUERIES, WORKFLOWS } from '../../../contract/names.ts';
import type { Dom0State } from '../../../contract/dom0.ts';

it('are plain strings', () => {
  expect([WORKFLOWS.guest, DOM0_UPDATES.drain, QUERIES.ledger, GUEST_SIGNALS.night]).toEqual(['guest', 'drain', 'ledger', 'night']);
});

it('give the type of an answer, and refuse what a workflow does not take', () => {
  const calls = (client: Client): unknown[] => [
    update(client, 'dom0/xen1', DOM0_UPDATES.drain, true),
    // @ts-expect-error -- drain is told yes or no
    update(client, 'dom0/xen1', DOM0_UPDATES.drain, 'yes'),
    // @ts-expect-error -- and it is told
    update(client, 'dom0/xen1', DOM0_UPDATES.drain),
    // @ts-expect-error -- a query is no update
    update(client, 'dom0/xen1', QUERIES.ledger),
    // @ts-expect-error -- a night has a time, an order and somebody who asks
    signal(client, 'guest/a', GUEST_SIGNALS.night, { due: '' }),
  ];
  expect(calls).toBeTypeOf('function');
  const ledger = (client: Client): Promise<Dom0State> => query(client, 'dom0/xen1', QUERIES.ledger);
  expectTypeOf(ledger).returns.resolves.toEqualTypeOf<Dom0State>();
});
