/**
 * The life of a guest on a real Xen, as its operator sees it; each test takes up where the one before it ended. Only with `GUESTFLOW_LAB=full`: the story
 * has the same steps, in short.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { backupPlace } from '../../contract/backup-place.ts';
import type { GuestOrder, GuestStatus } from '../../contract/guest.ts';
import type { PlanChange } from '../../contract/guest-requests.ts';
import { GiB, MiB } from '../../contract/sizes.ts';
import { complaintsAbout, domainOf, inGuest, leftOf, onDom0, orderAndWait, volumesOf } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { IS_FULL, openRig, withoutComment, type Rig } from './rig.ts';

const NAME = 'alpha';
const NETWORK = { cidr: '192.168.77.0/24', gateway: '192.168.77.1', ranges: [], exclude: [], quarantineSeconds: 900 };
const IP = '192.168.77.21';
const IP6_NETWORK = 'fd00:77:0:1::/64';
const IP6 = 'fd00:77:0:1:192:168:77:21';
const LARGER_DISK = 2 * GiB;
/** What it may grow to without a restart. */
const ROOM = { maxMemoryBytes: 320 * MiB, maxVcpus: 2 };

let rig: Rig;
let before: Inventory;
let order: GuestOrder;
let status: GuestStatus;

beforeAll(async () => {
  rig = await openRig(inject('lab'));
  before = await inventoryOf(rig.lab);
  await rig.flow.addNetwork({ ...NETWORK, ipv6: IP6_NETWORK, dom0s: [{ host: 'lab', bridge: 'xenbr0' }] });
  order = {
    ...(await rig.order({ name: NAME, order: 'life-1', ip: IP, disk: '1GiB', backupAt: '03:17' })),
    ...ROOM,
    life: { ...(await rig.order({ name: NAME, order: 'life-1', ip: IP, disk: '1GiB', backupAt: '03:17' })).life, suspend: 'pause' },
  };
});

afterAll(async () => {
  await rig.close();
});

const expectOff = async (): Promise<void> => {
  expect(await domainOf(rig, NAME)).toBeUndefined();
};
const login = (script: string): Promise<string> => inGuest(rig, order, IP, script);

