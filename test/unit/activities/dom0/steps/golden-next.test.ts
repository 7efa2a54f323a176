/** The renewal of golden images on the fake dom0: what waits beside what is in use, and takes its place when it is whole. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ensureGolden, goldenRecord } from '../../../../../activities/dom0/images/golden.ts';
import { halfMadeGolden } from '../../../../../activities/dom0/images/golden-half.ts';
import {
  bringBackGolden,
  discardNext,
  listGolden,
  renewGoldenRoot,
  renewTarball,
  useNextGolden,
} from '../../../../../activities/dom0/images/golden-next.ts';
import { ensureGoldenRoot } from '../../../../../activities/dom0/images/golden-root.ts';
import { audit } from '../../../../../activities/dom0/steps/audit.ts';
import { makeGoldenVolumes } from '../../../../../activities/dom0/steps/golden-volumes.ts';
import type { GoldenSystem } from '../../../../../contract/golden.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, fakeDom0, settings, spec, stepEnv } from './support.ts';

const DIST = 'bookworm';
const DAY_MS = 86_400_000;
const guest = spec();
let dom0: FakeDom0;
let env: StepEnv;
beforeEach(async () => {
  dom0 = await fakeDom0();
  env = stepEnv(dom0.host());
  await ensureGoldenRoot(env, guest);
});
afterEach(() => closeKnowing(dom0));

const files = (): Promise<string[]> => env.host.files.list(env.settings.goldenDir);
const made = (tool: string): number => dom0.calls.filter(({ name }) => name === tool).length;
/** As if the one in use had been made so many days ago, of other packages than today's. */
async function age(days: number): Promise<void> {
  await note({ createdAt: new Date(Date.now() - days * DAY_MS).toISOString() });
}

/** Changes all records. */
async function note(change: object): Promise<void> {
  for (const name of (await files()).filter((each) => each.endsWith('.json'))) {
    const path = `${env.settings.goldenDir}/${name}`;
    const record = JSON.parse(String(await env.host.files.read(path))) as object;
    await env.host.files.writeAtomic(path, JSON.stringify({ ...record, ...change }), 0o600);
  }
}
async function system(): Promise<GoldenSystem> {
  const [found] = (await listGolden(env))[0]?.systems ?? [];
  if (found === undefined) throw new Error('no golden root file system was used');
  return found;
}

describe('what is golden', () => {
  it.each([
    [22, false],
    [24, true],
    [31, true],
  ])('of %i days is due: %s', async (days, isDue) => {
    await age(days);
    expect(await listGolden(env)).toMatchObject([{ dist: DIST, isDue, systems: [{ dist: DIST, timezone: guest.os.timezone }] }]);
  });

  it('goes when others were used more lately, also if nobody can read its record', async () => {
    const [root = ''] = (await files()).filter((name) => name.endsWith('.img.zst'));
    await env.host.files.writeAtomic(`${env.settings.goldenDir}/${root}.json`, 'no record', 0o600);
    for (const timezone of ['Europe/Riga', 'Europe/Oslo', 'Asia/Tokyo', 'America/Lima'])
      await ensureGoldenRoot(env, spec(undefined, undefined, { os: { timezone } }));
    expect((await files()).filter((name) => name.startsWith(root))).toEqual([]);
  });

  it('is used by orders even when its record says a system that this version does not take', async () => {
    await note({ system: { ...(await system()), diskBytes: 1 } });
    expect(await ensureGoldenRoot(env, guest)).toMatchObject({ reused: true });
  });

  it.each([
    [0, 1000, false],
    [4, 1, false],
    [4, 3, true],
  ])('is due, where it may be %i days old, after %i days: %s', async (goldenMaxAgeDays, days, isDue) => {
    env = stepEnv(dom0.host(), undefined, { ...settings(), goldenMaxAgeDays });
    await age(days);
    expect(await listGolden(env)).toMatchObject([{ isDue }]);
  });
});

