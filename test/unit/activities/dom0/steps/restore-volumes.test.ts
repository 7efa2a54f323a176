/** A guest that is made from a backup of another one: what is on it, that it is another machine, and that a kill anywhere does no harm. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { bootGuest, destroyGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { removeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { planGuest } from '../../../../../activities/dom0/steps/plan-guest.ts';
import { originOf, restoreVolumes } from '../../../../../activities/dom0/steps/restore-volumes.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, dom0With, spec, stepEnv } from './support.ts';

const FIRST = spec('web1', '10.0.0.5');
const MiB = 2 ** 20;

let dom0: FakeDom0;
let env: StepEnv;
let copy: GuestSpec;
beforeEach(async () => {
  ({ dom0, env } = await dom0With(FIRST));
  const { id } = await takeBackup(env, FIRST);
  copy = spec('web2', '10.0.0.6', { network: { mac: '00:16:3E:A3:69:9D' }, hostname: 'second.example.org' });
  copy = { ...copy, origin: { guest: 'web1', order: FIRST.order, backup: id } };
});
afterEach(() => {
  closeKnowing(dom0);
});

const filesOf = (name: string): Record<string, string> => dom0.machine.disk(`/dev/vg01/${name}-root`)?.content.fs?.files ?? {};

describe('a guest from a backup of another one', () => {
  it('is another machine: file system, host key, names, address; and answers at its own', async () => {
    await restoreVolumes(env, copy);
    const [first, second] = [filesOf('web1'), filesOf('web2')];
    expect(dom0.machine.disk('/dev/vg01/web2-root')?.content.fs?.uuid).not.toBe(dom0.machine.disk('/dev/vg01/web1-root')?.content.fs?.uuid);
    for (const path of [
      '/etc/hostname',
      '/etc/machine-id',
      '/etc/ssh/ssh_host_ed25519_key.pub',
      '/root/.ssh/authorized_keys',
      '/etc/network/interfaces',
    ])
      expect(second[path], path).not.toBe(first[path]);
    expect(second['/etc/hostname']).toBe('second\n');
    expect(second['/etc/hosts']).toContain('10.0.0.6\tsecond.example.org second\n');
    expect(JSON.stringify(second)).not.toContain('10.0.0.5');
    expect(second['/etc/shadow']).toBe(first['/etc/shadow']);
    await fixCfg(env, { spec: copy, disks: 'volume', onCrash: 'destroy' });
    await expect(bootGuest(env, copy)).resolves.toMatchObject({ rootDevice: expect.any(String) as string });
  });

  it('is refused a backup of a file system with inline_data, in which debugfs does not remove names', async () => {
    const first = dom0.machine.disk('/dev/vg01/web1-root');
    first?.content.fs?.features.push('inline_data');
    first?.save();
    const { id } = await takeBackup(env, FIRST);
    const of = { ...copy, origin: { guest: 'web1', order: FIRST.order, backup: id } };
    await expect(originOf(env, of)).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('inline_data') as string,
    });
  });

  it('leaves no private host key on its dom0', async () => {
    await restoreVolumes(env, copy);
    expect(await env.host.files.list('/var/lib/guestflow/guests/web2')).not.toContain('role');
  });

  it('may be killed at any call, and is made whole by the next attempt', async () => {
    dom0.faults.restart();
    const before = dom0.calls.length;
    await restoreVolumes(env, copy);
    const calls = dom0.calls.slice(before);
    expect(calls.length).toBeGreaterThan(60);
    const made = Object.keys(filesOf('web2')).sort();
    let fired = 0;
    // Some of them: the matrix tries what storage does at each of its calls.
    for (const [at, call] of calls.entries()) {
      if (at % 5 !== 0) continue;
      await removeVolumes(stepEnv(dom0.host()), copy);
      dom0.faults.restart();
      dom0.faults.add({
        kind: at % 2 === 0 ? 'kill-middle' : 'kill-after',
        match: ({ kind, index }) => kind === call.kind && index === call.index,
      });
      await restoreVolumes(stepEnv(dom0.host()), copy).catch(() => undefined);
      fired += dom0.faults.fired.length;
      dom0.faults.restart();
      await restoreVolumes(stepEnv(dom0.host()), copy);
      expect(Object.keys(filesOf('web2')).sort()).toEqual(made);
      expect(filesOf('web2')['/etc/hostname']).toBe('second\n');
    }
    expect(fired).toBeGreaterThan(12);
  });

  it.each([
    ['a disk that is too small, with numbers', { size: { diskBytes: 1024 * MiB } }, 'InvalidInput', /2 GiB.*1 GiB.*1 GiB too little/],
    [
      'a backup that is not there',
      { origin: { guest: 'web1', order: FIRST.order, backup: '20200101T000000Z' } },
      'NotFound',
      /has no backup/,
    ],
    ['a backup of another order', { origin: { guest: 'web1', order: 'somebody-else', backup: '' } }, 'NotFound', /has no backup/],
    ['a guest that has none', { origin: { guest: 'web9', order: FIRST.order, backup: '' } }, 'NotFound', /has no backup/],
  ])('is refused %s, before anything is made', async (_, changes, type, words) => {
    const { size = copy.size, origin = copy.origin } = changes as Partial<GuestSpec>;
    const wrong = {
      ...copy,
      size: { ...copy.size, ...size },
      origin: { guest: '', order: '', ...origin, backup: origin?.backup || (copy.origin?.backup ?? '') },
    };
    await expect(originOf(env, wrong)).rejects.toMatchObject({ type, message: expect.stringMatching(words) as string });
    const { network, ...order } = wrong;
    await expect(planGuest(stepEnv(env.host), { order: { ...order, network: {} }, lease: network })).rejects.toMatchObject({ type });
    expect(dom0.machine.disk('/dev/vg01/web2-root')).toBeUndefined();
  });
});

describe('a guest from its own backup', () => {
  const itself = async (): Promise<GuestSpec> => {
    const { id } = await takeBackup(env, FIRST);
    await destroyGuest(env, FIRST);
    await removeVolumes(env, FIRST);
    return { ...FIRST, origin: { guest: 'web1', order: FIRST.order, backup: id, isItself: true } };
  };

  it('is the machine that it was: file system, host key, machine-id, names; also where nothing could be made another one', async () => {
    const first = dom0.machine.disk('/dev/vg01/web1-root');
    first?.content.fs?.features.push('inline_data');
    first?.save();
    const { uuid, files } = structuredClone(first?.content.fs) ?? {};
    await restoreVolumes(env, await itself());
    const fs = dom0.machine.disk('/dev/vg01/web1-root')?.content.fs;
    expect(files).toHaveProperty(['/etc/machine-id']);
    expect([fs?.uuid, fs?.files]).toEqual([uuid, files]);
  });

  it('may be killed at any call, and is made whole by the next attempt', async () => {
    const of = await itself();
    dom0.faults.restart();
    const before = dom0.calls.length;
    await restoreVolumes(env, of);
    const calls = dom0.calls.slice(before);
    const made = filesOf('web1');
    expect(Object.keys(made).length).toBeGreaterThan(5);
    let fired = 0;
    for (const [at, call] of calls.entries()) {
      await removeVolumes(stepEnv(dom0.host()), of);
      dom0.faults.restart();
      dom0.faults.add({
        kind: at % 2 === 0 ? 'kill-middle' : 'kill-after',
        match: ({ kind, index }) => kind === call.kind && index === call.index,
      });
      await restoreVolumes(stepEnv(dom0.host()), of).catch(() => undefined);
      fired += dom0.faults.fired.length;
      dom0.faults.restart();
      await restoreVolumes(stepEnv(dom0.host()), of);
      expect(filesOf('web1')).toEqual(made);
    }
    expect(fired).toBeGreaterThan(10);
  });
});
