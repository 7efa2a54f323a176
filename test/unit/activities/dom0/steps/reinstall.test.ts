/** A guest's system made anew beside the one that it runs from, and how dom0 knows the guest then, on the fake dom0. */
import { afterEach, describe, expect, it } from 'vitest';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ensureGoldenRoot } from '../../../../../activities/dom0/images/golden-root.ts';
import { bootGuest, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { fillReinstalled, recogniseGuest } from '../../../../../activities/dom0/steps/reinstall.ts';
import { dropDisk, exchangeDisks } from '../../../../../activities/dom0/steps/restore.ts';
import { sealGuest } from '../../../../../activities/dom0/steps/seal.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import { WorkerKilled, type FakeDom0 } from '../../../../../fake/index.ts';
import { changed } from '../../../../an-order.ts';
import { closeKnowing, dom0With, spec, stepEnv } from './support.ts';

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
const keyFiles = (): string[] => stateFiles().flatMap((path) => /\/((?:provision|spare)_key.*)$/.exec(path)?.[1] ?? []);

/** A guest that runs; sealed, if it is not managed. */
async function running(guest: GuestSpec): Promise<GuestSpec> {
  ({ dom0, env } = await dom0With(guest));
  await bootGuest(env, guest);
  await sealGuest(env, guest);
  await ensureGoldenRoot(env, guest);
  return changed(guest, { os: { recipe: 'direct' }, access: { sshKeys: [KEY] } });
}

/** One that is off, on a disk that was made anew. */
async function exchanged(guest: GuestSpec): Promise<GuestSpec> {
  const anew = await running(guest);
  await fillReinstalled(env, anew);
  await exchangeDisks(env, { ref: guest, spare: 'restored' });
  return anew;
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
    await recogniseGuest(env, { spec: anew, isJustMade: true });
    await recogniseGuest(env, { spec: anew, isJustMade: true });
    expect(known()).toContain(keyOf(made?.[HOST_KEY]));
    expect(hasKey()).toBe(true);
    await bootGuest(env, anew);
    expect(await sealGuest(env, anew)).toEqual({ sealed: true });
    expect(fsOf('guest1-former')?.files[HOST_KEY]).toContain(before.hostKey);
    await exchangeDisks(env, { ref: guest, spare: 'former' });
    await recogniseGuest(env, { spec: guest });
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
    await recogniseGuest(env, { spec: anew, isJustMade: true });
    await exchangeDisks(env, { ref: guest, spare: 'former' });
    await recogniseGuest(env, { spec: guest });
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
    await recogniseGuest(env, { spec: anew, isJustMade: true });
    await bootGuest(env, anew);
    expect(await sealGuest(env, anew)).toEqual({ sealed: false });
    expect(dom0.machine.readText(`${STATE}/provision_key.pub`)).toBe(key);
  });

  it('leaves it known as it was where the disk says nothing of use', async () => {
    const guest = spec();
    await running(guest);
    const before = known();
    const fs = fsOf('guest1-root');
    if (fs === undefined) throw new Error('it has no root disk');
    fs.files[HOST_KEY] = 'ssh-ed25519 no key at all\n10.0.0.1 ssh-rsa AAAA\n';
    await stopGuest(env, guest);
    await recogniseGuest(env, { spec: guest });
    expect(known()).toBe(before);
  });

  it('that is not sound, or says nothing of use, is made again: it is no tenant who has done that', async () => {
    const guest = spec();
    const anew = await exchanged(guest);
    const made = fsOf('guest1-root');
    if (made === undefined) throw new Error('it has no root disk');
    made.damaged = true;
    await expect(recogniseGuest(env, { spec: anew, isJustMade: true })).rejects.toThrow(/e2fsck ended with exit code 4/);
    made.damaged = false;
    const { [HOST_KEY]: line = '', ...others } = made.files;
    made.files = others;
    await expect(recogniseGuest(env, { spec: anew, isJustMade: true })).rejects.toThrow(/guest1-root.* has no host key/);
    made.files = { ...others, [HOST_KEY]: line, '/root/.ssh/authorized_keys': '' };
    await expect(recogniseGuest(env, { spec: anew, isJustMade: true })).rejects.toThrow(/is not opened by the provisioning key/);
  });

  it('that is given up leaves no key, even if the disk of before is not sound: its tenant may have done that', async () => {
    const guest = spec();
    const anew = await running(guest);
    const before = stateFiles();
    await fillReinstalled(env, anew);
    await exchangeDisks(env, { ref: guest, spare: 'restored' });
    await recogniseGuest(env, { spec: anew, isJustMade: true });
    await exchangeDisks(env, { ref: guest, spare: 'former' });
    const former = fsOf('guest1-root');
    if (former === undefined) throw new Error('it has no root disk');
    former.damaged = true;
    await recogniseGuest(env, { spec: guest });
    expect(hasKey()).toBe(false);
    await dropDisk(env, { ref: guest, role: 'restored' });
    expect(stateFiles()).toEqual(before);
  });

  it('waits for e2fsck where that has not said what the disk of before is like', async () => {
    const guest = spec();
    await running(guest);
    await stopGuest(env, guest);
    dom0.faults.add({ kind: 'fail', exitCode: 2, match: ({ tool }) => tool === 'e2fsck' });
    await expect(recogniseGuest(env, { spec: guest })).rejects.toThrow(/e2fsck ended with exit code 2/);
  });
});