describe.runIf(IS_FULL)('an order', () => {
  test('becomes a guest that answers from its own volumes, is started with its dom0, is sealed, and has a backup', async () => {
    status = await orderAndWait(rig, order);
    expect(await rig.flow.failureOf(status)).toBeUndefined();
    const { operation } = await rig.flow.progress(NAME);
    expect(operation?.steps.filter(({ state }) => state !== 'done')).toEqual([]);
    expect(await complaintsAbout(rig, order, before)).toEqual([]);
  });

  test('has the memory, processors and disks that were ordered, and its own identity', async () => {
    expect(await domainOf(rig, NAME)).toMatchObject({ memoryMiB: order.size.memoryBytes / MiB, vcpus: order.size.vcpus });
    const seen = await login(
      `blockdev --getsize64 /dev/xvda2 /dev/xvda1; swapon --noheadings --show=NAME; hostname; ip -o -4 addr show dev eth0 | awk '{print $4}'; systemctl is-active systemd-timesyncd; wc -c < /etc/machine-id; blkid -o value -s UUID /dev/xvda2`,
    );
    const [root, swap, swapDevice, hostname, address, timeDaemon, machineId, uuid] = seen.trim().split('\n');
    expect([root, swap, swapDevice, hostname, address, timeDaemon, machineId]).toEqual([
      String(order.size.diskBytes),
      String(order.size.swapBytes),
      '/dev/xvda1',
      NAME,
      `${IP}/24`,
      'active',
      '33',
    ]);
    expect(uuid).toMatch(/^[0-9a-f-]{36}$/);
    expect(Number(await login('df -B1 --output=size / | tail -n 1'))).toBeGreaterThan(0.9 * order.size.diskBytes);
  });

  test('has the IPv6 address that belongs to its IPv4 address, and answers at it', async () => {
    const gateway = `${IP6_NETWORK.replace('/64', '1')}/64`;
    // The lab's dom0 has no IPv6 of its own: for this test it is the gateway.
    const off = '/proc/sys/net/ipv6/conf/xenbr0/disable_ipv6';
    await onDom0(rig, `echo 0 > ${off}; ip -6 address add ${gateway} dev xenbr0 nodad`);
    try {
      expect(await login("ip -o -6 addr show dev eth0 scope global | awk '{print $4}'")).toBe(`${IP6}/64\n`);
      expect(await onDom0(rig, `ssh-keyscan -6 -T 60 -t ed25519 ${IP6} 2>/dev/null`)).toContain('ssh-ed25519');
    } finally {
      await onDom0(rig, `ip -6 address delete ${gateway} dev xenbr0; echo 1 > ${off}`);
    }
  });

  test("keeps the customer's key in the guest, and no key of guestflow's", async () => {
    expect((await login('cat /root/.ssh/authorized_keys')).trim()).toBe(withoutComment(rig.publicKey));
    expect(await onDom0(rig, `ls /var/lib/guestflow/guests/${NAME}`)).not.toContain('provision_key');
  });

  test('has a backup that restore lists, whose checksum is the one recorded', async () => {
    const [backup] = status.backups;
    expect(backup?.state).toBe('taken');
    expect(await onDom0(rig, `sha256sum ${backup === undefined ? '' : backupPlace(backup)}`)).toContain(backup?.sha256);
    expect(
      await onDom0(rig, `zstd -dc ${backup === undefined ? '' : backupPlace(backup)} | restore -t -f - | grep -o '\\./etc/hostname$'`),
    ).toBe('./etc/hostname\n');
  });

  test('is backed up every night at the time ordered, never twice at once, and a missed night is made up for once', async () => {
    const { spec, policies, state } = await rig.temporal.schedule.getHandle(`nightly/${NAME}`).describe();
    expect(spec.calendars).toMatchObject([{ hour: [{ start: 3 }], minute: [{ start: 17 }], second: [{ start: 0 }] }]);
    expect(spec.calendars?.[0]?.dayOfWeek).toMatchObject([{ start: 'SUNDAY', end: 'SATURDAY' }]);
    expect(policies).toMatchObject({ overlap: 'ALLOW_ALL', catchupWindow: 6 * 3_600_000 });
    expect(state.paused).toBe(false);
    expect(await rig.flow.nextBackup(NAME)).toMatch(/T03:17:00/);
  });

  test('given again gets the same answer', async () => {
    const again = await rig.flow.order(order);
    expect(again).toEqual(await rig.flow.order(order));
    expect((await rig.flow.status(NAME)).orderedAt).toBe(status.orderedAt);
  });

  test('of a name that another order has is refused', async () => {
    await expect(rig.flow.order({ ...order, order: 'life-2' })).rejects.toMatchObject({ type: 'NotOurs', details: { field: 'name' } });
  });

  test('of an address that a guest has is refused, and nothing of it is left', async () => {
    const taken = await rig.order({ name: 'taken', order: 'life-3', ip: IP });
    const now = await inventoryOf(rig.lab);
    const refused = await orderAndWait(rig, taken);
    expect(await rig.flow.failureOf(refused)).toMatchObject({ type: 'InvalidInput', details: { field: 'ip' } });
    expect(await leftOf(rig, taken, now)).toEqual([]);
  });
});

