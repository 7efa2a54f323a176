/** Other settings of the lab's dom0, for a while. */
import { onDom0 } from './guests.ts';
import type { Rig } from './rig.ts';

export const SETTINGS = '/etc/guestflow/dom0.yaml';
const UNIT = 'guestflow-dom0.service';
/** The worker may end what it does, and start again. */
const RESTART_LIMIT_MS = 600_000;

/** What it reads when it starts is read again. */
export async function restartDom0Worker(rig: Rig): Promise<void> {
  await onDom0(rig, `systemctl restart ${UNIT}`, RESTART_LIMIT_MS);
}

/** @param script what changes `SETTINGS` */
export async function withSettings<T>(rig: Rig, script: string, work: () => Promise<T>): Promise<T> {
  await onDom0(rig, `cp -p ${SETTINGS} ${SETTINGS}.lab`);
  try {
    await onDom0(rig, `${script}; systemctl restart ${UNIT}`, RESTART_LIMIT_MS);
    return await work();
  } finally {
    await onDom0(rig, `mv -f ${SETTINGS}.lab ${SETTINGS}; systemctl restart ${UNIT}`, RESTART_LIMIT_MS);
  }
}
