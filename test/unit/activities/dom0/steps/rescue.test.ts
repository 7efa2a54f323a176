/** A guest's rescue system on the fake dom0: started in its place, with its disks beside its own, and gone afterwards. */
import { afterEach, describe, expect, it } from 'vitest';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ensureGoldenRoot } from '../../../../../activities/dom0/images/golden-root.ts';
import { bootGuest, destroyGuest, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { leftoversOf } from '../../../../../activities/dom0/steps/look.ts';
import { removeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { bootRescue, dropRescue, makeRescue, turnOnGuest } from '../../../../../activities/dom0/steps/rescue.ts';
import { sealGuest } from '../../../../../activities/dom0/steps/seal.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import { rescueOf } from '../../../../../contract/rescue.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, dom0With, spec } from './support.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme';
const STATE = '/var/lib/guestflow/guests/guest1';
const CFG = '/etc/xen/guest1.cfg';

let dom0: FakeDom0;
let env: StepEnv;
afterEach(() => closeKnowing(dom0));

const guest = spec();
const system = rescueOf(guest, { sshKeys: [KEY] });
const fsOf = (volume: string) => dom0.machine.volume(volume)?.content.fs;
const files = (): string[] =>
  Object.keys(dom0.snapshot().files)
    .filter((path) => path.startsWith(`${STATE}/`))
    .sort();
const disksOf = (name: string) =>
  dom0.machine.state.domains
    .filter((domain) => domain.name === name)
    .flatMap(({ disks }) => disks.map(({ vdev, source }) => `${vdev} ${source.split('/').at(-1) ?? ''}`));

/** A sealed guest that runs. */
async function running(of: GuestSpec = guest): Promise<void> {
  ({ dom0, env } = await dom0With(of));
  await bootGuest(env, of);
  await sealGuest(env, of);
  await ensureGoldenRoot(env, of);
}

describe('a rescue system', () => {
  it('runs in the place of a guest that does not boot, known by its own host key, with the disks of the guest; then the guest does', async () => {
    await running();
    const before = { files: files(), cfg: dom0.machine.readText(CFG), known: dom0.machine.readText(`${STATE}/known_hosts`) };
    await makeRescue(env, system);
    expect(disksOf('guest1')).toEqual(['xvda2 guest1-root', 'xvda1 guest1-swap']);
    const made = fsOf('guest1-rescue')?.files ?? {};
    expect(made['/root/.ssh/authorized_keys']).toBe(`${KEY}\n`);
    expect(made['/etc/hostname']).toBe('rescue-guest1\n');
    await stopGuest(env, guest);
    const root = fsOf('guest1-root');
    if (root === undefined) throw new Error('it has no root disk');
    root.damaged = true;
    expect(await bootRescue(env, system)).toMatchObject({ guestRoot: '/dev/xvdb' });
    expect(disksOf('guest1')).toEqual(['xvda2 guest1-rescue', 'xvda1 guest1-swap', 'xvdb guest1-root']);
    expect(dom0.machine.readText(CFG)).toBe(before.cfg);
    expect(dom0.machine.readText(`${STATE}/known_hosts`)).toBe(before.known);
    expect(await env.kindOf(guest).identify(guest, guest.network.ip)).toBeUndefined();
    expect(await env.kindOf(guest).identifyRescue(guest, guest.network.ip)).toBeDefined();
    root.damaged = false;
    await stopGuest(env, guest);
    await bootGuest(env, guest);
    await dropRescue(env, guest);
    expect(await env.kindOf(guest).identify(guest, guest.network.ip)).toBeDefined();
    expect(dom0.machine.volume('guest1-rescue')).toBeUndefined();
    expect(files()).toEqual(before.files);
  });

  it('is not the guest: one whose own system runs is not taken for it, and goes on', async () => {
    await running();
    await makeRescue(env, system);
    expect(await env.kindOf(guest).identifyRescue(guest, guest.network.ip)).toBeUndefined();
    await dropRescue(env, guest);
    expect(disksOf('guest1')).toEqual(['xvda2 guest1-root', 'xvda1 guest1-swap']);
  });

  it('has every disk that an operator has given the guest, and the root disk at the next place that is free', async () => {
    await running();
    const own = (dom0.machine.readText(CFG) ?? '').replace(/^disk\s*=\s*\[/m, "disk = [ 'phy:/dev/vg01/data,xvdb,w',");
    const { bytes, root } = env.kindOf(guest).rescueCfg(Buffer.from(own), guest);
    expect(root).toBe('xvdc');
    expect(bytes.toString()).toMatch(/phy:\/dev\/vg01\/data,xvdb,w/);
    expect(bytes.toString()).toMatch(/guest1-root,xvdc,w/);
  });

  it('that does not come up is ended, and the guest is switched on, whether it answers or not', async () => {
    await running();
    await makeRescue(env, system);
    await stopGuest(env, guest);
    const made = fsOf('guest1-rescue');
    if (made === undefined) throw new Error('there is no rescue disk');
    made.damaged = true;
    await expect(bootRescue(env, system)).rejects.toMatchObject({ type: 'GuestDidNotAnswer' });
    await destroyGuest(env, guest);
    dom0.machine.conditions.guestsDoNotBoot = true;
    await turnOnGuest(env, guest);
    expect(disksOf('guest1')).toEqual(['xvda2 guest1-root', 'xvda1 guest1-swap']);
    dom0.machine.conditions.guestsDoNotBoot = false;
  });

  it('and the system of the guest are never taken for one another: each is started only when the other is off', async () => {
    await running();
    await makeRescue(env, system);
    await expect(bootRescue(env, system)).rejects.toThrow(/guest1 runs from its own disk: its rescue system cannot be started beside it/);
    await stopGuest(env, guest);
    await bootRescue(env, system);
    await expect(turnOnGuest(env, guest)).rejects.toThrow(/the rescue system of guest1 still runs: its own cannot be started beside it/);
  });

  it('that still runs is ended when it is made anew', async () => {
    await running();
    await makeRescue(env, system);
    await stopGuest(env, guest);
    await bootRescue(env, system);
    await makeRescue(env, system);
    expect(disksOf('guest1')).toEqual([]);
  });

  it('leaves nothing when it is not made whole', async () => {
    await running();
    const before = files();
    dom0.faults.add({ kind: 'fail', exitCode: 1, match: ({ tool, index }) => tool === 'debugfs' && index > 0 });
    await expect(makeRescue(env, system)).rejects.toThrow();
    expect(files()).not.toEqual(before);
    await dropRescue(env, guest);
    expect(files()).toEqual(before);
    expect(dom0.machine.volume('guest1-rescue')).toBeUndefined();
  });

  it('goes with its guest', async () => {
    await running();
    await makeRescue(env, system);
    await stopGuest(env, guest);
    await bootRescue(env, system);
    expect((await leftoversOf(env, guest)).join()).toMatch(/guest1-rescue/);
    await destroyGuest(env, guest);
    await removeVolumes(env, guest);
    expect(dom0.snapshot().volumes.filter(({ name }) => name.startsWith('guest1-'))).toEqual([]);
  });
});
