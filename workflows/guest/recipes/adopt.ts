/** adoptGuest: a guest that is on its dom0, and that this Temporal does not know, gets its place in the ledger, its address and its nights. */
import { formatSize } from '../../../contract/sizes.ts';
import type { GuestOrder } from '../../../contract/guest.ts';
import type { FoundGuest } from '../../../contract/step-results.ts';
import { Operation } from '../../saga/operation.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { nightlyOf, refOf } from '../operations/shared.ts';
import { withKept } from '../rules.ts';

/** What was found of the guest, and what it has in Temporal now. */
export interface Adopted extends FoundGuest {
  readonly scheduleId: string;
}

/** Nothing of the guest on its dom0 is changed, whatever happens. */
export async function adoptGuest(order: GuestOrder): Promise<Adopted> {
  const { name, dom0 } = order;
  const ref = { name, order: order.order, dom0 };
  const operation = new Operation(`Adopting **${name}** on ${dom0} (order ${order.order})`, ['look', 'reserve', 'schedule']);
  const { host } = dom0Steps(dom0, name, operation.onWaiting);
  return operation.run(async () => {
    const found = await operation.step(
      'look',
      () => host.findGuest(ref),
      [],
      ({ phase, backups }) => `${phase}, ${backups.length} backups`,
    );
    const { spec, formerBytes = 0, rescueBytes = 0 } = found;
    await operation.firstStep(
      'reserve',
      () => control.adopt(withKept(spec, formerBytes + rescueBytes)),
      () => control.release(ref),
      () => `${spec.network.ip}, ${formatSize(spec.size.memoryBytes)} of memory`,
    );
    const scheduleId = await operation.step(
      'schedule',
      () => control.scheduleNightly(nightlyOf(spec)),
      () => control.unscheduleNightly(refOf(spec)),
      (id) => id,
    );
    return { ...found, scheduleId };
  });
}

declareVersioning('PINNED', adoptGuest);
