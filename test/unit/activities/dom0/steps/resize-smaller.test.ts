/** A disk that becomes smaller, on the fake dom0: what fits, and what is left when the worker is killed at any instruction. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { growDisk, reduceDisk, tryReducing } from '../../../../../activities/dom0/steps/resize-disk.ts';
import { bootGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { findDomain } from '../../../../../activities/dom0/toolstack/xl/xl.ts';
import { GiB, MiB } from '../../../../../contract/sizes.ts';
import { WorkerKilled, type DomainState, type FakeDom0 } from '../../../../../fake/index.ts';
import type { Host } from '../../../../../system/host.ts';
import { fakeDom0, onVolumes, spec, stepEnv } from './support.ts';

const guest = spec();
const SMALL = guest.size.diskBytes;
const LARGE = SMALL + GiB;
const DEVICE = `/dev/vg01/${guest.name}-root`;
let dom0: FakeDom0;

async function withLargeDisk(): Promise<void> {
  dom0 = await fakeDom0();
  await onVolumes(dom0.host(), guest);
  await growDisk(stepEnv(dom0.host()), { ref: guest, bytes: LARGE });
}
beforeEach(withLargeDisk);
afterEach(() => {
  expect(dom0.unknown).toEqual([]);
  dom0.close();
});

const reduce = (host: Host = dom0.host(), bytes = SMALL): Promise<void> => reduceDisk(stepEnv(host), { ref: guest, bytes });
const look = (bytes = SMALL): Promise<void> => tryReducing(stepEnv(dom0.host()), { ref: guest, bytes });
const volumes = (): DomainState['volumes'] => dom0.snapshot().volumes;
const root = (): DomainState['volumes'][number] | undefined => volumes().find(({ name }) => name === `${guest.name}-root`);
const fsBytes = (): number | undefined => dom0.machine.disk(DEVICE)?.content.fs?.bytes;
const use = (bytes: number): void => {
  dom0.machine.disk(DEVICE)!.content.fs!.usedBytes = bytes;
};

describe('a smaller disk', () => {
  it('has a smaller file system on it, and what was cut off holds nothing of the guest', async () => {
    await bootGuest(stepEnv(dom0.host()), guest);
    await reduce();
    await reduce();
    expect(root()).toMatchObject({ bytes: SMALL, damaged: false, residue: [] });
    expect(fsBytes()).toBe(SMALL);
    expect(dom0.snapshot().freeResidue).not.toContain(guest.name);
    expect(await findDomain(dom0.host(), guest.name)).toBeUndefined();
  });

  it('is cut only when its file system was looked through at its new size, and wiped before', async () => {
    const from = dom0.calls.length;
    await reduce();
    const tools = dom0.calls
      .slice(from)
      .map(({ tool, args }) => (tool === 'resize2fs' || tool === 'e2fsck' ? `${tool} ${args.join(' ')}` : tool));
    expect(tools.filter((tool) => /e2fsck|resize2fs|blkdiscard|lvreduce/.test(tool))).toEqual([
      `e2fsck -f -p ${DEVICE}`,
      `resize2fs -P ${DEVICE}`,
      `resize2fs ${DEVICE} ${String(SMALL / 1024)}K`,
      `e2fsck -f -n ${DEVICE}`,
      'blkdiscard',
      'lvreduce',
    ]);
  });

  it('is refused with the least size that fits, on a snapshot and on the disk itself, before anything is changed', async () => {
    use(SMALL);
    const before = volumes();
    for (const refused of [look, reduce])
      await expect(refused()).rejects.toMatchObject({
        type: 'InvalidInput',
        retryable: false,
        message: expect.stringMatching(/cannot become .*its file system needs .* at least /) as string,
        details: { field: 'disk', mend: expect.stringMatching(/or more$/) as string },
      });
    expect(volumes()).toEqual(before);
    expect(fsBytes()).toBe(LARGE);
  });

  it('leaves room to spare: a twentieth of the content', async () => {
    const fits = async (used: number): Promise<boolean> => {
      use(used);
      return look().then(
        () => true,
        () => false,
      );
    };
    // The fake's resize2fs estimates a tenth more than is used.
    expect(await fits(SMALL / 1.05 / 1.1 - MiB)).toBe(true);
    expect(await fits(SMALL / 1.04 / 1.1)).toBe(false);
  });

  it('carries no mark of an undo that could not finish when it is asked for again', async () => {
    await reduce();
    dom0.faults.add({ kind: 'fail-always', exitCode: 5, match: (call) => call.tool === 'lvextend' });
    await expect(growDisk(stepEnv(dom0.host()), { ref: guest, bytes: LARGE })).rejects.toThrow(/lvextend/);
    expect(root()?.tags.join(' ')).toContain('grown-from');
    await reduce();
    expect(root()?.tags.join(' ')).not.toContain('grown-from');
  });

  it('is tried without a look at its content if its file system ends there already, as after an undo that could not finish', async () => {
    await reduce();
    use(SMALL);
    await look();
  });

  it('is tried while the guest goes on, and no snapshot is left', async () => {
    await bootGuest(stepEnv(dom0.host()), guest);
    const before = volumes();
    await look();
    expect(volumes()).toEqual(before);
    expect(await findDomain(dom0.host(), guest.name)).toBeDefined();
  });

  it('is not tried on a file system that e2fsck does not mend', async () => {
    dom0.machine.disk(DEVICE)!.content.fs!.damaged = true;
    const before = volumes();
    await expect(look()).rejects.toThrow(/e2fsck ended with exit code 4/);
    await expect(reduce()).rejects.toThrow(/e2fsck ended with exit code 4/);
    expect(volumes()).toEqual(before);
  });
});

describe('a worker that is killed at any instruction of it', () => {
  /** Each process of an undisturbed run, and what is left if the worker is killed there. */
  async function killedAt(index: number, kind: 'kill-before' | 'kill-middle' | 'kill-after'): Promise<void> {
    dom0.close();
    await withLargeDisk();
    dom0.faults.restart();
    dom0.faults.add({ kind, match: index });
    await expect(reduce(dom0.host())).rejects.toBeInstanceOf(WorkerKilled);
    dom0.powerCut();
    // The disk never ends before its file system does.
    expect(root()?.bytes).toBeGreaterThanOrEqual(fsBytes() ?? Infinity);
    expect(root()?.damaged).toBe(false);
  }

  it('leaves a whole file system on a disk that it fits on; the next attempt goes on, and the undo brings the former size back', async () => {
    dom0.faults.restart();
    await reduce();
    const calls = dom0.faults.counts.process;
    expect(calls).toBeGreaterThan(10);
    for (let index = 0; index < calls; index += 1)
      for (const kind of ['kill-before', 'kill-middle', 'kill-after'] as const) {
        await killedAt(index, kind);
        await reduce(dom0.host());
        expect(root()).toMatchObject({ bytes: SMALL, damaged: false, residue: [] });
        expect(fsBytes()).toBe(SMALL);
        expect(dom0.snapshot().freeResidue).not.toContain(guest.name);
        await killedAt(index, kind);
        await growDisk(stepEnv(dom0.host()), { ref: guest, bytes: LARGE });
        expect(root()).toMatchObject({ bytes: LARGE, damaged: false });
        expect(fsBytes()).toBe(LARGE);
      }
  }, 120_000);
});