describe('a renewal', () => {
  it('leaves in use what there is until it is used, and an order finds the new one then, tarball and root file system', async () => {
    await age(24);
    const before = await files();
    const { createdAt: old } = await ensureGoldenRoot(env, guest);
    const { createdAt } = await renewTarball(env, { dist: DIST });
    await renewGoldenRoot(env, { system: await system() });
    expect(await ensureGoldenRoot(env, guest)).toMatchObject({ reused: true, createdAt: old });
    expect((await files()).length).toBe(2 * before.length);
    expect(await useNextGolden(env, { dist: DIST })).toEqual({ createdAt });
    expect((await files()).filter((name) => name.includes('.next.'))).toEqual([]);
    const tools = [made('mmdebstrap'), made('xen-create-image')];
    expect(await ensureGolden(env, guest.os)).toMatchObject({ reused: true, createdAt });
    const found = await ensureGoldenRoot(env, guest);
    expect([found.reused, found.createdAt > old]).toEqual([true, true]);
    expect([made('mmdebstrap'), made('xen-create-image')]).toEqual(tools);
    await makeGoldenVolumes(env, guest);
  });

  it('asked for twice makes each once, and uses it once', async () => {
    const wanted = { system: await system() };
    for (const _time of [1, 2]) {
      await renewTarball(env, { dist: DIST });
      await renewGoldenRoot(env, wanted);
    }
    expect([made('mmdebstrap'), made('xen-create-image')]).toEqual([2, 2]);
    expect(await useNextGolden(env, { dist: DIST })).toEqual(await useNextGolden(env, { dist: DIST }));
  });

  it('goes on where a switch was killed between its two renames', async () => {
    const { createdAt } = await renewTarball(env, { dist: DIST });
    dom0.faults.add({ kind: 'kill-after', match: ({ tool, args }) => tool === 'file.rename' && args[0]?.endsWith('next.tar') === true });
    await expect(useNextGolden(env, { dist: DIST })).rejects.toThrow();
    dom0.faults.restart();
    env = stepEnv(dom0.host());
    expect(await useNextGolden(env, { dist: DIST })).toEqual({ createdAt });
    expect((await files()).filter((name) => name.includes('.next.'))).toEqual([]);
    expect(await ensureGolden(env, guest.os)).toMatchObject({ reused: true, createdAt });
  });

  it('that is given up leaves what is in use, and nothing else', async () => {
    const before = await files();
    await renewTarball(env, { dist: DIST });
    await renewGoldenRoot(env, { system: await system() });
    await discardNext(env, { dist: DIST });
    expect(await files()).toEqual(before);
    expect(await ensureGoldenRoot(env, guest)).toMatchObject({ reused: true });
  });

  it('that nobody ended is shown by an audit as what it is, and an undo of an order leaves it', async () => {
    await renewTarball(env, { dist: DIST });
    await renewGoldenRoot(env, { system: await system() });
    const things = (await audit(env)).filter((thing) => thing.guest === `golden/${DIST}`).map(({ what }) => what);
    expect(things).toHaveLength(3);
    expect(things).toContain(`${env.settings.goldenDir}/${DIST}.next.tar`);
    expect(await halfMadeGolden(env, DIST)).toEqual([]);
  });

  it('uses the mirror that the tarball was made from, and makes nothing for an order that was never there', async () => {
    await expect(renewTarball(env, { dist: 'trixie' })).rejects.toMatchObject({ type: 'NotFound' });
    const mirror = 'http://mirror.example.org/debian';
    await ensureGolden(env, { dist: 'trixie', mirror });
    await renewTarball(env, { dist: 'trixie' });
    await useNextGolden(env, { dist: 'trixie' });
    const record = JSON.parse(String(await env.host.files.read(`${env.settings.goldenDir}/trixie.tar.json`))) as object;
    expect(record).toMatchObject({ mirror });
  });
});

describe('the golden image of before a renewal', () => {
  const renewAll = async (): Promise<void> => {
    await renewTarball(env, { dist: DIST });
    await renewGoldenRoot(env, { system: await system() });
    await useNextGolden(env, { dist: DIST });
  };
  const formerOf = async (): Promise<string> => (await listGolden(env))[0]?.former ?? '';

  it('is kept until the next renewal, and brought back with its root file system, of which the renewed one is the former then', async () => {
    const first = await ensureGolden(env, guest.os);
    await renewAll();
    const second = await ensureGolden(env, guest.os);
    expect(await formerOf()).toBe(first.sha256);
    const tools = [made('mmdebstrap'), made('xen-create-image')];
    // Asked for twice it is brought back once.
    for (const _time of [1, 2])
      expect(await bringBackGolden(env, { dist: DIST, sha256: first.sha256 })).toEqual({ createdAt: first.createdAt });
    expect(await formerOf()).toBe(second.sha256);
    expect(await ensureGolden(env, guest.os)).toEqual({ ...first, reused: true });
    expect(await ensureGoldenRoot(env, guest)).toMatchObject({ reused: true, tarball: first.sha256 });
    expect([made('mmdebstrap'), made('xen-create-image')]).toEqual(tools);
    await renewAll();
    expect(await formerOf()).toBe(first.sha256);
    expect((await files()).filter((name) => name.endsWith('.img.zst'))).toHaveLength(2);
  });

  it('that is old is not renewed at once when it was brought back', async () => {
    await age(40);
    const sha256 = (await goldenRecord(env, DIST))?.sha256 ?? '';
    await renewAll();
    await bringBackGolden(env, { dist: DIST, sha256 });
    expect(await listGolden(env)).toMatchObject([{ isDue: false }]);
    expect(await ensureGolden(env, guest.os)).toMatchObject({ sha256, reused: true });
    expect(await ensureGoldenRoot(env, guest)).toMatchObject({ reused: true, tarball: sha256 });
  });

  it('stays in use when a switch fails halfway and is given up', async () => {
    const { sha256 } = await ensureGolden(env, guest.os);
    await renewTarball(env, { dist: DIST });
    const at =
      (name: string) =>
      ({ tool, args }: { tool: string; args: readonly string[] }) =>
        tool === 'file.rename' && args[0]?.endsWith(name) === true;
    for (const name of [`${DIST}.tar`, `${DIST}.next.tar`]) {
      dom0.faults.add({ kind: 'fail', match: at(name) });
      await expect(useNextGolden(env, { dist: DIST })).rejects.toThrow();
      dom0.faults.restart();
      await discardNext(env, { dist: DIST });
      expect(await ensureGolden(env, guest.os)).toMatchObject({ sha256, reused: true });
      await renewTarball(env, { dist: DIST });
    }
  });

  it('that there is not is refused', async () => {
    await expect(bringBackGolden(env, { dist: DIST, sha256: '0'.repeat(64) })).rejects.toMatchObject({ type: 'NotFound' });
  });
});