describe.runIf(IS_FULL)('a guest', () => {
  test('is backed up while it runs, and its snapshot goes', async () => {
    const { backup } = await rig.flow.operate(NAME, 'backup');
    expect(await onDom0(rig, `sha256sum ${backup === undefined ? '' : backupPlace(backup)}`)).toContain(backup?.sha256);
    // The one that came with the order was of the same day: retention keeps the last of each.
    expect((await rig.flow.status(NAME)).backups).toMatchObject([{ id: backup?.id }]);
    expect((await volumesOf(rig, NAME)).map(({ name }) => name).sort()).toEqual([`${NAME}-root`, `${NAME}-swap`]);
  });

  test('is given memory and a processor while it runs, and gives them back', async () => {
    const { id } = (await domainOf(rig, NAME)) ?? {};
    const sizes = { memoryBytes: order.size.memoryBytes, vcpus: order.size.vcpus, diskBytes: order.size.diskBytes, mayRestart: false };
    const more: PlanChange = { ...sizes, plan: 'medium', memoryBytes: ROOM.maxMemoryBytes, vcpus: ROOM.maxVcpus };
    await rig.flow.operate(NAME, 'changePlan', { change: more });
    expect(await domainOf(rig, NAME)).toMatchObject({ id, memoryMiB: 320, vcpus: 2 });
    expect((await login('nproc')).trim()).toBe('2');
    await rig.flow.operate(NAME, 'changePlan', { change: { ...sizes, plan: order.plan } });
    expect(await domainOf(rig, NAME)).toMatchObject({ id, memoryMiB: order.size.memoryBytes / MiB, vcpus: order.size.vcpus });
    expect((await login('nproc')).trim()).toBe('1');
  });

  test('is refused, without a restart, what it was started with no room for', async () => {
    const {
      size: { memoryBytes, vcpus, diskBytes },
    } = order;
    const tooMuch: PlanChange = { plan: 'large', memoryBytes: memoryBytes + 128 * MiB, vcpus, diskBytes, mayRestart: false };
    await expect(rig.flow.operate(NAME, 'changePlan', { change: tooMuch })).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(/needs a restart/) as string,
    });
    expect((await rig.flow.status(NAME)).plan).toBe(order.plan);
  });

  test('is given a larger disk at a restart; what it had written is there', async () => {
    await login('echo kept > /root/kept; sync');
    const {
      size: { memoryBytes, vcpus },
    } = order;
    await rig.flow.operate(NAME, 'changePlan', {
      change: { plan: 'medium', memoryBytes, vcpus, diskBytes: LARGER_DISK, mayRestart: true },
    });
    const [kept, size] = (await login('cat /root/kept; df -B1 --output=size / | tail -n 1')).trim().split('\n');
    expect(kept).toBe('kept');
    expect(Number(size)).toBeGreaterThan(0.9 * LARGER_DISK);
  });

  test('is suspended: standing still, as its order says, and not started with its dom0; and resumed as it was', async () => {
    const { id } = (await domainOf(rig, NAME)) ?? {};
    expect((await rig.flow.operate(NAME, 'suspend')).phase).toBe('suspended');
    expect((await domainOf(rig, NAME))?.state).toBe('paused');
    expect(await onDom0(rig, 'ls -A /etc/xen/auto')).toBe('');
    await expect(rig.flow.operate(NAME, 'start')).rejects.toMatchObject({ type: 'Busy' });
    expect((await rig.flow.operate(NAME, 'resume')).phase).toBe('running');
    expect((await domainOf(rig, NAME))?.id).toBe(id);
    expect(await login('cat /root/kept')).toBe('kept\n');
    expect(await onDom0(rig, `readlink /etc/xen/auto/${NAME}.cfg`)).toBe(`/etc/xen/${NAME}.cfg\n`);
  });

  test('that ends by itself is noticed, and started again', async () => {
    const { id } = (await domainOf(rig, NAME)) ?? {};
    await login('sync; systemctl poweroff --force --force').catch(() => undefined);
    await expect.poll(async () => (await domainOf(rig, NAME))?.id ?? id, { timeout: 300_000, interval: 1_000 }).not.toBe(id);
    await expect
      .poll(async () => (await rig.flow.status(NAME)).operation?.kind ?? 'none', { timeout: 300_000, interval: 1_000 })
      .toBe('none');
    expect(await rig.flow.status(NAME)).toMatchObject({ phase: 'running', restarts: [expect.any(String)] });
    expect(await login('cat /root/kept')).toBe('kept\n');
  });

  test('is terminated with a grace period in which its disks are kept out of reach, and is brought back with its address and its data', async () => {
    const { phase, graceUntil } = await rig.flow.operate(NAME, 'terminate');
    expect(phase).toBe('terminating');
    expect(Date.parse(graceUntil ?? '') - Date.now()).toBeGreaterThan((order.life.graceDays - 0.1) * 86_400_000);
    await expectOff();
    expect((await volumesOf(rig, NAME)).map(({ name }) => name).sort()).toEqual([`del-${NAME}-root`, `del-${NAME}-swap`]);
    await expect(rig.flow.nextBackup(NAME)).rejects.toMatchObject({ type: 'NotFound' });
    expect((await rig.flow.operate(NAME, 'undelete')).phase).toBe('running');
    expect(await login('cat /root/kept')).toBe('kept\n');
    expect(await rig.flow.nextBackup(NAME)).toMatch(/T03:17:00/);
    expect(await complaintsAbout(rig, { ...order, size: { ...order.size, diskBytes: LARGER_DISK } }, before)).toEqual([]);
  });

  test('terminated at once goes with all that is its own: dom0, ledger and Temporal are as before its order', async () => {
    expect((await rig.flow.operate(NAME, 'terminate', { now: true })).phase).toBe('gone');
    expect(await leftOf(rig, order, before)).toEqual([]);
    expect(await rig.flow.dom0Task('lab', 'audit')).toEqual([]);
  });
});
