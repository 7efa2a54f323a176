/** How a process asks ledgers. */
import { ServiceError, type Client } from '@temporalio/client';
import { expect, it } from 'vitest';
import { queryLedger, updateLedger, updateLedgerWithStart } from '../../../client/ledger-calls.ts';
import { DOM0_UPDATES, QUERIES, WORKFLOWS } from '../../../contract/names.ts';
import { UPDATES_AT_ONCE } from '../../../system/gate.ts';

/** As grpc-js makes it. */
function grpc(code: number, details: string): Error {
  return Object.assign(new Error(`${String(code)} ${details}`), { code, details, metadata: {} });
}

/** A ledger that takes a while for each request, and counts how many it has at the same time. */
function ledger(): { client: Client; most: () => number; asked: () => number } {
  let [now, most, asked] = [0, 0, 0];
  const answer = async (): Promise<undefined> => {
    asked += 1;
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now -= 1;
    return undefined;
  };
  const workflow = { getHandle: () => ({ executeUpdate: answer, query: () => Promise.resolve() }), executeUpdateWithStart: answer };
  return { client: { workflow } as unknown as Client, most: () => most, asked: () => asked };
}

it('a ledger is told a few things at a time by a process, whichever of its connections and calls they come by', async () => {
  const { client, most, asked } = ledger();
  const other = { workflow: client.workflow } as unknown as Client;
  const start = { workflowId: 'dom0/gate1', input: [{ host: 'gate1', drained: false, promised: [] }] as [never] };
  await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      index % 2 === 0
        ? updateLedger(client, 'dom0/gate1', DOM0_UPDATES.drain, true)
        : updateLedgerWithStart(other, WORKFLOWS.dom0, start, DOM0_UPDATES.drain, true),
    ),
  );
  expect([asked(), most()]).toEqual([12, UPDATES_AT_ONCE]);
});

it('whoever only looks does not wait behind those who reserve', async () => {
  const { client, asked } = ledger();
  const updates = Array.from({ length: 12 }, () => updateLedger(client, 'dom0/gate2', DOM0_UPDATES.drain, true));
  await queryLedger(client, 'dom0/gate2', QUERIES.ledger);
  expect(asked()).toBeLessThan(12);
  await Promise.all(updates);
});

it('one that is busy is asked again; when Temporal is away, that is the answer', async () => {
  let asked = 0;
  const answering = (error: Error): Client => {
    asked = 0;
    const executeUpdate = (): Promise<string> => {
      asked += 1;
      return asked === 1 ? Promise.reject(new ServiceError('failed', { cause: error })) : Promise.resolve('taken');
    };
    return { workflow: { getHandle: () => ({ executeUpdate }) } } as unknown as Client;
  };
  await updateLedger(answering(grpc(8, 'too many updates')), 'dom0/gate3', DOM0_UPDATES.drain, true);
  expect(asked).toBe(2);
  const away = updateLedger(answering(grpc(14, 'no connection')), 'dom0/gate3', DOM0_UPDATES.drain, true);
  await expect(away).rejects.toThrow('failed');
  expect(asked).toBe(1);
});
