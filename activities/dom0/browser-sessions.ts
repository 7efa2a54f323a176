/** What a dom0's worker has open for people at a browser: it outlives the steps that open it, and ends with the worker. */
import type { Dom0Settings } from '../../order/dom0-settings.ts';
import type { AttachableHost } from '../../system/host.ts';
import { OpenedBackups } from './backup/opened/opened-backups.ts';
import { Consoles } from './consoles/consoles.ts';
import { createEnv } from './drivers.ts';
import type { StepLog } from './work.ts';

export interface BrowserSessions {
  readonly consoles: Consoles;
  readonly backups: OpenedBackups;
}

export interface SessionsOptions {
  readonly host: AttachableHost;
  readonly settings: Dom0Settings;
  readonly log: StepLog;
  /** The reader of guests' file systems, as a CommonJS program. Default: backups are not opened. */
  readonly reader?: (() => Promise<Uint8Array>) | undefined;
}

/** Opens nothing by itself. */
export function createSessions({ host, settings, log, reader }: SessionsOptions): BrowserSessions {
  const gateway = settings.consoleGateway;
  return {
    consoles: new Consoles({ host, gateway, log }),
    backups: new OpenedBackups({
      host,
      gateway,
      // Where images of guests are made there is room for one.
      directory: `${settings.imageDir}/.guestflow-files`,
      program: reader,
      repository: (work) => {
        const { repository } = createEnv({ host, settings, log, attempt: 1, ...work });
        return {
          container: (backup) => repository.container(backup, 'in background'),
          has: async ({ guest, id, order }) =>
            (await repository.list(guest)).backups.some((each) => each.id === id && each.order === order),
        };
      },
      log,
    }),
  };
}

/** Ends all of them at once, and takes no more. */
export async function closeSessions({ consoles, backups }: BrowserSessions): Promise<void> {
  await Promise.all([consoles.close(), backups.close()]);
}
