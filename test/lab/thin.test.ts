/**
 * Guests whose disks lie in a thin pool: clones of one template, backed up, restored, reinstalled, removed; each test takes up where the one before it ended.
 * Only with `GUESTFLOW_LAB=full`.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { PreflightReport } from '../../contract/dom0.ts';
import type { GuestOrder } from '../../contract/guest.ts';
import { complaintsAbout, inGuest, leftOf, onDom0, orderAndWait, untilPoolsAre } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { IS_FULL, openRig, type Rig } from './rig.ts';
import { SETTINGS, withSettings } from './settings.ts';

const POOL = 'vg01/guests';
const FIRST = { name: 'thin1', ip: '192.168.77.41' };
const SECOND = { name: 'thin2', ip: '192.168.77.42' };
const BOTH = [FIRST, SECOND] as const;

let rig: Rig;
let before: Inventory;
let orders: readonly [GuestOrder, GuestOrder];

/** Of each volume of the pool: its name, its origin, how many bytes of it are written to. */
const IN_POOL = `lvs --noheadings --units b --nosuffix --separator ' ' -S pool_lv=guests -o lv_name,origin vg01 | sed 's/^ *//'`;

beforeAll(async () => {
  rig = await openRig(inject('lab'));
  if (!IS_FULL) return;
  await onDom0(rig, `lvcreate -qq --type thin-pool --zero y -L 6g -n guests vg01; lvchange -qq --errorwhenfull y ${POOL}`);
  before = await inventoryOf(rig.lab);
  const common = { disk: '1GiB', recipe: 'direct' } as const;
  orders = [await rig.order({ ...common, ...FIRST, order: 'thin-1' }), await rig.order({ ...common, ...SECOND, order: 'thin-2' })];
});

afterAll(async () => {
  if (IS_FULL) await onDom0(rig, `lvremove -qq --yes ${POOL}`);
  await rig.close();
});

const login = ({ name, ip }: (typeof BOTH)[number], script: string): Promise<string> => inGuest(rig, { name }, ip, script);
const wrongWith = (order: GuestOrder): Promise<string[]> =>
  complaintsAbout(
    rig,
    order,
    before,
    BOTH.map(({ name }) => name),
  );
const UUID = 'findmnt -n -o UUID /';
const FILE_SYSTEM = `dmesg | grep -E 'EXT4-fs (error|warning)|EXT4-fs .*(recovery|orphan|with errors)' || echo sound`;

describe.runIf(IS_FULL)('in a thin pool', () => {
  test('guests are clones of one template, and machines of their own; a guest is restored and reinstalled there, and goes without a byte left', async () => {
    await withSettings(rig, `echo 'thinPool: guests' >> ${SETTINGS}`, async () => {
      await untilPoolsAre(rig, POOL);
      expect((await rig.flow.dom0Task<PreflightReport>('lab', 'preflight')).rows.find(({ row }) => row === 'thin pool')).toMatchObject({
        state: 'ok',
      });
      for (const order of orders) {
        const status = await orderAndWait(rig, order);
        expect(await rig.flow.failureOf(status)).toBeUndefined();
        expect(await wrongWith(order)).toEqual([]);
      }
      const said = await onDom0(rig, IN_POOL);
      const template = /^golden-bookworm-[0-9a-f]{16}/m.exec(said)?.[0] ?? 'none';
      const lines = said.split('\n').map((line) => line.trim());
      expect(lines.filter((line) => line !== '').sort()).toEqual(
        [template, `thin1-root ${template}`, 'thin1-swap', `thin2-root ${template}`, 'thin2-swap'].sort(),
      );
      expect(await login(FIRST, UUID)).not.toBe(await login(SECOND, UUID));

      await login(FIRST, 'echo mine > /root/mine; sync');
      await rig.flow.operate(FIRST.name, 'backup');
      await login(FIRST, 'rm /root/mine; sync');
      await rig.flow.operate(FIRST.name, 'restore');
      expect(await login(FIRST, `cat /root/mine; ${FILE_SYSTEM}`)).toBe('mine\nsound\n');
      await rig.flow.operate(FIRST.name, 'keepRestored');

      await rig.flow.operate(SECOND.name, 'reinstall', { reinstall: {} });
      expect(await onDom0(rig, IN_POOL)).toContain(`thin2-former ${template}`);
      await rig.flow.operate(SECOND.name, 'undoRestore');
      expect(await login(SECOND, FILE_SYSTEM)).toBe('sound\n');

      for (const { name } of BOTH) expect((await rig.flow.operate(name, 'terminate', { now: true })).phase).toBe('gone');
      for (const order of orders) expect(await leftOf(rig, order, before)).toEqual([]);
      expect((await onDom0(rig, IN_POOL)).trim()).toBe(template);
    });
    await untilPoolsAre(rig, 'vg01');
  });

  test('who gets the room of a guest that has gone reads none of its bytes', async () => {
    const planted = 'PLANTED-BY-A-TENANT';
    const seen = await onDom0(
      rig,
      `lvcreate -qq -V 64m -T ${POOL} -n planted
yes ${planted} | head -c 67108864 | dd of=/dev/vg01/planted bs=1M iflag=fullblock conv=fsync status=none
lvremove -qq --yes vg01/planted
lvcreate -qq -V 64m -T ${POOL} -n next
# A part of each block of the pool, so that it gives them all out.
for at in $(seq 0 1023); do printf x | dd of=/dev/vg01/next bs=512 seek=$((at * 128)) conv=notrunc,sync status=none; done
sync
lvs --noheadings -o data_percent vg01/next
grep -ac ${planted} /dev/vg01/next || true
lvremove -qq --yes vg01/next`,
      600_000,
    );
    expect(seen.trim().split(/\s+/)).toEqual(['100.00', '0']);
  });

  test('a disk that it cannot hold is refused, and nothing is made', async () => {
    const order = await rig.order({ disk: '6GiB', recipe: 'direct', name: 'thin3', ip: '192.168.77.43', order: 'thin-3' });
    await withSettings(rig, `echo 'thinPool: guests' >> ${SETTINGS}`, async () => {
      await untilPoolsAre(rig, POOL);
      expect(await rig.flow.failureOf(await orderAndWait(rig, order))).toMatchObject({ type: 'NoCapacity' });
    });
    await untilPoolsAre(rig, 'vg01');
    expect(await leftOf(rig, order, before)).toEqual([]);
  });
});
