/** A guest of a dom0 that is lost, on another one as itself: real workers on two fake dom0s, against a real Temporal. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../system/until.ts';
import { anOrder } from '../an-order.ts';
import { twoDom0s, type TwoDom0s } from './two-dom0s.ts';

const SECOND_NETWORK = { cidr: '192.168.78.0/24', gateway: '192.168.78.1', ranges: [], exclude: [], quarantineSeconds: 900 };

let world: TwoDom0s;

beforeAll(async () => {
  world = await twoDom0s(['away1', 'away2']);
  const { flow } = world;
  await world.startFirst();
  await flow.addNetwork({ ...SECOND_NETWORK, dom0s: [{ host: 'away1', bridge: 'xenbr0' }] });
  await flow.order(anOrder('web1', 'away1', { network: { ip: '192.168.77.20' } }));
  await flow.order(anOrder('web2', 'away1', { network: { ip: '192.168.78.20' } }));
  for (const name of ['web1', 'web2']) {
    expect((await flow.waitFor(name)).phase).toBe('running');
    await until(async () => (await flow.status(name)).backups.length === 1, { everyMs: 50 });
    await world.copyBackups(name);
  }
});
afterAll(async () => {
  await world.end();
});

const HOST_KEY = '/etc/ssh/ssh_host_ed25519_key.pub';
const MACHINE_ID = '/etc/machine-id';

const restore = (name: string, dom0 = 'away2'): Promise<unknown> => world.flow.operate(name, 'restoreElsewhere', { dom0 });

const reserved = async (dom0: string): Promise<readonly string[]> =>
  (await world.flow.dom0State(dom0)).promised.map(({ guest }) => guest).sort();

const leases = async (): Promise<unknown> => (await world.flow.network('192.168.77.0/24')).leases;

const on = (which: 'first' | 'second', name: string): string[] => {
  const { machine } = world[which];
  const { domains, volumes } = machine.state;
  return [...domains.map((domain) => domain.name), ...volumes.map((volume) => volume.name)].filter((each) => each.startsWith(name)).sort();
};

it('is refused while its dom0 is not lost, and says what to do', async () => {
  await expect(restore('web1')).rejects.toMatchObject({
    type: 'Busy',
    message: expect.stringMatching(/away1 is not lost.*guestflow dom0 lost away1.*--as NEW/) as string,
    details: { field: 'dom0' },
  });
});

it('is refused on the lost dom0, and where its network has no bridge; the guest stays lost, and nothing is reserved', async () => {
  await world.stopFirst();
  await world.flow.lose('away1', 0);
  await expect.poll(async () => (await world.flow.status('web2')).phase).toBe('lost');
  await expect(restore('web2', 'away1')).rejects.toMatchObject({ type: 'InvalidInput', details: { field: 'dom0' } });
  await expect(restore('web2')).rejects.toMatchObject({
    type: 'InvalidInput',
    message: expect.stringMatching(/away2 has no bridge.*web2 has its address 192\.168\.78\.20.*192\.168\.77\.0\/24 \(xenbr0\)/) as string,
    details: { field: 'dom0' },
  });
  expect(await world.flow.status('web2')).toMatchObject({ phase: 'lost', dom0: 'away1', lost: { from: 'running' } });
  expect([await reserved('away1'), await reserved('away2')]).toEqual([['web1', 'web2'], []]);
});

it('is undone when it is cancelled in the middle: nothing on the other dom0, and both ledgers and the lease as before', async () => {
  const before = await leases();
  const { conditions } = world.second.machine;
  conditions.guestsDoNotBoot = true;
  const asked = restore('web1').catch((error: unknown) => error);
  await until(() => world.second.machine.state.domains.some(({ name }) => name === 'web1'), { everyMs: 50 });
  // While it is made there, it counts as there: an audit of that dom0 leaves it alone.
  expect((await world.flow.auditLedger('away2')).orphans).toEqual([]);
  await world.flow.cancel('web1');
  expect(await asked).toMatchObject({ type: 'Cancelled' });
  conditions.guestsDoNotBoot = false;
  const status = await world.flow.status('web1');
  expect(status).toMatchObject({ phase: 'lost', dom0: 'away1', leftovers: [] });
  expect(status.lost?.to).toBeUndefined();
  expect(on('second', 'web1')).toEqual([]);
  expect([await reserved('away1'), await reserved('away2')]).toEqual([['web1', 'web2'], []]);
  expect(await leases()).toEqual(before);
});

it('is refused while somebody answers at its address there, and nothing is made', async () => {
  const { flow, second } = world;
  await flow.order(anOrder('other', 'away2', { network: { ip: '192.168.77.30' } }));
  expect((await flow.waitFor('other')).phase).toBe('running');
  const disk = second.machine.disk('/dev/vg01/other-root');
  const { files = {} } = disk?.content.fs ?? {};
  const own = files['/etc/network/interfaces'] ?? '';
  files['/etc/network/interfaces'] = own.replaceAll('192.168.77.30', '192.168.77.20');
  disk?.save();
  await expect(restore('web1')).rejects.toMatchObject({
    type: 'InvalidInput',
    message: expect.stringMatching(/ip 192\.168\.77\.20 is taken: .* answers at it/) as string,
  });
  expect(on('second', 'web1')).toEqual([]);
  expect([await reserved('away1'), await reserved('away2')]).toEqual([['web1', 'web2'], ['other']]);
  files['/etc/network/interfaces'] = own;
  disk?.save();
  expect(await flow.operate('other', 'terminate', { now: true })).toMatchObject({ phase: 'gone' });
});

it('makes the guest there as itself: address, MAC, keys and machine-id; the ledgers, lists and nights follow', async () => {
  const { flow, first, second } = world;
  const before = await flow.status('web1');
  const [leasesBefore, disk] = [await leases(), first.machine.disk('/dev/vg01/web1-root')?.content.fs?.files];
  expect(await restore('web1')).toMatchObject({ phase: 'running', backup: { id: before.backups[0]?.id } });
  const after = await flow.status('web1');
  expect(after).toMatchObject({ phase: 'running', dom0: 'away2', order: before.order, spec: { network: before.spec?.network } });
  expect(after.lost).toBeUndefined();
  const restored = second.machine.disk('/dev/vg01/web1-root')?.content.fs?.files;
  for (const path of [HOST_KEY, MACHINE_ID]) expect(restored?.[path]).toBe(disk?.[path]);
  expect(restored?.[HOST_KEY]).toBeDefined();
  expect(await leases()).toEqual(leasesBefore);
  expect([await reserved('away1'), await reserved('away2')]).toEqual([['web2'], ['web1']]);
  expect(await flow.nextBackup('web1')).toBeDefined();
  await expect.poll(async () => (await flow.status('web1')).backups.length).toBe(1);
  expect((await flow.auditLedger('away2')).orphans).toEqual([]);
});

it('is not taken back when the former dom0 is found: what is there is an orphan for its audit, and stays', async () => {
  const { flow } = world;
  const there = on('first', 'web1');
  await flow.found('away1');
  await world.startFirst();
  await expect.poll(async () => (await flow.status('web2')).phase).toBe('running');
  expect(await flow.status('web1')).toMatchObject({ phase: 'running', dom0: 'away2' });
  expect((await flow.auditLedger('away1')).orphans).toEqual([{ guest: 'web1', order: 'order-web1', reason: 'its guest is on dom0 away2' }]);
  expect(on('first', 'web1')).toEqual(there);
  expect(await reserved('away1')).toEqual(['web2']);
});

it('lives on there: it is stopped, started and terminated as any other', async () => {
  const { flow } = world;
  expect(await flow.operate('web1', 'stop')).toMatchObject({ phase: 'stopped' });
  expect(await flow.operate('web1', 'start')).toMatchObject({ phase: 'running' });
  expect(await flow.operate('web1', 'terminate', { now: true })).toMatchObject({ phase: 'gone' });
  expect(on('second', 'web1')).toEqual([]);
  expect(await reserved('away2')).toEqual([]);
});
