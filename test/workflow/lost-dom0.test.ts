/** A dom0 that is lost, and its guests on another one: real workers on two fake dom0s, against a real Temporal. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anOrder } from '../an-order.ts';
import { twoDom0s, type TwoDom0s } from './two-dom0s.ts';

let world: TwoDom0s;

beforeAll(async () => {
  world = await twoDom0s();
  await world.startFirst();
  await world.flow.order(anOrder('web1', 'xen1', { network: { ip: '192.168.77.20' } }));
  expect(await world.flow.waitFor('web1')).toMatchObject({ phase: 'running' });
});
afterAll(async () => {
  await world.end();
});

describe('a guest of another dom0', () => {
  it('is copied to this one under another name, from a directory of its backups; it goes on itself', async () => {
    const { flow, second } = world;
    await expect(flow.orderOfCopy('web1', { name: 'web2', dom0: 'xen2' })).rejects.toMatchObject({
      type: 'NotFound',
      message: expect.stringContaining('no backup of web1 of order order-web1 in /mnt/copy on dom0 xen2') as string,
    });
    await world.copyBackups('web1');
    const order = await flow.orderOfCopy('web1', { name: 'web2', dom0: 'xen2' });
    expect(order).toMatchObject({ name: 'web2', dom0: 'xen2', origin: { guest: 'web1', order: 'order-web1', dom0: 'xen1' } });
    await flow.place(order, { mustBeServed: true });
    const status = await flow.waitFor('web2');
    expect(status).toMatchObject({ phase: 'running', dom0: 'xen2' });
    expect(second.machine.disk('/dev/vg01/web2-root')?.content.fs?.files['/etc/hostname']).toBe('web2\n');
    expect(await flow.status('web1')).toMatchObject({ phase: 'running', dom0: 'xen1' });
  });

  it('is not copied from a dom0 that nobody serves', async () => {
    await expect(world.flow.orderOfCopy('web1', { name: 'web3', dom0: 'xen9' })).rejects.toMatchObject({
      type: 'Unreachable',
      message: expect.stringContaining('nobody serves dom0 xen9') as string,
    });
  });
});
