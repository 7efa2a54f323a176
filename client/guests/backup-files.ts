/** Asks a guest's dom0 to open a backup, and to connect it to the gateway of its settings. */
import { FILES_PHASES, filesContext } from '../../contract/backup-files.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { runDom0Task } from '../dom0s/tasks.ts';
import type { Session } from '../session.ts';
import { readStatus } from './look.ts';
import { sealToken } from './sealed-token.ts';

/** A backup, and how the dom0's connection is known. */
export interface OpenFiles {
  /** Of the connection. */
  readonly id: string;
  /** By which the gateway knows it, once. */
  readonly token: string;
  /** Id of the backup. */
  readonly backup: string;
}

/**
 * Returns when the dom0 is connected. From then on the gateway talks with it: neither names of files nor their content pass through Temporal.
 *
 * @throws GuestflowError Busy when the guest is in another phase, or as many backups are open as may be; NotFound; HostNotReady; BackupUnusable; Unreachable
 */
export async function openBackupFiles(session: Session, name: string, { id, token, backup }: OpenFiles): Promise<void> {
  const { phase, order, dom0 } = await readStatus(session, name);
  if (!FILES_PHASES.has(phase))
    throw new GuestflowError('Busy', `the backups of guest ${name} cannot be read: it is ${phase}`, { field: 'phase' });
  const box = await sealToken(session, dom0, token, filesContext(id, name, backup));
  await runDom0Task(session, dom0, 'files', { guest: { name, order, dom0 }, files: { id, token: box, backup } });
}
