/** A disk that grows while its guest runs, on the fake dom0: what the guest may see, and what is left when the worker is killed at any instruction. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { growDiskInUse, growFileSystem, undoGrowInUse } from '../../../../../activities/dom0/steps/grow-in-use.ts';
import { GROW_FS_SCRIPT } from '../../../../../activities/dom0/guests/scripts.ts';
import { sealGuest } from '../../../../../activities/dom0/steps/seal.ts';
import { findDomain } from '../../../../../activities/dom0/toolstack/xl/xl.ts';
import type { FileSystemResult } from '../../../../../contract/step-results.ts';
import { GiB } from '../../../../../contract/sizes.ts';
import { WorkerKilled, type DomainState, type FakeDom0 } from '../../../../../fake/index.ts';
import type { Host } from '../../../../../system/host.ts';
import { fakeDom0, onVolumes, spec, stepEnv } from './support.ts';

const guest = spec('guest1', '10.0.0.5', { access: { managed: true } });
const SMALL = guest.size.diskBytes;
const LARGE = SMALL + GiB;
const DEVICE = `/dev/vg01/${guest.name}-root`;
let dom0: FakeDom0;

async function running(): Promise<void> {
  dom0 = await fakeDom0();
  dom0.state.freeResidue = ['former-tenant'];
  await onVolumes(dom0.host(), guest);
  await bootGuest(stepEnv(dom0.host()), guest);
}
beforeEach(running);
afterEach(() => {
  expect(dom0.unknown).toEqual([]);
  dom0.close();
});

const grow = (host: Host = dom0.host(), bytes = LARGE): Promise<void> => growDiskInUse(stepEnv(host), { spec: guest, bytes });
const undo = (host: Host = dom0.host()): Promise<void> => undoGrowInUse(stepEnv(host), { spec: guest, bytes: SMALL });
const inGuest = (of = guest): Promise<FileSystemResult> => growFileSystem(stepEnv(dom0.host()), { spec: of, bytes: LARGE });
const own = (): DomainState['volumes'] => dom0.snapshot().volumes.filter(({ name }) => name.startsWith(`${guest.name}-`));
const root = (): DomainState['volumes'][number] | undefined => own().find(({ name }) => name === `${guest.name}-root`);
const fsBytes = (): number | undefined => dom0.machine.disk(DEVICE)?.content.fs?.bytes;
const domainId = async (): Promise<number | undefined> => (await findDomain(dom0.host(), guest.name))?.id;

describe('a disk that grows while its guest runs', () => {
  it('never shows a byte of a former tenant, and the guest goes on', async () => {
    const id = await domainId();
    await grow();
    await grow();
    expect(root()).toMatchObject({ bytes: LARGE, residue: [], damaged: false });
    expect(own()).toHaveLength(2);
    expect(fsBytes()).toBe(SMALL);
    expect(await domainId()).toBe(id);
  });

  it('has its file system grown by the guest, which says how large it is', async () => {
    await grow();
    expect(await inGuest()).toEqual({ bytes: LARGE });
    expect(fsBytes()).toBe(LARGE);
  });

  it('is left to its owner in a sealed guest, in words', async () => {
    const sealed = spec();
    await sealGuest(stepEnv(dom0.host()), sealed);
    await grow();
    expect(await inGuest(sealed)).toEqual({ left: expect.stringMatching(/guest1 was not grown: it is sealed/) as string });
    expect(fsBytes()).toBe(SMALL);
  });

  it.each([
    [31, 'is not ext4'],
    [32, 'has not seen the new size'],
    [33, 'resize2fs failed'],
  ])('is said to have kept its file system when the guest ends with %i', async (exitCode, words) => {
    await grow();
    dom0.faults.add({ kind: 'fail', exitCode, match: (call) => call.args.at(-1) === GROW_FS_SCRIPT });
    expect((await inGuest()).left).toContain(words);
  });

  it('is believed to have a larger file system only if the guest says so in numbers', async () => {
    // The guest's kernel has grown nothing: what it prints is the former size.
    await grow();
    expect(await growFileSystem(stepEnv(dom0.host()), { spec: guest, bytes: LARGE - GiB / 2 })).toEqual({ bytes: LARGE });
    expect((await growFileSystem(stepEnv(dom0.host()), { spec: guest, bytes: LARGE + GiB })).left).toContain('has not seen the new size');
  });

  it('is left as it is where there is no room, and nothing is left beside it', async () => {
    const before = own();
    await expect(grow(dom0.host(), SMALL + 1024 * GiB)).rejects.toMatchObject({ type: 'NoCapacity', details: { field: 'disk' } });
    expect(own()).toEqual(before);
  });

  it('is started if an undo that could not finish has left it off', async () => {
    await grow();
    dom0.faults.add({ kind: 'fail-always', exitCode: 5, match: (call) => call.tool === 'lvreduce' });
    await expect(undo()).rejects.toThrow(/lvreduce/);
    expect(await domainId()).toBeUndefined();
    await grow();
    expect(await domainId()).toBeDefined();
    expect(root()?.bytes).toBe(LARGE);
  });

  it('is refused while a part of it is not wiped', async () => {
    dom0.machine.volume(`${guest.name}-root`)!.tags.push(`guestflow.grown-from=${String(SMALL / 2)}`);
    await expect(grow()).rejects.toMatchObject({
      type: 'ToolFailed',
      retryable: false,
      message: expect.stringContaining('while the guest is off') as string,
    });
  });
});

describe('its undo', () => {
  it('does not touch a guest whose disk has not grown', async () => {
    const id = await domainId();
    await undo();
    expect(await domainId()).toBe(id);
    expect(root()?.bytes).toBe(SMALL);
  });

  it('makes the file system smaller again that the guest has grown, and starts the guest', async () => {
    await grow();
    await inGuest();
    await undo();
    await undo();
    expect(root()).toMatchObject({ bytes: SMALL, damaged: false });
    expect(fsBytes()).toBe(SMALL);
    expect(await domainId()).toBeDefined();
  });
});

it('a worker that is killed at any instruction leaves zeros or nothing, the next attempt goes on, and the undo leaves nothing', async () => {
  dom0.faults.restart();
  await grow();
  const calls = dom0.faults.counts.process;
  expect(calls).toBeGreaterThan(5);
  for (let index = 0; index < calls; index += 1)
    for (const kind of ['kill-before', 'kill-middle', 'kill-after'] as const)
      for (const next of [grow, undo]) {
        dom0.close();
        await running();
        dom0.faults.restart();
        dom0.faults.add({ kind, match: index });
        await expect(grow(dom0.host())).rejects.toBeInstanceOf(WorkerKilled);
        expect(root()?.residue).toEqual([]);
        await next(dom0.host());
        expect(root()).toMatchObject({ bytes: next === grow ? LARGE : SMALL, residue: [], damaged: false });
        expect(own()).toHaveLength(2);
        expect(await domainId()).toBeDefined();
      }
}, 120_000);
