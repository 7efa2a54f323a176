/** A disk that is made larger, and back, on the fake dom0: what can come between. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../../../../../system/host.ts';
import { findDomain } from '../../../../../activities/dom0/toolstack/xl/xl.ts';
import { createDomain } from '../../../../../activities/dom0/toolstack/xl/xl-create.ts';
import { enableAutostart } from '../../../../../activities/dom0/steps/autostart.ts';
import { bootGuest, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { growDisk, shrinkDisk } from '../../../../../activities/dom0/steps/resize-disk.ts';
import { GiB, MiB } from '../../../../../contract/sizes.ts';
import { WorkerKilled, type DomainState, type FakeDom0 } from '../../../../../fake/index.ts';
import { installClocks, withClock } from '../../../../faults/clock.ts';
import { fakeDom0, onVolumes, spec, stepEnv } from './support.ts';

const guest = spec();
const SMALL = guest.size.diskBytes;
const LARGE = SMALL + GiB;
const DEVICE = `/dev/vg01/${guest.name}-root`;
let dom0: FakeDom0;

beforeEach(async () => {
  dom0 = await fakeDom0();
  dom0.state.freeResidue = ['former-tenant'];
  await onVolumes(dom0.host(), guest);
});
afterEach(() => {
  dom0.close();
});

const grow = (host: Host = dom0.host(), bytes = LARGE): Promise<void> => growDisk(stepEnv(host), { ref: guest, bytes });
const shrink = (host: Host = dom0.host()): Promise<void> => shrinkDisk(stepEnv(host), { ref: guest, bytes: SMALL });
const root = (): DomainState['volumes'][number] | undefined => dom0.snapshot().volumes.find(({ name }) => name === `${guest.name}-root`);
const fsBytes = (): number | undefined => dom0.machine.disk(DEVICE)?.content.fs?.bytes;
const isOn = async (): Promise<boolean> => (await findDomain(dom0.host(), guest.name)) !== undefined;
const isMarked = (): boolean => root()?.tags.some((tag) => tag.startsWith('guestflow.grown-from=')) === true;

/** The worker is killed when this tool has done its work; then the dom0 loses its power, and xendomains starts the guest. */
async function cutAfter(tool: string, work: (host: Host) => Promise<void>): Promise<void> {
  await enableAutostart(stepEnv(dom0.host()), guest);
  dom0.faults.add({ kind: 'kill-after', match: (call) => call.tool === tool });
  await expect(work(dom0.host())).rejects.toBeInstanceOf(WorkerKilled);
  dom0.powerCut();
  expect(await isOn()).toBe(true);
}

function breakTool(tool: string): void {
  dom0.faults.add({ kind: 'fail-always', exitCode: 4, match: (call) => call.tool === tool });
}

describe('a guest that xendomains has started again', () => {
  it('is stopped for its disk to grow', async () => {
    await cutAfter('lvextend', grow);
    await grow();
    expect(await isOn()).toBe(false);
    expect(root()).toMatchObject({ bytes: LARGE, damaged: false, residue: [] });
    expect(fsBytes()).toBe(LARGE);
    expect(isMarked()).toBe(false);
  });

  it('is stopped for the undo', async () => {
    await cutAfter('resize2fs', grow);
    await shrink();
    expect(await isOn()).toBe(false);
    expect(root()).toMatchObject({ bytes: SMALL, damaged: false });
    expect(fsBytes()).toBe(SMALL);
  });

  it.each([
    ['as far as it goes', LARGE],
    ['by a part', SMALL + GiB / 2],
  ])('and has grown its file system meanwhile, %s, loses nothing of it', async (_how, bytes) => {
    await cutAfter('lvextend', grow);
    dom0.machine.disk(DEVICE)!.content.fs!.bytes = bytes;
    await grow();
    expect(root()).toMatchObject({ bytes: LARGE, damaged: false });
    expect(fsBytes()).toBe(LARGE);
    expect(isMarked()).toBe(false);
  });

  it('and has grown its file system meanwhile gets it back smaller by the undo', async () => {
    await cutAfter('lvextend', grow);
    dom0.machine.disk(DEVICE)!.content.fs!.bytes = LARGE;
    await shrink();
    expect(root()).toMatchObject({ bytes: SMALL, damaged: false });
    expect(isMarked()).toBe(false);
  });
});

describe('a size that is not made of whole extents, as in a volume group whose extents are larger than 4 MiB', () => {
  const ODD = LARGE - MiB;

  it.each(['lvextend', 'resize2fs'])('is grown to, also by an attempt after one that was killed after %s', async (tool) => {
    dom0.faults.add({ kind: 'kill-after', match: (call) => call.tool === tool });
    await expect(grow(dom0.host(), ODD)).rejects.toBeInstanceOf(WorkerKilled);
    await grow(dom0.host(), ODD);
    expect(root()).toMatchObject({ bytes: LARGE, damaged: false, residue: [] });
    expect(fsBytes()).toBe(LARGE);
    expect(isMarked()).toBe(false);
  });

  it('is gone back to by the undo of a change that came to no extent', async () => {
    await grow(dom0.host(), ODD);
    await grow(dom0.host(), LARGE);
    await shrinkDisk(stepEnv(dom0.host()), { ref: guest, bytes: ODD });
    expect(root()).toMatchObject({ bytes: LARGE, damaged: false });
    expect(fsBytes()).toBe(LARGE);
  });

  it('is no way to a smaller disk', async () => {
    await grow(dom0.host(), LARGE);
    await expect(grow(dom0.host(), LARGE - 4 * MiB)).rejects.toThrow(/it cannot become smaller/);
  });
});

