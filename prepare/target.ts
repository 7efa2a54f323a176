/** The host that is prepared: this machine, or another over ssh (`ssh.ts`). */
import { createHost, type Host } from '../system/host.ts';
import { GuestflowError } from '../contract/errors.ts';
import { REACHED_FILE } from './bridge/guard.ts';
import { planHost, prepareHost } from './index.ts';
import type { PrepareEvent, PrepareReport, Wishes } from './types.ts';

/** How a host is prepared, wherever it is. */
export interface Target {
  readonly name: string;
  plan(wishes: Wishes): Promise<PrepareReport>;
  run(wishes: Wishes, emit: (event: PrepareEvent) => void, signal: AbortSignal): Promise<PrepareReport>;
  /** Says on the host that it is reached over its new bridge. */
  confirm(): Promise<void>;
  /** Boots it again. `true`: it is back, and answers; `false`: it goes down with whoever asked. */
  reboot(): Promise<boolean>;
  close(): Promise<void>;
}

/** Writes the sign that the guard of a bridge waits for. */
export async function confirmBridge(host: Host): Promise<void> {
  await host.files.writeAtomic(REACHED_FILE, 'login\n');
}

/** This machine. Refuses anybody but root. */
export function thisMachine(host = createHost(), uid = process.getuid?.()): Target {
  if (uid !== 0)
    throw new GuestflowError('InvalidInput', 'a dom0 is prepared by root', {
      field: 'user',
      value: String(uid),
      mend: 'run it as root (sudo)',
    });
  return {
    name: 'this host',
    plan: (wishes) => planHost(host, wishes),
    run: (wishes, emit, signal) => prepareHost({ host, wishes, emit, signal }),
    confirm: () => confirmBridge(host),
    reboot: async () => {
      await host.run('systemctl', ['reboot']);
      return false;
    },
    close: () => Promise.resolve(),
  };
}
