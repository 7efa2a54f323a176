/** A dom0 whose memory is sold to the last guest starts each of them; the ledger and the toolstack agree on what is left. */
import { expect, it } from 'vitest';
import { bootGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { dom0Facts } from '../../../../../activities/dom0/steps/look.ts';
import { amountsOf } from '../../../../../contract/overhead.ts';
import type { Dom0State } from '../../../../../contract/dom0.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import { MiB } from '../../../../../contract/sizes.ts';
import { capacityOf, reserve } from '../../../../../workflows/capacity/ledger.ts';
import { fakeDom0, onVolumes, spec, stepEnv } from './support.ts';

it.each<[GuestSpec['os']['type'], number]>([
  ['pv', 1],
  ['pvh', 1],
  ['pvh', 4],
])(
  'the last guest that is sold also starts: %s, %d vcpus',
  async (type, vcpus) => {
    const dom0 = await fakeDom0({ memoryMiB: 3072, cpus: 16 });
    const env = stepEnv(dom0.host());
    let ledger: Dom0State = { host: 'dom0', facts: await dom0Facts(env, '0.1.0'), drained: false, promised: [] };
    const sellable = capacityOf(ledger).sellable;
    const sold: GuestSpec[] = [];
    for (;;) {
      const guest: GuestSpec = {
        ...spec(`guest${sold.length}`, `10.0.0.${sold.length + 5}`),
        os: { ...spec(`guest${sold.length}`, `10.0.0.${sold.length + 5}`).os, type },
        size: { ...spec(`guest${sold.length}`, `10.0.0.${sold.length + 5}`).size, vcpus, memoryBytes: 256 * MiB, diskBytes: 1024 * MiB },
      };
      const mac = `00:16:3E:00:00:${String(sold.length + 10)}`;
      const answer = reserve(ledger, { guest: guest.name, order: guest.order, ...amountsOf(guest) }, '2026-01-01T00:00:00.000Z');
      if (!('reservation' in answer)) break;
      ledger = { ...ledger, promised: [...ledger.promised, answer.reservation] };
      sold.push({ ...guest, network: { ...guest.network, mac } });
    }
    expect(sold.length).toBeGreaterThanOrEqual(5);
    for (const guest of sold) {
      await onVolumes(dom0.host(), guest);
      await bootGuest(env, guest);
    }
    // What Xen took for them was sold with them: what the dom0 has to sell is as before, but for what xl rounds.
    const after = capacityOf({ ...ledger, facts: await dom0Facts(env, '0.1.0') });
    expect(Math.abs((after.sellable?.memoryBytes ?? 0) - (sellable?.memoryBytes ?? 0))).toBeLessThanOrEqual(sold.length * 4 * MiB);
    expect(after.free?.memoryBytes).toBeGreaterThanOrEqual(0);
  },
  60_000,
);
