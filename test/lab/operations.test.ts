/**
 * Operations on two guests that came up side by side, by the recipe `direct`: a sealed one, whose disk is changed while it is off, and a managed one, which
 * is changed while it runs; each test takes up where the one before it ended. Only with `GUESTFLOW_LAB=full`.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { loginKey } from '../../cli/up/key.ts';
import { hashPassword, type OperateOptions } from '../../client/index.ts';
import { defined } from '../../contract/defined.ts';
import type { PreflightReport } from '../../contract/dom0.ts';
import type { GuestOrder } from '../../contract/guest.ts';
import type { OperationResult } from '../../contract/guest-requests.ts';
import type { OperationKind } from '../../contract/operations.ts';
import { GiB } from '../../contract/sizes.ts';
import { claimAddress, CLAIMS, forgetNeighbour, giveBack, refusedOf, withAntispoof, type Neighbour } from './antispoof.ts';
import { complaintsAbout, domainOf, inGuest, leftOf, onDom0, orderAndWait, volumesOf } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { IS_FULL, openRig, withoutComment, type Rig } from './rig.ts';

const SEALED: Neighbour = { name: 'first', ip: '192.168.77.31' };
const MANAGED: Neighbour = { name: 'second', ip: '192.168.77.32' };
const BOTH = [SEALED, MANAGED] as const;
const HOSTNAME = 'shop.example.org';

let rig: Rig;
/** The same rig, for a customer with another key. */
let other: Rig;
let before: Inventory;
let orders: Readonly<Record<string, GuestOrder>>;
/** Of the password of root in the sealed guest, and in the managed one. */
let hashes: readonly [string, string];

beforeAll(async () => {
  rig = await openRig(inject('lab'));
  const { file, publicKey } = await loginKey(join(rig.stateDir, 'other-customer'));
  other = { ...rig, keyFile: file, publicKey };
  before = await inventoryOf(rig.lab);
  const common = { disk: '1GiB', recipe: 'direct' } as const;
  orders = {
    [SEALED.name]: await rig.order({ ...common, ...SEALED, order: 'operations-1' }),
    [MANAGED.name]: await rig.order({ ...common, ...MANAGED, order: 'operations-2', managed: true }),
  };
  hashes = [await hashPassword('of the sealed guest'), await hashPassword('of the managed guest')];
});

afterAll(async () => {
  await rig.close();
});

function orderOf({ name }: Neighbour): GuestOrder {
  const order = orders[name];
  if (order === undefined) throw new Error(`${name} was not ordered`);
  return order;
}
const operate = ({ name }: Neighbour, kind: OperationKind, options: OperateOptions = {}): Promise<OperationResult> =>
  rig.flow.operate(name, kind, options);
const login = (as: Rig, { name, ip }: Neighbour, script: string): Promise<string> => inGuest(as, { name }, ip, script);
const idOf = async ({ name }: Neighbour): Promise<number> => (await domainOf(rig, name))?.id ?? -1;
const wrongWith = (as: Rig, guest: Neighbour): Promise<string[]> =>
  complaintsAbout(
    as,
    orderOf(guest),
    before,
    BOTH.map(({ name }) => name),
  );

async function expectRefused(as: Rig, guest: Neighbour): Promise<void> {
  await expect(login(as, guest, 'true')).rejects.toMatchObject({ stderr: expect.stringContaining('Permission denied') as string });
}

/** Machine-id, host key without its comment, UUID of the root file system. */
async function identityOf(as: Rig, guest: Neighbour): Promise<readonly string[]> {
  const said = await login(as, guest, `cat /etc/machine-id; cut -d ' ' -f 2 /etc/ssh/ssh_host_ed25519_key.pub; findmnt -n -o UUID /`);
  const identity = said.trim().split('\n');
  expect(identity).toEqual([/^[0-9a-f]{32}$/, /^AAAA[A-Za-z0-9+/=]+$/, /^[0-9a-f-]{36}$/].map((of) => expect.stringMatching(of) as string));
  return identity;
}

/** Root's line of /etc/shadow; and all else of the file, its mode and its owners. */
async function shadowOf(guest: Neighbour): Promise<{ root: string; rest: readonly string[] }> {
  const lines = (await login(rig, guest, `stat -c '%a %u %g' /etc/shadow; cat /etc/shadow`)).trim().split('\n');
  return {
    root: lines.find((line) => line.startsWith('root:')) ?? '',
    rest: lines.filter((line) => !line.startsWith('root:')),
  };
}

/** What the guest's kernel has complained of its root file system since its boot. */
const FILE_SYSTEM = `dmesg | grep -q 'EXT4-fs (xvda2): mounted filesystem' && { dmesg | grep -E 'EXT4-fs (error|warning)|EXT4-fs .*(recovery|orphan|with errors)' || echo sound; }`;
const PASSWORD_STATE = `passwd -S root | cut -d ' ' -f 2`;
const KEYS = `cut -d ' ' -f 1-2 /root/.ssh/authorized_keys; stat -c '%a %U' /root/.ssh /root/.ssh/authorized_keys`;
const KEY_MODES = '700 root\n600 root\n';

