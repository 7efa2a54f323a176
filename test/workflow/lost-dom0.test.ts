/** A dom0 that is lost, and its guests on another one: real workers on two fake dom0s, against a real Temporal. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anOrder } from '../an-order.ts';
import { twoDom0s, type TwoDom0s } from './two-dom0s.ts';

let world: TwoDom0s;

beforeAll(async () => {
  world = await twoDom0s(['pair1', 'pair2']);
  await world.startFirst();
  await world.flow.order(anOrder('web1', 'pair1', { network: { ip: '192.168.77.20' } }));
  const status = await world.flow.waitFor('web1');
  expect(await world.flow.failureOf(status)).toBeUndefined();
  expect(status.phase).toBe('running');
});
afterAll(async () => {
  await world.end();
});

describe('a guest of another dom0', () => {
  it('is copied to this one under another name, from a directory of its backups; it goes on itself', async () => {
    const { flow, second } = world;
    await expect(flow.orderOfCopy('web1', { name: 'web2', dom0: 'pair2' })).rejects.toMatchObject({
      type: 'NotFound',
      message: expect.stringContaining('no backup of web1 of order order-web1 in /mnt/copy on dom0 pair2') as string,
    });
    await world.copyBackups('web1');
    const order = await flow.orderOfCopy('web1', { name: 'web2', dom0: 'pair2' });
    expect(order).toMatchObject({ name: 'web2', dom0: 'pair2', origin: { guest: 'web1', order: 'order-web1', dom0: 'pair1' } });
    await flow.place(order, { mustBeServed: true });
    const status = await flow.waitFor('web2');
    expect(status).toMatchObject({ phase: 'running', dom0: 'pair2' });
    expect(second.machine.disk('/dev/vg01/web2-root')?.content.fs?.files['/etc/hostname']).toBe('web2\n');
    expect(await flow.status('web1')).toMatchObject({ phase: 'running', dom0: 'pair1' });
  });

  it('is not copied from a dom0 that nobody serves', async () => {
    await expect(world.flow.orderOfCopy('web1', { name: 'web3', dom0: 'xen9' })).rejects.toMatchObject({
      type: 'Unreachable',
      message: expect.stringContaining('nobody serves dom0 xen9') as string,
    });
  });
});

const lease = async (guest: string): Promise<string | undefined> =>
  (await world.flow.network('192.168.77.0/24')).leases.find((one) => one.guest === guest)?.ip;

describe('a dom0 that is lost', () => {
  it('is not while its worker asks for work', async () => {
    await expect(world.flow.lose('pair1')).rejects.toMatchObject({ type: 'Busy', message: expect.stringContaining('is alive') as string });
    await expect(world.flow.lose('xen9')).rejects.toMatchObject({ type: 'NotFound' });
    expect(await world.flow.status('web1')).toMatchObject({ phase: 'running' });
  });

  it('is not waited for any more: what was being done there ends, its guests keep name and address, an order that was not done is over', async () => {
    const { flow } = world;
    await world.stopFirst();
    await flow.order(anOrder('web4', 'pair1'));
    const backup = flow.operate('web1', 'backup').catch((error: unknown) => error);
    await expect.poll(async () => (await flow.status('web1')).operation?.kind).toBe('backup');
    await expect.poll(async () => lease('web4')).toBeDefined();
    const lost = await flow.lose('pair1', 0);
    expect(lost).toMatchObject({ host: 'pair1', guests: ['web1', 'web4'] });
    expect(await backup).toMatchObject({ type: 'Unreachable', message: expect.stringContaining('pair1 was declared lost') as string });
    await expect.poll(async () => (await flow.status('web1')).phase).toBe('lost');
    expect(await flow.status('web1')).toMatchObject({ dom0: 'pair1', lost: { since: lost.since, from: 'running' } });
    await expect.poll(async () => (await flow.status('web4')).phase).toBe('failed');
    await expect.poll(async () => lease('web4')).toBeUndefined();
    expect(await lease('web1')).toBe('192.168.77.20');
    await expect(flow.nextBackup('web1')).rejects.toMatchObject({ type: 'NotFound' });
  });

  it('takes no order, and its guests no operation, each with the reason', async () => {
    const { flow } = world;
    for (const kind of ['start', 'backup', 'restore'] as const)
      await expect(flow.operate('web1', kind)).rejects.toMatchObject({
        type: 'Busy',
        message: expect.stringContaining('its dom0 pair1 was declared lost') as string,
      });
    await flow.order(anOrder('web4', 'pair1'));
    const failure = await flow.failureOf(await flow.waitFor('web4'));
    expect(failure).toMatchObject({ type: 'HostNotReady', message: expect.stringContaining('pair1 was declared lost') as string });
    expect(await flow.capacity('pair1')).toMatchObject({ lost: expect.any(String) as string });
    const { dom0: _chosen, ...open } = anOrder('web5', '');
    expect(await flow.place(open)).toMatchObject({ dom0: 'pair2' });
    expect(await flow.waitFor('web5')).toMatchObject({ phase: 'running' });
    expect(await flow.auditLedger('pair1')).toMatchObject({ problem: expect.stringContaining('declared lost') as string, freed: [] });
  });

  it('has a worker that does not start again, and says what to do', async () => {
    const { ended } = await world.startFirst();
    await expect(ended).rejects.toMatchObject({
      type: 'Busy',
      message: expect.stringContaining('guestflow dom0 found pair1') as string,
      details: { mend: expect.stringContaining('the same addresses') as string },
    });
  });

  it('is what it was when it is found, with its guests', async () => {
    const { flow } = world;
    await flow.found('pair1');
    await world.startFirst();
    await expect.poll(async () => (await flow.status('web1')).phase).toBe('running');
    expect((await flow.status('web1')).lost).toBeUndefined();
    expect(await flow.nextBackup('web1')).toBeDefined();
    expect(await flow.operate('web1', 'stop')).toMatchObject({ phase: 'stopped' });
    expect(await flow.operate('web1', 'start')).toMatchObject({ phase: 'running' });
  });
});

describe('a guest of a dom0 that is lost', () => {
  it('is terminated without it: its address comes back', async () => {
    const { flow } = world;
    await flow.order(anOrder('web6', 'pair1'));
    await flow.waitFor('web6');
    expect(await lease('web6')).toBeDefined();
    await world.stopFirst();
    await flow.lose('pair1', 0);
    await expect.poll(async () => (await flow.status('web6')).phase).toBe('lost');
    expect(await flow.operate('web6', 'terminate')).toMatchObject({ phase: 'gone' });
    expect(await lease('web6')).toBeUndefined();
    expect((await flow.dom0State('pair1')).promised.map(({ guest }) => guest)).toEqual(['web1']);
  });
});
