/** What takes memory, vcpus and disk on this dom0, ours and what was made by hand: the ledger counts both. */
import type { Amounts, Holding } from '../../../contract/capacity.ts';
import { defined } from '../../../contract/defined.ts';
import type { Thing } from './thing.ts';

/** One row for each of our guests and each further pool in which it has disks; and one for each thing without our mark that takes something. */
export function holdings(all: readonly Thing[]): Holding[] {
  const ours = new Map<string, Holding>();
  const others: Holding[] = [];
  for (const { where, owner, takes, pool } of all) {
    if (takes === undefined) continue;
    if (owner === undefined) {
      others.push({ what: where, ...defined({ pool }), ...takes });
      continue;
    }
    const rows = [...ours.values()].filter(({ guest, order }) => guest === owner.guest && order === owner.order);
    const row = rows.find((each) => pool === undefined || each.pool === undefined || each.pool === pool);
    const { guest, order } = owner;
    const key = JSON.stringify([guest, order, row === undefined ? rows.length : rows.indexOf(row)]);
    ours.set(key, { what: `guest ${guest}`, ...defined({ pool: row?.pool ?? pool }), guest, order, ...sum(row, takes) });
  }
  return [...ours.values(), ...others];
}

function sum(former: Amounts | undefined, more: Amounts): Required<Amounts> {
  const { memoryBytes = 0, overheadBytes = 0, vcpus = 0, diskBytes = 0 } = former ?? {};
  return {
    memoryBytes: memoryBytes + more.memoryBytes,
    overheadBytes: overheadBytes + (more.overheadBytes ?? 0),
    vcpus: vcpus + more.vcpus,
    diskBytes: diskBytes + more.diskBytes,
  };
}
