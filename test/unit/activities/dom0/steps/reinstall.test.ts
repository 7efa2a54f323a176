/** A guest's system made anew beside the one that it runs from, and how dom0 knows the guest then, on the fake dom0. */
import { afterEach, describe, expect, it } from 'vitest';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ensureGoldenRoot } from '../../../../../activities/dom0/images/golden-root.ts';
import { bootGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { fillReinstalled, recogniseGuest } from '../../../../../activities/dom0/steps/reinstall.ts';
import { dropDisk, exchangeDisks } from '../../../../../activities/dom0/steps/restore.ts';
import { sealGuest } from '../../../../../activities/dom0/steps/seal.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { changed } from '../../../../an-order.ts';
import { closeKnowing, dom0With, spec } from './support.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme';
const HOST_KEY = '/etc/ssh/ssh_host_ed25519_key.pub';
const STATE = '/var/lib/guestflow/guests/guest1';

let dom0: FakeDom0;
let env: StepEnv;
afterEach(() => closeKnowing(dom0));

const fsOf = (volume: string) => dom0.machine.volume(volume)?.content.fs;
const known = (): string => dom0.machine.readText(`${STATE}/known_hosts`) ?? '';
const hasKey = (): boolean => dom0.machine.readText(`${STATE}/provision_key`) !== undefined;
const keyOf = (line = ''): string => line.split(' ')[1] ?? 'none';
const stateFiles = (): string[] =>
  Object.keys(dom0.snapshot().files)
    .filter((path) => path.startsWith(`${STATE}/`))
    .sort();

/** A guest that runs; sealed, if it is not managed. */
async function running(guest: GuestSpec): Promise<GuestSpec> {
  ({ dom0, env } = await dom0With(guest));
  await bootGuest(env, guest);
  await sealGuest(env, guest);
  await ensureGoldenRoot(env, guest);
  return changed(guest, { os: { recipe: 'direct' }, access: { sshKeys: [KEY] } });
}

describe('a system made anew', () => {
  it('takes the place of a sealed guest, which is known by its new host key, opened by guestflow until it is sealed; and back', async () => {
    const guest = spec();
    const anew = await running(guest);
    const before = { known: known(), files: stateFiles(), hostKey: keyOf(fsOf('guest1-root')?.files[HOST_KEY]) };
    await fillReinstalled(env, anew);
    // The guest goes on, and is known as it was.
    expect(await env.toolstack.find('guest1')).toMatchObject({ state: 'running' });
    expect([known(), hasKey()]).toEqual([before.known, false]);
    expect(await env.kindOf(guest).identify(guest, guest.network.ip)).toBeDefined();
    const made = fsOf('guest1-restored')?.files;
    expect(made?.['/root/.ssh/authorized_keys']).toContain(KEY);
    expect(keyOf(made?.[HOST_KEY])).not.toBe(before.hostKey);
    expect(made?.['/etc/machine-id']).toBe('');
    await exchangeDisks(env, { ref: guest, spare: 'restored' });
    await recogniseGuest(env, anew);
    await recogniseGuest(env, anew);
    expect(known()).toContain(keyOf(made?.[HOST_KEY]));
    expect(hasKey()).toBe(true);
    await bootGuest(env, anew);
    expect(await sealGuest(env, anew)).toEqual({ sealed: true });
    expect(fsOf('guest1-former')?.files[HOST_KEY]).toContain(before.hostKey);
    await exchangeDisks(env, { ref: guest, spare: 'former' });
    await recogniseGuest(env, guest);
    await bootGuest(env, guest);
    expect(known()).toBe(before.known);
    await dropDisk(env, { ref: guest, role: 'restored' });
    expect(stateFiles()).toEqual(before.files);
  });

  it('that is given up before it was sealed leaves no key behind', async () => {
    const guest = spec();
    const anew = await running(guest);
    const before = stateFiles();
    await fillReinstalled(env, anew);
    await exchangeDisks(env, { ref: guest, spare: 'restored' });
    await recogniseGuest(env, anew);
    await exchangeDisks(env, { ref: guest, spare: 'former' });
    await recogniseGuest(env, guest);
    expect(hasKey()).toBe(false);
    await dropDisk(env, { ref: guest, role: 'restored' });
    expect(stateFiles()).toEqual(before);
  });

  it('of a managed guest is opened by the same key as before', async () => {
    const guest = spec('guest1', '10.0.0.5', { access: { managed: true } });
    const anew = await running(guest);
    const key = dom0.machine.readText(`${STATE}/provision_key.pub`);
    await fillReinstalled(env, anew);
    await exchangeDisks(env, { ref: guest, spare: 'restored' });
    await recogniseGuest(env, anew);
    await bootGuest(env, anew);
    expect(await sealGuest(env, anew)).toEqual({ sealed: false });
    expect(dom0.machine.readText(`${STATE}/provision_key.pub`)).toBe(key);
  });

  it('leaves it known as it was where the disk says nothing of use, or is not sound', async () => {
    const guest = spec();
    await running(guest);
    await exchangeDisks(env, { ref: guest, spare: 'former' }).catch(() => undefined);
    const before = known();
    const fs = fsOf('guest1-root');
    if (fs === undefined) throw new Error('it has no root disk');
    fs.files[HOST_KEY] = 'ssh-ed25519 no key at all\n10.0.0.1 ssh-rsa AAAA\n';
    await recogniseGuest(env, guest);
    expect(known()).toBe(before);
  });
});
