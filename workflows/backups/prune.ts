/** Removes the backups that retention no longer keeps, by their ids. */
import type { GuestSpec } from '../../contract/guest.ts';
import type { Pruned } from '../../contract/backup.ts';
import { formatSize } from '../../contract/sizes.ts';
import type { Operation } from '../saga/operation.ts';
import type { ShortActivities } from '../../activities/dom0/activities.ts';
import { going, retain } from './retention.ts';

/** The step `prune`. It has no undo: a removed backup cannot be brought back. */
export function pruneStep(operation: Operation, host: ShortActivities, spec: GuestSpec): Promise<Pruned> {
  const ref = { name: spec.name, order: spec.order, dom0: spec.dom0 };
  return operation.step(
    'prune',
    async (): Promise<Pruned> => {
      const { backups, damaged } = await host.listBackups(ref);
      const ids = going(retain(backups, spec.backup.retention, spec.os.timezone));
      const pruned = ids.length === 0 ? { removed: [], freedBytes: 0 } : await host.pruneBackups({ ref, ids });
      return { ...pruned, kept: backups.length - pruned.removed.length, damaged };
    },
    [],
    describePruned,
  );
}

function describePruned({ removed, freedBytes, kept, damaged }: Pruned): string {
  const gone = removed.length === 0 ? 'none goes' : `${removed.join(', ')} removed, ${formatSize(freedBytes)} given back`;
  return `${gone}; ${kept} stay${damaged.length === 0 ? '' : `; damaged records: ${damaged.join(', ')}`}`;
}
