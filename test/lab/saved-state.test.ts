/**
 * A dom0 that is shut down saves its guests' memory. When that cannot be restored at the next boot, guestflow starts the guest from its disks, and the
 * boot after that must not bring the old memory back over them. Only with `GUESTFLOW_LAB=full`: dom0 boots twice.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { GuestOrder } from '../../contract/guest.ts';
import { domainOf, inGuest, leftOf, onDom0, orderAndWait } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { IS_FULL, openRig, type Rig } from './rig.ts';

const NAME = 'sigma';
const VOLUME = `vg01/${NAME}-root`;
const SAVED = `/var/lib/xen/save/${NAME}`;
const SETTINGS = '/etc/default/xendomains';
/** The lab's own are not to save anything. The last assignment counts. */
const AS_DEBIAN_HAS_THEM = ['XENDOMAINS_SAVE=/var/lib/xen/save', 'XENDOMAINS_RESTORE=true', 'XENDOMAINS_STOP_MAXWAIT=300'].join('\n');
const LIMIT_MS = 900_000;

let rig: Rig;
let before: Inventory;
let order: GuestOrder;

beforeAll(async () => {
  rig = await openRig(inject('lab'));
  before = await inventoryOf(rig.lab);
});
afterAll(async () => {
  await rig.close();
});

const inside = async (script: string): Promise<string> => {
  const { spec } = await rig.flow.status(NAME);
  return inGuest(rig, { name: NAME }, spec?.network.ip ?? '', script);
};

/** Waits until the customer can log in. */
async function untilUp(): Promise<void> {
  await expect.poll(() => inside('echo up').catch(() => ''), { timeout: LIMIT_MS, interval: 2_000 }).toBe('up\n');
}

/** What xendomains has said since dom0's last boot. */
async function saidByXendomains(): Promise<string> {
  return onDom0(rig, 'journalctl -b -u xendomains.service --no-pager -o cat');
}

describe.runIf(IS_FULL)('a guest whose dom0 is shut down', () => {
  test('is saved by xendomains, with what is only in its memory', async () => {
    order = await rig.order({ name: NAME, order: 'saved-1', disk: '1GiB' });
    expect((await orderAndWait(rig, order)).phase).toBe('running');
    await onDom0(rig, `cp ${SETTINGS} ${SETTINGS}.lab; echo '${AS_DEBIAN_HAS_THEM}' >> ${SETTINGS}`);
    await inside('echo old > /dev/shm/memory');
    // As at a shutdown, in this order; the worker is to come back when the test says so.
    await onDom0(rig, 'systemctl disable --now guestflow-dom0.service', 600_000);
    await onDom0(rig, 'systemctl stop xendomains.service', 600_000);
    expect(await domainOf(rig, NAME)).toBeUndefined();
    expect(Number(await onDom0(rig, `stat -c %s ${SAVED}`))).toBeGreaterThan(order.size.memoryBytes / 2);
  });

  test('whose memory cannot be restored at the next boot stays off, and its saved memory stays', async () => {
    // Its disk is away while dom0 boots, and there again soon after: nothing is wrong with what was saved.
    await onDom0(rig, `lvchange -q --setactivationskip y ${VOLUME}; sync`);
    await rig.lab.reset();
    await expect.poll(saidByXendomains, { timeout: LIMIT_MS, interval: 2_000 }).toMatch(/restore failed/);
    expect(await domainOf(rig, NAME)).toBeUndefined();
    await onDom0(rig, `test -f ${SAVED}; lvchange -q --setactivationskip n ${VOLUME}; lvchange -q -ay -K ${VOLUME}`);
  });

  test('is started from its disks by guestflow, and its saved memory is put aside and wiped', async () => {
    await onDom0(rig, 'systemctl enable --now guestflow-dom0.service');
    await untilUp();
    expect(
      await inside('test ! -e /dev/shm/memory; mkdir /root/newer; for n in $(seq 200); do echo "$n" > /root/newer/$n; done; sync'),
    ).toBe('');
    expect(await onDom0(rig, `ls -A /var/lib/xen/save`)).not.toContain(NAME);
    await expect
      .poll(() => onDom0(rig, `ls -A ${SAVED.replace(NAME, `.guestflow/${NAME}`)} 2>/dev/null || true`), { timeout: 120_000 })
      .toBe('');
  });

  test('keeps after one more boot what it has written since: the old memory is not restored, and its file system is clean', async () => {
    await onDom0(rig, 'sync');
    await rig.lab.reset();
    await untilUp();
    expect(await saidByXendomains()).not.toMatch(/Restoring/);
    expect(await inside('test ! -e /dev/shm/memory; cat /root/newer/* | sort -n | tail -n 1; ls /root/newer | wc -l')).toBe('200\n200\n');
    await rig.flow.operate(NAME, 'stop');
    expect(await onDom0(rig, `e2fsck -f -n /dev/${VOLUME}`)).toMatch(/Pass 5/);
  });

  test('leaves nothing when it is terminated', async () => {
    await onDom0(rig, `mv -f ${SETTINGS}.lab ${SETTINGS}`);
    await rig.flow.operate(NAME, 'terminate', { now: true });
    expect(await leftOf(rig, order, before)).toEqual([]);
    expect(await onDom0(rig, `find /var/lib/xen/save -name '*${NAME}*'`)).toBe('');
  });
});
