/** What xendomains has saved of a guest's memory never runs over disks that are newer, and goes with the guest; on the fake dom0. */
import { afterEach, describe, expect, it } from 'vitest';
import { audit } from '../../../../../activities/dom0/steps/audit.ts';
import { bootGuest, destroyGuest, pauseGuest, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { leftoversOf } from '../../../../../activities/dom0/steps/look.ts';
import { planGuest } from '../../../../../activities/dom0/steps/plan-guest.ts';
import { setAsideVolumes, bringBackVolumes } from '../../../../../activities/dom0/steps/set-aside.ts';
import { removeBackups } from '../../../../../activities/dom0/steps/backup.ts';
import { removeCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { removeGuestState } from '../../../../../activities/dom0/steps/guest-state.ts';
import { removeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { savedStates } from '../../../../../activities/dom0/toolstack/xl/xendomains.ts';
import type { GuestRef, GuestSpec } from '../../../../../contract/guest.ts';
import type { FakeDom0, FakeHost } from '../../../../../fake/index.ts';
import { fakeDom0, onVolumes, spec, stepEnv } from './support.ts';
import { saveFile } from '../../../../fixtures/saved-state.ts';

const SAVE = '/var/lib/xen/save';
const ASIDE = `${SAVE}/.guestflow/guest1`;

let dom0: FakeDom0;
afterEach(() => {
  dom0.close();
});

async function withGuest(): Promise<{ host: FakeHost; guest: GuestSpec; ref: GuestRef }> {
  dom0 = await fakeDom0();
  const host = dom0.host();
  const guest = spec();
  await onVolumes(host, guest);
  return { host, guest, ref: { name: guest.name, order: guest.order, dom0: guest.dom0 } };
}

async function save(host: FakeHost, file = 'guest1', directory = SAVE, domain = 'guest1'): Promise<void> {
  await host.files.makeDirectory(directory, 0o700);
  await host.files.writeAtomic(`${directory}/${file}`, saveFile(domain));
}

async function asides(host: FakeHost, aside = ASIDE): Promise<string[]> {
  return (await host.files.list(aside)).filter((name) => name.endsWith('guest1'));
}

describe('a saved state of a guest', () => {
  it('is put aside before the guest is started from its disks, and is wiped when it has answered', async () => {
    const { host, guest } = await withGuest();
    await save(host);
    const cut: FakeHost = {
      ...host,
      run: (tool, args, how) => (tool === 'systemd-run' ? Promise.reject(new Error('xl create was cut off')) : host.run(tool, args, how)),
    };
    await expect(bootGuest(stepEnv(cut), guest)).rejects.toThrow('cut off');
    expect(await savedStates(host)).toEqual([]);
    expect(await asides(host)).toHaveLength(1);
    await bootGuest(stepEnv(host), guest);
    expect(await host.files.info(ASIDE)).toBeUndefined();
  });

  it('is known by the domain in it, whatever the file is called, and one of another domain stays', async () => {
    const { host, guest } = await withGuest();
    await save(host, 'renamed');
    await save(host, 'byhand', SAVE, 'byhand');
    await save(host, 'guest1', SAVE, 'byhand');
    await bootGuest(stepEnv(host), guest);
    expect((await savedStates(host)).map(({ path }) => path)).toEqual([`${SAVE}/byhand`, `${SAVE}/guest1`]);
  });

  it('is found where XENDOMAINS_SAVE says', async () => {
    const { host, guest } = await withGuest();
    await host.files.writeAtomic('/etc/default/xendomains', 'XENDOMAINS_SAVE="/srv/saved states/"\n');
    await save(host, 'guest1', '/srv/saved states');
    await bootGuest(stepEnv(host), guest);
    expect(await savedStates(host)).toEqual([]);
  });

  it.each([
    ['stopped', stopGuest],
    ['switched off', destroyGuest],
    ['paused', pauseGuest],
  ])('does not bring a guest back that was %s', async (_how, end) => {
    const { host, guest, ref } = await withGuest();
    await bootGuest(stepEnv(host), guest);
    await save(host);
    await end(stepEnv(host), ref);
    expect(await savedStates(host)).toEqual([]);
    expect(await asides(host)).toHaveLength(1);
  });

  it('does not bring a guest back that was off already', async () => {
    const { host, ref } = await withGuest();
    await save(host);
    await expect(stopGuest(stepEnv(host), ref)).resolves.toEqual({ how: 'was off' });
    expect(await savedStates(host)).toEqual([]);
  });

  it('of a cfg that is not ours is left alone', async () => {
    const { host, ref } = await withGuest();
    await host.files.writeAtomic('/etc/xen/guest1.cfg', 'name = "guest1"\nkernel = "/boot/k"\n');
    await save(host);
    await destroyGuest(stepEnv(host), ref);
    await removeGuestState(stepEnv(host), ref);
    expect((await savedStates(host)).map(({ path }) => path)).toEqual([`${SAVE}/guest1`]);
  });

  it('stays aside in the grace period, does not run after an undelete, and goes with the guest', async () => {
    const { host, guest, ref } = await withGuest();
    await save(host);
    await stopGuest(stepEnv(host), ref);
    await setAsideVolumes(stepEnv(host), ref);
    expect(await asides(host)).toHaveLength(1);
    await bringBackVolumes(stepEnv(host), ref);
    await bootGuest(stepEnv(host), guest);
    expect(await savedStates(host)).toEqual([]);
  });

  it('is wiped with the guest, seen by the audit and among what is left until then', async () => {
    const { host, guest, ref } = await withGuest();
    await save(host);
    const left = async (): Promise<string[]> => (await leftoversOf(stepEnv(host), ref)).filter((what) => what.startsWith(SAVE));
    const audited = async (): Promise<object[]> => (await audit(stepEnv(host))).filter(({ what }) => what.startsWith(SAVE));
    expect(await left()).toEqual([`${SAVE}/guest1`]);
    expect(await audited()).toEqual([{ what: `${SAVE}/guest1`, guest: 'guest1', order: guest.order }]);
    await destroyGuest(stepEnv(host), ref);
    expect(await left()).toEqual([ASIDE]);
    expect(await audited()).toEqual([{ what: ASIDE, guest: 'guest1', order: guest.order }]);
    for (const remove of [removeVolumes, removeCfg, removeBackups, removeGuestState]) await remove(stepEnv(host), ref);
    expect(await left()).toEqual([]);
    expect(await audited()).toEqual([]);
  });

  it('of another guest of that name keeps the name from a new order: xendomains would run it over the new disks', async () => {
    dom0 = await fakeDom0();
    const host = dom0.host();
    await save(host);
    const order = spec();
    await expect(planGuest(stepEnv(host), { order, lease: order.network })).rejects.toMatchObject({
      type: 'NotOurs',
      message: expect.stringContaining(`${SAVE}/guest1`) as string,
    });
  });
});
