/** docs/guest-life.md, as it follows from the table of operations. A test holds the page against it; `npx vitest run … -u` writes it. */
import { OPERATION_KINDS, operationRecord } from '../contract/operations.ts';

/** What leads from phase to phase without being an operation on a guest that exists. */
const BESIDE = [
  ['[*]', 'ordered', 'order'],
  ['ordered', 'provisioning', ''],
  ['provisioning', 'running', 'provisioned'],
  ['provisioning', 'failed', 'undone whole'],
  ['provisioning', 'needs-cleanup', 'undo not finished'],
  ['needs-cleanup', 'failed', 'cleanup of an order'],
  ['terminating', 'gone', 'grace period over, terminate --now'],
  ['terminating', 'needs-cleanup', 'removal not finished'],
  ['running', 'lost', 'dom0 lost, of any guest'],
  ['lost', 'running', 'dom0 found: as it was'],
  ['gone', '[*]', ''],
  ['failed', '[*]', ''],
] as const;

function transitions(): [from: string, to: string, by: string][] {
  const byEnds = new Map<string, [string, string, string]>(BESIDE.map(([from, to, by]) => [`${from} ${to}`, [from, to, by]]));
  for (const kind of OPERATION_KINDS) {
    const { phases, leadsTo = [] } = operationRecord(kind);
    for (const from of phases)
      for (const to of leadsTo) {
        // Asked again, it changes nothing.
        if ((leadsTo as readonly string[]).includes(from)) continue;
        // There is nothing on its dom0 that a grace period could keep.
        if (from === 'lost' && to === 'terminating') continue;
        const former = byEnds.get(`${from} ${to}`)?.[2] ?? '';
        byEnds.set(`${from} ${to}`, [from, to, former === '' ? kind : `${former}, ${kind}`]);
      }
  }
  return [...byEnds.values()];
}

export function guestLifePage(): string {
  const id = (phase: string): string => phase.replace('-', '_');
  const rows = OPERATION_KINDS.map((kind) => {
    const { phases, leadsTo, waits } = operationRecord(kind);
    const then = leadsTo === undefined ? 'as before' : leadsTo.join(', ');
    return `| \`${kind}\` | ${phases.join(', ')} | ${then} | ${waits === true ? 'waits' : 'is refused'} |`;
  });
  return [
    '# The life of a guest',
    '',
    'For who wants to know what can be asked of a guest, and when. This page is made of `contract/operations.ts`, the table that decides it.',
    '',
    '```mermaid',
    'stateDiagram-v2',
    '    needs_cleanup: needs-cleanup',
    ...transitions().map(([from, to, by]) => `    ${id(from)} --> ${id(to)}${by === '' ? '' : `: ${by}`}`),
    '```',
    '',
    '| Operation | A guest takes it when it is | Then it is | While another runs, it |',
    '|---|---|---|---|',
    ...rows,
    '',
    'A guest runs one operation at a time. A sixth one that would wait is refused. An operation that fails is undone, and leaves the guest in the phase in',
    'which it was; one that removes a guest is gone on with.',
    '',
  ].join('\n');
}