describe('a file system that e2fsck does not mend', () => {
  it('stays on the volume that it has, and the undo has nothing to do', async () => {
    breakTool('e2fsck');
    await expect(grow()).rejects.toThrow(/e2fsck ended with exit code 4/);
    expect(root()).toMatchObject({ bytes: SMALL });
    expect(isMarked()).toBe(false);
    await shrink();
    expect(root()).toMatchObject({ bytes: SMALL });
  });

  it('does not stop the undo of a volume that had grown around it', async () => {
    dom0.faults.add({ kind: 'kill-after', match: (call) => call.tool === 'lvextend' });
    await expect(grow()).rejects.toBeInstanceOf(WorkerKilled);
    breakTool('e2fsck');
    await shrink();
    expect(root()).toMatchObject({ bytes: SMALL, damaged: false });
    expect(fsBytes()).toBe(SMALL);
    expect(isMarked()).toBe(false);
  });
});

describe('a file system that may be half grown', () => {
  it('is left as it is, with all of its volume, when e2fsck does not mend it', async () => {
    dom0.faults.add({ kind: 'kill-before', match: (call) => call.tool === 'resize2fs' });
    await expect(grow()).rejects.toBeInstanceOf(WorkerKilled);
    dom0.machine.disk(DEVICE)!.content.fs!.damaged = true;
    const before = root();
    const wiped = dom0.calls.filter(({ tool }) => tool === 'blkdiscard').length;
    await expect(shrink()).rejects.toThrow(/e2fsck ended with exit code 4/);
    expect(root()).toEqual(before);
    expect(dom0.calls.filter(({ tool }) => tool === 'blkdiscard')).toHaveLength(wiped);
  });
});

describe('resize2fs', () => {
  it('is never ended in the middle: a cancel is heeded when it has done its work', async () => {
    const controller = new AbortController();
    dom0.faults.add({
      kind: 'wait',
      match: (call) => call.tool === 'resize2fs',
      get until() {
        controller.abort();
        return Promise.resolve();
      },
    });
    await expect(growDisk(stepEnv(dom0.host(), controller.signal), { ref: guest, bytes: LARGE })).rejects.toThrow(/abort/i);
    expect(dom0.calls.find(({ tool, args }) => tool === 'resize2fs' && args[0] === DEVICE)?.outcome).toBe('ok');
    expect(fsBytes()).toBe(LARGE);
  });

  it('does not begin when it was cancelled before', async () => {
    const before = dom0.calls.filter(({ tool }) => tool === 'resize2fs').length;
    await expect(growDisk(stepEnv(dom0.host(), AbortSignal.abort()), { ref: guest, bytes: LARGE })).rejects.toThrow();
    expect(dom0.calls.filter(({ tool }) => tool === 'resize2fs')).toHaveLength(before);
  });
});

describe('a volume that somebody else uses', () => {
  /** The guest's disk in a domain of another name. */
  async function rescued(): Promise<void> {
    const host = dom0.host();
    const cfg = String(await host.files.read(`/etc/xen/${guest.name}.cfg`))
      .replace(`"${guest.name}"`, '"rescue"')
      .replace(`'${guest.name}'`, "'rescue'");
    await host.files.writeAtomic('/etc/xen/rescue.cfg', cfg);
    await createDomain(host, '/etc/xen/rescue.cfg');
    expect(await findDomain(host, 'rescue')).toBeDefined();
  }

  it.each([
    ['grown', grow],
    ['shrunk', shrink],
  ])('is not %s', async (how, work) => {
    installClocks();
    if (how === 'shrunk') await grow();
    await rescued();
    const before = root();
    const checks = dom0.calls.filter(({ tool }) => tool === 'e2fsck').length;
    await withClock({ aheadMs: 0 }, () =>
      expect(work()).rejects.toMatchObject({
        type: 'ToolFailed',
        retryable: true,
        message: expect.stringMatching(/in use though guest1 is off/) as string,
      }),
    );
    expect(root()).toEqual(before);
    expect(dom0.calls.filter(({ tool }) => tool === 'e2fsck')).toHaveLength(checks);
  });
});

it('a guest that runs is stopped properly, grown and shrunk, as often as it is asked', async () => {
  await bootGuest(stepEnv(dom0.host()), guest);
  await grow();
  await grow();
  expect(root()).toMatchObject({ bytes: LARGE, damaged: false, residue: [] });
  await bootGuest(stepEnv(dom0.host()), guest);
  await shrink();
  await shrink();
  expect(root()).toMatchObject({ bytes: SMALL, damaged: false, residue: [] });
  expect(await stopGuest(stepEnv(dom0.host()), guest)).toEqual({ how: 'was off' });
});
