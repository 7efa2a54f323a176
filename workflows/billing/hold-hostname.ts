/** holdHostname: one workflow for each host name that an order has. Its id is the host name's: there can be only one. */
import { condition, setCurrentDetails } from '@temporalio/workflow';
import { HOLD_HOSTNAME } from '../../contract/billing.ts';
import { onSignal } from '../saga/handlers.ts';
import { ignoringCancel } from '../saga/ignore-cancel.ts';
import { declareVersioning } from '../saga/versioning.ts';

export async function holdHostname({ hostname, order }: { hostname: string; order: string }): Promise<void> {
  let isReleased = false;
  onSignal(HOLD_HOSTNAME.release, () => {
    isReleased = true;
  });
  setCurrentDetails(`host name **${hostname}** is held by order ${order}`);
  await ignoringCancel(() => condition(() => isReleased));
}

declareVersioning('AUTO_UPGRADE', holdHostname);
