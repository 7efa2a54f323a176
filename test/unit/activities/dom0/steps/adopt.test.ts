/** What is found on the fake dom0 of a guest that Temporal does not know. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { findGuest } from '../../../../../activities/dom0/steps/adopt.ts';
import { ensureGoldenRoot } from '../../../../../activities/dom0/images/golden-root.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { enableAutostart } from '../../../../../activities/dom0/steps/autostart.ts';
import { bootGuest, pauseGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { bootRescue, makeRescue } from '../../../../../activities/dom0/steps/rescue.ts';
import { exchangeDisks, fillRestored } from '../../../../../activities/dom0/steps/restore.ts';
import { setAsideVolumes } from '../../../../../activities/dom0/steps/set-aside.ts';
import { RESCUE_BYTES, rescueOf } from '../../../../../contract/rescue.ts';
import { recordText } from '../../../../../activities/dom0/backup/record.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, dom0With, settings, spec } from './support.ts';

const guest = spec();
const ref = { name: guest.name, order: guest.order, dom0: guest.dom0 };
let dom0: FakeDom0;
let env: StepEnv;
beforeEach(async (): Promise<void> => {
  ({ dom0, env } = await dom0With(guest));
});
afterEach(() => closeKnowing(dom0));

describe('a guest on its dom0', () => {
  it('is found as it was ordered, with its backups, and nothing there is changed', async (): Promise<void> => {
    const { id } = await takeBackup(env, guest);
    const before = dom0.snapshot();
    expect(await findGuest(env, ref)).toMatchObject({ spec: guest, phase: 'stopped', backups: [{ id, state: 'verified' }], warnings: [] });
    expect(dom0.snapshot()).toEqual(before);
  });

  it.each([
    ['running', (): Promise<unknown> => bootGuest(env, guest)],
    ['running', (): Promise<unknown> => enableAutostart(env, guest)],
    [
      'suspended',
      async (): Promise<void> => {
        await bootGuest(env, guest);
        await pauseGuest(env, guest);
      },
    ],
  ] as const)('is %s by its domain, or by the link that starts it', async (phase, make) => {
    await takeBackup(env, guest);
    await make();
    expect((await findGuest(env, ref)).phase).toBe(phase);
  });

  it('has the disk that is there, and the one of before a restore beside it', async (): Promise<void> => {
    const { id } = await takeBackup(env, guest);
    await fillRestored(env, { ref, id });
    await exchangeDisks(env, { ref, spare: 'restored' });
    const disk = await env.storage.find(ref, 'root');
    await env.storage.grow(disk, disk.bytes + 2 ** 30);
    await env.storage.settle(disk);
    const { spec: found, formerBytes } = await findGuest(env, ref);
    expect([found.size.diskBytes, formerBytes]).toEqual([guest.size.diskBytes + 2 ** 30, guest.size.diskBytes]);
  });

  it('is in its rescue system by the disk of that, or has one that is left', async (): Promise<void> => {
    await takeBackup(env, guest);
    await ensureGoldenRoot(env, guest);
    const system = rescueOf(guest, { sshKeys: [] });
    await makeRescue(env, system);
    expect(await findGuest(env, ref)).toMatchObject({ phase: 'stopped', rescueBytes: RESCUE_BYTES });
    await bootRescue(env, system);
    expect(await findGuest(env, ref)).toMatchObject({ phase: 'rescue', rescueBytes: RESCUE_BYTES });
  });

  it('whose cfg was changed since its last backup is found with a warning of what differs', async (): Promise<void> => {
    await takeBackup(env, guest);
    const path = env.toolstack.cfgPath('guest1');
    dom0.machine.writeText(path, dom0.machine.readText(path)!.replace(/memory\s*=\s*\S+/, 'memory = 1024'));
    expect((await findGuest(env, ref)).warnings).toEqual([
      expect.stringMatching(/^\/etc\/xen\/guest1\.cfg: memory \(KiB\) is 1048576, not 524288, as the record of backup \d{8}T\d{6}Z says$/),
    ]);
  });

  it.each([
    ['has no backup', 'NotFound', (): Promise<unknown> => Promise.resolve()],
    [
      'has backups of another order only',
      'NotFound',
      async (): Promise<void> => {
        const { key } = await takeBackup(env, guest);
        const path = env.repository.container({ key }).title.replace('.img.zst', '.json');
        const { recordSha256: _sum, ...record } = JSON.parse(String(await env.host.files.read(path))) as Record<string, unknown>;
        await env.host.files.writeAtomic(path, recordText({ ...record, order: 'another' }));
      },
    ],
    [
      'was terminated: its disks are set aside',
      'NotFound',
      async (): Promise<void> => {
        await takeBackup(env, guest);
        await setAsideVolumes(env, ref);
      },
    ],
    [
      'has lost its cfg',
      'NotFound',
      async (): Promise<void> => {
        await takeBackup(env, guest);
        await env.toolstack.removeCfg('guest1');
      },
    ],
    [
      'has the cfg of another order',
      'NotOurs',
      async (): Promise<void> => {
        await takeBackup(env, guest);
        const path = env.toolstack.cfgPath('guest1');
        dom0.machine.writeText(path, dom0.machine.readText(path)!.replace('order=order-guest1', 'order=another'));
      },
    ],
    [
      'has a record that does not say what a guest needs',
      'InvalidInput',
      async (): Promise<void> => {
        const { key } = await takeBackup(env, guest);
        const path = env.repository.container({ key }).title.replace('.img.zst', '.json');
        const { recordSha256: _sum, ...record } = JSON.parse(String(await env.host.files.read(path))) as { spec: object } & Record<
          string,
          unknown
        >;
        await env.host.files.writeAtomic(path, recordText({ ...record, spec: { ...record.spec, network: { ip: '; rm -rf /' } } }));
      },
    ],
  ] as const)('that %s is refused with %s', async (_, type, make) => {
    await make();
    await expect(findGuest(env, ref)).rejects.toMatchObject({ type });
  });

  it('of another dom0, whose directory of backups was copied here, is refused', async (): Promise<void> => {
    await takeBackup(env, guest);
    await expect(findGuest(env, { ...ref, dom0: `${settings().host}-2` })).rejects.toMatchObject({ type: 'NotOurs' });
  });
});