describe.runIf(IS_FULL)('two guests', () => {
  test('come up side by side, each on its own volumes, and are two machines', async () => {
    const made = await Promise.all(BOTH.map((guest) => orderAndWait(rig, orderOf(guest))));
    for (const status of made) expect(await rig.flow.failureOf(status)).toBeUndefined();
    for (const guest of BOTH) expect(await wrongWith(rig, guest)).toEqual([]);
    const [first, second] = await Promise.all(BOTH.map((guest) => identityOf(rig, guest)));
    for (const part of second ?? []) expect(first).not.toContain(part);
  });

  test('get a password of root: the sealed one on its disk, for which it is stopped', async () => {
    const [id, was] = [await idOf(SEALED), await shadowOf(SEALED)];
    expect(was.root).not.toMatch(/^root:\$/);
    await operate(SEALED, 'setPassword', { access: { passwordHash: hashes[0], how: 'offline' } });
    const is = await shadowOf(SEALED);
    expect(is.root.split(':')[1]).toBe(hashes[0]);
    expect(hashes[0]).toMatch(/^\$6\$/);
    expect(is.rest).toEqual(was.rest);
    expect(await login(rig, SEALED, `${PASSWORD_STATE}; ${FILE_SYSTEM}`)).toBe('P\nsound\n');
    expect(await idOf(SEALED)).not.toBe(id);
    expect(await wrongWith(rig, SEALED)).toEqual([]);
  });

  test('get a password of root: the managed one while it runs', async () => {
    const [id, was] = [await idOf(MANAGED), await shadowOf(MANAGED)];
    await operate(MANAGED, 'setPassword', { access: { passwordHash: hashes[1] } });
    const is = await shadowOf(MANAGED);
    expect(is.root.split(':')[1]).toBe(hashes[1]);
    expect(is.rest).toEqual(was.rest);
    expect(await login(rig, MANAGED, PASSWORD_STATE)).toBe('P\n');
    expect(await idOf(MANAGED)).toBe(id);
    expect(await wrongWith(rig, MANAGED)).toEqual([]);
  });

  test('get another key: it opens them, and the former one does not', async () => {
    const id = await idOf(MANAGED);
    const key = withoutComment(other.publicKey);
    // A sealed guest that runs is not changed without a word about the restart.
    await expect(operate(SEALED, 'setKeys', { access: { sshKeys: [key] } })).rejects.toMatchObject({ type: 'InvalidInput' });
    await operate(SEALED, 'setKeys', { access: { sshKeys: [key], how: 'offline' } });
    expect(await login(other, SEALED, `${KEYS}; ${FILE_SYSTEM}`)).toBe(`${key}\n${KEY_MODES}sound\n`);
    await expectRefused(rig, SEALED);
    await operate(MANAGED, 'setKeys', { access: { sshKeys: [key] } });
    const own = (await onDom0(rig, `cat /var/lib/guestflow/guests/${MANAGED.name}/provision_key.pub`)).trim();
    expect(await login(other, MANAGED, KEYS)).toBe(`${withoutComment(own)}\n${key}\n${KEY_MODES}`);
    await expectRefused(rig, MANAGED);
    expect(await idOf(MANAGED)).toBe(id);
  });

  test('get another host name, by which the sealed one knows itself after its restart', async () => {
    await operate(SEALED, 'setHostname', { access: { hostname: HOSTNAME, how: 'offline' } });
    expect(await login(other, SEALED, `hostname; hostname -f; ${FILE_SYSTEM}`)).toBe(`shop\n${HOSTNAME}\nsound\n`);
    await operate(MANAGED, 'setHostname', { access: { hostname: 'desk.example.org' } });
    expect(await login(other, MANAGED, 'hostname; hostname -f')).toBe('desk\ndesk.example.org\n');
  });
});

const rolesOf = async ({ name }: Neighbour): Promise<string[]> =>
  (await volumesOf(rig, name)).map((volume) => volume.name.slice(name.length + 1)).sort();

