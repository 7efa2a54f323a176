/**
 * Guests whose disks are files: by both recipes, backed up while they write, restored, grown while they run, removed. Each test takes up where the one before
 * it ended. Only with `GUESTFLOW_LAB=full`.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { PreflightReport } from '../../contract/dom0.ts';
import type { GuestOrder } from '../../contract/guest.ts';
import { disksOf, domainOf, inGuest, leftOf, onDom0, orderAndWait, untilPoolsAre } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { IS_FULL, openRig, type Rig } from './rig.ts';
import { restartDom0Worker, SETTINGS, withSettings } from './settings.ts';

const DIRECTORY = '/home/xen/disks';
const GiB = 2 ** 30;
const BY_HAND = { name: 'file1', ip: '192.168.77.44' };
const DIRECT = { name: 'file2', ip: '192.168.77.45' };
const BOTH = [BY_HAND, DIRECT] as const;

let rig: Rig;
let before: Inventory;
let orders: readonly [GuestOrder, GuestOrder];

beforeAll(async () => {
  rig = await openRig(inject('lab'));
  if (!IS_FULL) return;
  before = await inventoryOf(rig.lab);
  orders = [
    await rig.order({ disk: '1GiB', recipe: 'how-to', ...BY_HAND, order: 'file-1' }),
    await rig.order({ disk: '1GiB', recipe: 'direct', managed: true, ...DIRECT, order: 'file-2' }),
  ];
});
afterAll(async () => {
  if (IS_FULL) await onDom0(rig, `rm -rf ${DIRECTORY} /var/lib/guestflow/disk-directories`);
  await rig.close();
});

const login = ({ name, ip }: (typeof BOTH)[number], script: string): Promise<string> => inGuest(rig, { name }, ip, script);
const FILE_SYSTEM = `dmesg | grep -E 'EXT4-fs (error|warning)|EXT4-fs .*(orphan|with errors)' || echo sound`;
/** Writes numbers, and says each when it is durable. */
const WRITER = 'n=0; while :; do echo $n >> /root/numbers; sync /root/numbers; echo $n > /run/durable; n=$((n+1)); done';

async function disksInDirectory(): Promise<string[]> {
  return (await onDom0(rig, `ls ${DIRECTORY}`)).trim().split('\n').sort();
}

describe.runIf(IS_FULL)('in files', () => {
  test('guests live a whole life: made by both recipes, backed up while they write, restored, grown while they run, and gone without a trace', async () => {
    await withSettings(rig, `echo 'diskDir: ${DIRECTORY}' >> ${SETTINGS}`, async () => {
      await rig.flow.dom0Task('lab', 'prepare');
      await restartDom0Worker(rig);
      await untilPoolsAre(rig, DIRECTORY);
      const { rows } = await rig.flow.dom0Task<PreflightReport>('lab', 'preflight');
      expect(rows.find(({ row }) => row === 'disk directory')).toMatchObject({ state: 'ok' });
      for (const order of orders) {
        const status = await orderAndWait(rig, order);
        expect(await rig.flow.failureOf(status)).toBeUndefined();
        const { id = -1 } = (await domainOf(rig, order.name)) ?? {};
        expect(await disksOf(rig, id)).toEqual(['root', 'swap'].map((role) => `${DIRECTORY}/${order.name}-${role}/disk.img`));
      }
      expect(await disksInDirectory()).toEqual(BOTH.flatMap(({ name }) => [`${name}-root`, `${name}-swap`]));

      await login(BY_HAND, `setsid sh -c '${WRITER}' writer > /dev/null 2>&1 < /dev/null & sleep 5`);
      const durable = Number(await login(BY_HAND, 'cat /run/durable'));
      expect(durable).toBeGreaterThan(0);
      await rig.flow.operate(BY_HAND.name, 'backup');
      const backup = (await rig.flow.status(BY_HAND.name)).backups.at(-1);
      expect(backup).toMatchObject({ consistency: 'paused', state: 'verified' });
      expect((await domainOf(rig, BY_HAND.name))?.state).toBe('running');
      await rig.flow.operate(BY_HAND.name, 'prove');
      await login(BY_HAND, 'pkill -f "[w]riter"; rm /root/numbers; sync');
      await rig.flow.operate(BY_HAND.name, 'restore', { backup: backup?.id ?? '' });
      const numbers = (await login(BY_HAND, 'cat /root/numbers')).trim().split('\n');
      expect(numbers.slice(0, durable + 1)).toEqual(Array.from({ length: durable + 1 }, (_none, number) => String(number)));
      expect(await login(BY_HAND, FILE_SYSTEM)).toBe('sound\n');
      await rig.flow.operate(BY_HAND.name, 'keepRestored');

      await rig.flow.operate(DIRECT.name, 'backup');
      expect((await rig.flow.status(DIRECT.name)).backups.at(-1)).toMatchObject({ consistency: 'flushed', state: 'verified' });
      await rig.flow.operate(DIRECT.name, 'resize', { resize: { diskBytes: 2 * GiB, how: 'live' } });
      expect(Number(await login(DIRECT, 'df --output=size -B1 / | tail -n 1'))).toBeGreaterThan(1.8 * GiB);

      for (const { name } of BOTH) expect((await rig.flow.operate(name, 'terminate', { now: true })).phase).toBe('gone');
      expect(await onDom0(rig, `ls ${DIRECTORY}; losetup --list --noheadings`)).toBe('');
    });
    await untilPoolsAre(rig, 'vg01');
    await onDom0(rig, `rm -rf ${DIRECTORY} /var/lib/guestflow/disk-directories`);
    for (const order of orders) expect(await leftOf(rig, order, before)).toEqual([]);
  });
});
