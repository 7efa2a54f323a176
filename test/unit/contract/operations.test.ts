/** One table of operations. */
import { expect, it } from 'vitest';
import { WORKFLOWS } from '../../../contract/names.ts';
import { OPERATION_KINDS, operationRecord } from '../../../contract/operations.ts';
import { guestLifePage } from '../../../scripts/guest-life.ts';

it('docs/guest-life.md draws the table', async () => {
  await expect(guestLifePage()).toMatchFileSnapshot('../../../docs/guest-life.md');
});

it('every operation is done by a workflow that there is', () => {
  const types: readonly string[] = Object.values(WORKFLOWS);
  expect(OPERATION_KINDS.filter((kind) => !types.includes(operationRecord(kind).workflow))).toEqual([]);
});

it('an operation is taken again in the phase that it leads to, or by way of it: asked twice, it is no error', () => {
  const twice = OPERATION_KINDS.filter((kind) => {
    const { phases, leadsTo } = operationRecord(kind);
    return leadsTo === undefined || leadsTo.some((phase) => phases.includes(phase));
  });
  // What is cleaned up is gone: there is no guest any more that could be asked. A guest that was restored on another dom0 has one that is not lost.
  expect(OPERATION_KINDS.filter((kind) => !twice.includes(kind))).toEqual(['restoreElsewhere', 'cleanup']);
});
