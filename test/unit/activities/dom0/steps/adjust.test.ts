/** A guest that is changed while it runs, on the fake dom0. */
import { afterEach, describe, expect, it } from 'vitest';
import { changed } from '../../../../an-order.ts';
import { pauseGuest, stopGuest, unpauseGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { adjustGuest } from '../../../../../activities/dom0/steps/adjust.ts';
import { cfgHeader } from '../../../../../activities/dom0/marks.ts';
import { findDomain, listVcpus } from '../../../../../activities/dom0/toolstack/xl/xl.ts';
import { createDomain } from '../../../../../activities/dom0/toolstack/xl/xl-create.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import type { FakeDom0, FakeHost } from '../../../../../fake/index.ts';
import { fakeDom0, spec, stepEnv } from './support.ts';

const MiB = 2 ** 20;

let dom0: FakeDom0;
afterEach(() => {
  dom0.close();
});

/** A running guest with 512 MiB and one vcpu, and room for 1 GiB and four. */
async function running(memoryMiB = 8192): Promise<{ host: FakeHost; guest: GuestSpec }> {
  dom0 = await fakeDom0({ memoryMiB });
  const host = dom0.host();
  const guest = spec();
  const cfg = [
    cfgHeader({ guest: guest.name, order: guest.order }),
    `name = "${guest.name}"`,
    'kernel = "/boot/vmlinuz-6.1.0-49-amd64"',
    'memory = 512',
    'maxmem = 1024',
    'vcpus = 1',
    'maxvcpus = 4',
    'on_crash = "preserve"',
    '',
  ];
  await host.files.writeAtomic(`/etc/xen/${guest.name}.cfg`, cfg.join('\n'));
  await createDomain(host, `/etc/xen/${guest.name}.cfg`);
  return { host, guest };
}

async function sizeOf(host: FakeHost, name: string): Promise<readonly [mib: number | undefined, online: number]> {
  const domain = await findDomain(host, name);
  return [domain?.memoryMiB, (await listVcpus(host, domain?.id ?? 0)).filter(({ online }) => online).length];
}

describe('a running guest', () => {
  it('grows and shrinks within the room that it was started with, and asked twice it is the same', async () => {
    const { host, guest } = await running();
    const larger = { ...guest, size: { ...guest.size, memoryBytes: 1024 * MiB, vcpus: 4 } };
    expect(await adjustGuest(stepEnv(host), { spec: larger, mustNotKeepMore: false })).toEqual({ isDone: true });
    expect(await adjustGuest(stepEnv(host), { spec: larger, mustNotKeepMore: false })).toEqual({ isDone: true });
    expect(await sizeOf(host, guest.name)).toEqual([1024, 4]);
    expect(await adjustGuest(stepEnv(host), { spec: guest, mustNotKeepMore: true })).toEqual({ isDone: true });
    expect(await sizeOf(host, guest.name)).toEqual([512, 1]);
  });

  it.each([
    ['memory', { memoryBytes: 2048 * MiB }, /less room than the 2048 MiB/],
    ['vcpus', { vcpus: 5, memoryBytes: 1024 * MiB }, /room for 4 vcpus, and cannot have 5/],
  ] as const)('needs a restart for more %s than that, and nothing is changed', async (_what, change, reason) => {
    const { host, guest } = await running();
    const { isDone, reason: said } = await adjustGuest(stepEnv(host), { spec: changed(guest, { size: change }), mustNotKeepMore: false });
    expect(isDone).toBe(false);
    expect(said).toMatch(reason);
    expect(await sizeOf(host, guest.name)).toEqual([512, 1]);
  });

  it('that does not follow needs a restart; one that keeps what it should give back makes the undo fail', async () => {
    const { host, guest } = await running();
    await adjustGuest(stepEnv(host), { spec: { ...guest, size: { ...guest.size, memoryBytes: 1024 * MiB } }, mustNotKeepMore: false });
    dom0.faults.guestsDoNotFollow = true;
    const { isDone, reason } = await adjustGuest(stepEnv(host), { spec: guest, mustNotKeepMore: false }, 0);
    expect(isDone).toBe(false);
    expect(reason).toMatch(/did not follow within 0 s: it has 1024 MiB and 1 vcpus, and is to have 512 MiB and 1/);
    await expect(adjustGuest(stepEnv(host), { spec: guest, mustNotKeepMore: true }, 0)).rejects.toMatchObject({
      type: 'ToolFailed',
      message: expect.stringContaining('keeps 1024 MiB') as string,
    });
  });

  it('is refused more memory than Xen has free, with what is short', async () => {
    const { host, guest } = await running(1224);
    await expect(
      adjustGuest(stepEnv(host), { spec: { ...guest, size: { ...guest.size, memoryBytes: 1024 * MiB } }, mustNotKeepMore: false }),
    ).rejects.toMatchObject({
      type: 'NoCapacity',
      message: 'dom0 dom0 has 312 MiB of memory too little free to grow guest1',
    });
    expect(await sizeOf(host, guest.name)).toEqual([512, 1]);
  });

  it('gets back what it had by an undo, though Xen has it no longer free: as much as there is, and the undo does not fail', async () => {
    const { host, guest } = await running(1224);
    const former = { ...guest, size: { ...guest.size, memoryBytes: 1024 * MiB } };
    expect(await adjustGuest(stepEnv(host), { spec: former, mustNotKeepMore: true }, 0)).toMatchObject({
      isDone: false,
      reason: expect.stringContaining('it has 712 MiB') as string,
    });
    expect(await sizeOf(host, guest.name)).toEqual([712, 1]);
  });

  it('is nobody else’s to change, and one that is off needs a start', async () => {
    const { host, guest } = await running();
    await expect(adjustGuest(stepEnv(host), { spec: { ...guest, order: 'another' }, mustNotKeepMore: false })).rejects.toMatchObject({
      type: 'NotOurs',
    });
    expect(await adjustGuest(stepEnv(host), { spec: spec('guest2'), mustNotKeepMore: true })).toMatchObject({ isDone: false });
  });
});

describe('a guest that is paused', () => {
  it('is so when it is paused twice, and hears a shutdown, since it is let go on for that', async () => {
    const { host, guest } = await running();
    await pauseGuest(stepEnv(host), guest);
    await pauseGuest(stepEnv(host), guest);
    expect((await findDomain(host, guest.name))?.state).toBe('paused');
    await unpauseGuest(stepEnv(host), guest);
    expect((await findDomain(host, guest.name))?.state).not.toContain('p');
    await pauseGuest(stepEnv(host), guest);
    const domain = dom0.state.domains[0];
    if (domain !== undefined) domain.booted = true;
    expect(await stopGuest(stepEnv(host), guest)).toEqual({ how: 'shut down' });
  });

  it('is nobody else’s to pause, and one that is off stays off', async () => {
    const { host, guest } = await running();
    await expect(pauseGuest(stepEnv(host), { ...guest, order: 'another' })).rejects.toMatchObject({ type: 'NotOurs' });
    await pauseGuest(stepEnv(host), spec('guest2'));
  });
});