describe('a worker that is killed at any instruction', () => {
  const KILLS = ['kill-before', 'kill-middle', 'kill-after'] as const;

  /** Runs the work with the worker killed at each of its processes and changes of files in turn, and asks afterwards. */
  async function killedAnywhere(begin: () => Promise<() => Promise<unknown>>, afterwards: (place: string) => Promise<void>): Promise<void> {
    const undisturbed = await begin();
    dom0.faults.restart();
    await undisturbed();
    const { counts } = dom0.faults;
    for (const of of ['process', 'file'] as const)
      for (let index = 0; index < counts[of]; index += 1)
        for (const kind of KILLS) {
          dom0.close();
          const work = await begin();
          dom0.faults.restart();
          dom0.faults.add({ kind, match: (call) => call.kind === of && call.index === index });
          await expect(work()).rejects.toBeInstanceOf(WorkerKilled);
          dom0.powerCut();
          dom0.faults.restart();
          env = stepEnv(dom0.host());
          await afterwards(`${kind} of ${of} ${String(index)}`);
        }
  }

  it('while it makes the disk leaves nothing that does not go with it', async () => {
    const guest = spec();
    let before: string[] = [];
    await killedAnywhere(
      async () => {
        const anew = await running(guest);
        before = stateFiles();
        return () => fillReinstalled(env, anew);
      },
      async (place) => {
        await dropDisk(env, { ref: guest, role: 'restored' });
        expect(stateFiles(), place).toEqual(before);
        expect(dom0.machine.volume('guest1-restored'), place).toBeUndefined();
      },
    );
  }, 240_000);

  it('while it learns how a guest is known learns it when it is asked again, and forgets it when that is undone', async () => {
    const guest = spec();
    let anew = guest;
    let [before, knownBefore]: [string[], string] = [[], ''];
    await killedAnywhere(
      async () => {
        anew = await running(guest);
        [before, knownBefore] = [stateFiles(), known()];
        await fillReinstalled(env, anew);
        await exchangeDisks(env, { ref: guest, spare: 'restored' });
        return () => recogniseGuest(env, { spec: anew, isJustMade: true });
      },
      async (place) => {
        await recogniseGuest(env, { spec: anew, isJustMade: true });
        expect(known(), place).toContain(keyOf(fsOf('guest1-root')?.files[HOST_KEY]));
        expect(keyFiles(), place).toEqual(['provision_key', 'provision_key.pub']);
        await exchangeDisks(env, { ref: guest, spare: 'former' });
        await recogniseGuest(env, { spec: guest });
        expect(keyFiles(), place).toEqual(['spare_key', 'spare_key.pub']);
        await dropDisk(env, { ref: guest, role: 'restored' });
        expect([stateFiles(), known()], place).toEqual([before, knownBefore]);
      },
    );
  }, 240_000);

  it('while it puts a key aside puts it aside when it is asked again', async () => {
    const guest = spec();
    await killedAnywhere(
      async () => {
        await exchanged(guest).then((anew) => recogniseGuest(env, { spec: anew, isJustMade: true }));
        await exchangeDisks(env, { ref: guest, spare: 'former' });
        return () => recogniseGuest(env, { spec: guest });
      },
      async (place) => {
        await recogniseGuest(env, { spec: guest });
        expect(keyFiles(), place).toEqual(['spare_key', 'spare_key.pub']);
      },
    );
  }, 240_000);
});
