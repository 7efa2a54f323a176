/** A record as it lies beside a backup; what a test is about, it changes. */
import type { StoredBackup } from '../contract/backup.ts';
import { anOrder } from './an-order.ts';

/** Of a file that holds `content`. */
export function storedBackup(guest: string, id: string): StoredBackup {
  const { access, ...order } = anOrder(guest, 'xen1');
  const at = `${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6, 8)}T02:00:00.000Z`;
  return {
    ...{ format: 1, id, guest, order: order.order, dom0: 'xen1', takenAt: at, endedAt: at, seconds: 1.5 },
    ...{ repository: '/var/backups/guestflow', key: `${guest}/${id}.img.zst`, engine: 'blocks', why: 'backupEngine is blocks' },
    ...{ state: 'verified', consistency: 'crash', bytes: 7, dumpedBytes: 2 ** 24 },
    sha256: 'ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73',
    tools: ['e2fsprogs 1.47.0-2', 'zstd 1.5.4'],
    fileSystem: { uuid: 'b9c7b0b4-0000-4000-8000-000000000000', features: ['has_journal', 'extent'], blockSize: 4096, blocks: 4096 },
    disks: { root: 2 ** 31, swap: 2 ** 27 },
    spec: { ...order, access } as unknown as StoredBackup['spec'],
  };
}