describe.runIf(IS_FULL)('the sealed guest', () => {
  let former: readonly string[];

  test('gets a new system at the same address, with the key that was asked for and the password that was set; its disk of before stays', async () => {
    await login(other, SEALED, 'echo mine > /root/mine; sync');
    former = await identityOf(other, SEALED);
    const { network } = (await rig.flow.status(SEALED.name)).spec ?? {};
    const { phase, kept } = await operate(SEALED, 'reinstall', { reinstall: { sshKeys: [withoutComment(rig.publicKey)] } });
    expect({ phase, kept }).toMatchObject({ phase: 'running', kept: { role: 'former', backup: '', diskBytes: GiB } });
    expect((await rig.flow.status(SEALED.name)).spec?.network).toEqual(network);
    const seen = await login(rig, SEALED, `ls /root/mine 2> /dev/null; hostname; grep '^root:' /etc/shadow | cut -d : -f 2`);
    expect(seen).toBe(`shop\n${hashes[0]}\n`);
    for (const part of await identityOf(rig, SEALED)) expect(former).not.toContain(part);
    expect(await login(rig, SEALED, KEYS)).toBe(`${withoutComment(rig.publicKey)}\n${KEY_MODES}`);
    await expectRefused(other, SEALED);
    expect(await onDom0(rig, `ls --ignore=traffic.json /var/lib/guestflow/guests/${SEALED.name}`)).toBe('guestflow.json\nknown_hosts\n');
    expect(await rolesOf(SEALED)).toEqual(['former', 'root', 'swap']);
  });

  test('gets its disk of before back: what was on it, its identity, its key; and the new one goes', async () => {
    await operate(SEALED, 'undoRestore');
    expect(await login(other, SEALED, `cat /root/mine; hostname; ${FILE_SYSTEM}`)).toBe('mine\nshop\nsound\n');
    // Without the machine-id: in the lab's guests systemd makes one at each boot, and keeps none.
    expect((await identityOf(other, SEALED)).slice(1)).toEqual(former.slice(1));
    await expectRefused(rig, SEALED);
    expect(await rolesOf(SEALED)).toEqual(['restored', 'root', 'swap']);
    await operate(SEALED, 'keepRestored');
    expect(await rolesOf(SEALED)).toEqual(['root', 'swap']);
    expect(await wrongWith(other, SEALED)).toEqual([]);
  });
});

describe.runIf(IS_FULL)('with antispoof', () => {
  const macOf = async ({ name }: Neighbour): Promise<string> => (await rig.flow.status(name)).spec?.network.mac.toLowerCase() ?? '';
  const rowOf = async (): Promise<string | undefined> =>
    (await rig.flow.dom0Task<PreflightReport>('lab', 'preflight')).rows.find(({ row }) => row === 'antispoof')?.state;

  /** Its own plan again: a change of plan writes the cfg. */
  async function rewriteCfg(guest: Neighbour): Promise<void> {
    const { plan, size } = orderOf(guest);
    const { memoryBytes, vcpus, diskBytes, maxMemoryBytes, maxVcpus } = size;
    const same = { plan, memoryBytes, vcpus, diskBytes, ...defined({ maxMemoryBytes, maxVcpus }) };
    await operate(guest, 'changePlan', { change: { ...same, mayRestart: true } });
  }

  test('a guest that takes its neighbour’s address gets none of its packets; without, dom0 believes it', async () => {
    const [thief, owner] = await Promise.all(BOTH.map(macOf));
    expect((await claimAddress(other, SEALED, MANAGED.ip)).macs).toContain(thief);
    await giveBack(other, SEALED, MANAGED.ip);
    expect(await login(other, MANAGED, 'hostname')).toBe('desk\n');
    await withAntispoof(rig, async () => {
      for (const guest of BOTH) await rewriteCfg(guest);
      await Promise.all(BOTH.map((guest) => operate(guest, 'reboot')));
      expect(await rowOf()).toBe('ok');
      const id = await idOf(SEALED);
      const refused = await refusedOf(rig, id);
      expect(await claimAddress(other, SEALED, MANAGED.ip)).toEqual({ macs: [owner], gateway: 'is silent' });
      expect((await refusedOf(rig, id)) - refused).toBeGreaterThanOrEqual(CLAIMS);
      // The thief has the address still, and is asked for it.
      await forgetNeighbour(rig, MANAGED.ip);
      expect(await login(other, MANAGED, 'hostname')).toBe('desk\n');
      expect(await onDom0(rig, `ip neigh show to ${MANAGED.ip}`)).toContain(owner);
      expect(await login(other, SEALED, 'hostname')).toBe('shop\n');
      await giveBack(other, SEALED, MANAGED.ip);
    });
  });
});

describe.runIf(IS_FULL)('terminated', () => {
  test('both guests leave nothing: no rules, and dom0, ledger and Temporal as before', async () => {
    const ended = await Promise.all(BOTH.map((guest) => operate(guest, 'terminate', { now: true })));
    expect(ended.map(({ phase }) => phase)).toEqual(['gone', 'gone']);
    for (const guest of BOTH) expect(await leftOf(rig, orderOf(guest), before)).toEqual([]);
    expect(await rig.flow.dom0Task('lab', 'audit')).toEqual([]);
    expect(await onDom0(rig, 'nft list table bridge guestflow; nft delete table bridge guestflow')).not.toMatch(/vif\d/);
  });
});
