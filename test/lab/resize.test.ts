/** A guest's disk that gets another size on a real Xen with real LVM: larger while the guest writes, smaller while it is off. Only with `GUESTFLOW_LAB=full`. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { GuestOrder } from '../../contract/guest.ts';
import { GiB } from '../../contract/sizes.ts';
import { domainOf, inGuest, leftOf, onDom0, orderAndWait, volumesOf } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { IS_FULL, openRig, type Rig } from './rig.ts';

const NAME = 'stretch';
const IP = '192.168.77.28';
const LARGE = 1.5 * GiB;
const COUNT = 'cat /root/count';

let rig: Rig;
let before: Inventory;
let order: GuestOrder;

beforeAll(async () => {
  rig = await openRig(inject('lab'));
  before = await inventoryOf(rig.lab);
  const plain = await rig.order({ name: NAME, order: 'resize-1', ip: IP, disk: '1GiB' });
  order = { ...plain, access: { ...plain.access, managed: true } };
});

afterAll(async () => {
  await rig.close();
});

const login = (script: string): Promise<string> => inGuest(rig, order, IP, script);
const rootBytes = async (): Promise<number | undefined> => (await volumesOf(rig, NAME)).find(({ name }) => name === `${NAME}-root`)?.bytes;
const fileSystem = async (): Promise<number> => Number(await login('df -B1 --output=size / | tail -n 1'));

describe.runIf(IS_FULL)('a managed guest', () => {
  test('that writes the whole time gets a larger disk and file system, and goes on', async () => {
    await orderAndWait(rig, order);
    const { id } = (await domainOf(rig, NAME)) ?? {};
    await login(
      "nohup sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /root/count.new; sync /root/count.new; mv /root/count.new /root/count; sleep 0.2; done' > /dev/null 2>&1 &",
    );
    const { resized } = await rig.flow.operate(NAME, 'resize', { resize: { diskBytes: LARGE } });
    expect(resized).toEqual({ fromBytes: GiB, diskBytes: LARGE, how: 'live', fileSystemBytes: LARGE });
    expect(await rootBytes()).toBe(LARGE);
    expect(await volumesOf(rig, NAME)).toHaveLength(2);
    expect(await fileSystem()).toBeGreaterThan(0.85 * LARGE);
    expect((await domainOf(rig, NAME))?.id).toBe(id);
    const count = Number(await login(COUNT));
    await expect.poll(async () => Number(await login(COUNT)), { timeout: 60_000, interval: 1_000 }).toBeGreaterThan(count);
    expect((await rig.flow.status(NAME)).spec?.size.diskBytes).toBe(LARGE);
  });

  test('is refused a smaller disk while it runs, or one that its content does not fit on, with numbers', async () => {
    const wanted = { diskBytes: GiB };
    await expect(rig.flow.operate(NAME, 'resize', { resize: wanted })).rejects.toMatchObject({ type: 'InvalidInput' });
    await login('fallocate -l 700M /root/much; sync');
    await expect(rig.flow.operate(NAME, 'resize', { resize: { ...wanted, how: 'offline' } })).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(/its file system needs .*at least /) as string,
    });
    await login('rm /root/much; sync');
    expect(await rootBytes()).toBe(LARGE);
  });

  test('has all of its content on a smaller disk, and a verified backup of before', async () => {
    await login('head -c 20M /dev/urandom > /root/kept; sha256sum /root/kept > /root/sum; sync');
    const { backup, resized } = await rig.flow.operate(NAME, 'resize', { resize: { diskBytes: GiB, how: 'offline' } });
    expect(resized).toEqual({ fromBytes: LARGE, diskBytes: GiB, how: 'offline' });
    expect(backup?.state).toBe('verified');
    expect(await rootBytes()).toBe(GiB);
    expect(await login('sha256sum --quiet -c /root/sum && echo whole')).toBe('whole\n');
    expect(await fileSystem()).toBeLessThan(GiB);
    expect(await onDom0(rig, `readlink /etc/xen/auto/${NAME}.cfg`)).toBe(`/etc/xen/${NAME}.cfg\n`);
  });

  test('goes with all that is its own', async () => {
    await rig.flow.operate(NAME, 'terminate', { now: true });
    expect(await leftOf(rig, order, before)).toEqual([]);
  });
});
