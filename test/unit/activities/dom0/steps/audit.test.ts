/** What an audit of a dom0 finds: all that the steps leave when they are cut short anywhere, and nothing that somebody made by hand. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { guestPaths } from '../../../../guest-places.ts';
import { volumeTags } from '../../../../../activities/dom0/storage/lvm/tags.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ensureGolden } from '../../../../../activities/dom0/images/golden.ts';
import { removeBackups } from '../../../../../activities/dom0/steps/backup.ts';
import { removeCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { removeGuestState } from '../../../../../activities/dom0/steps/guest-state.ts';
import { removeImage } from '../../../../../activities/dom0/steps/create-image.ts';
import { removeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { stagingOf } from '../../../../../activities/dom0/staging.ts';
import { cfgHeader, markerText } from '../../../../../activities/dom0/marks.ts';
import { audit } from '../../../../../activities/dom0/steps/audit.ts';
import { enableAutostart } from '../../../../../activities/dom0/steps/autostart.ts';
import { bootGuest, destroyGuest, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { createImage } from '../../../../../activities/dom0/steps/create-image.ts';
import { dropImage, makeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { setAsideVolumes, bringBackVolumes } from '../../../../../activities/dom0/steps/set-aside.ts';
import { sealGuest } from '../../../../../activities/dom0/steps/seal.ts';
import { UNKNOWN_ORDER, type MarkedThing } from '../../../../../contract/dom0.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import type { DomainState, FakeDom0, FaultKind } from '../../../../../fake/index.ts';
import { asBefore } from '../../../../faults/invariants.ts';
import { fakeDom0, settings, spec, stepEnv } from './support.ts';

const GUEST = spec();
const PATHS = guestPaths(settings(), GUEST.name);
const OURS = { guest: GUEST.name, order: GUEST.order };

let dom0: FakeDom0;
afterEach(() => {
  dom0.close();
});

function look(): Promise<MarkedThing[]> {
  return audit(stepEnv(dom0.host()));
}

/** The life of a guest, from its order until it is gone. */
async function live(env: StepEnv, guest: GuestSpec): Promise<void> {
  await ensureGolden(env, { dist: guest.os.dist });
  await createImage(env, { spec: guest });
  await fixCfg(env, { spec: guest, disks: 'image', onCrash: 'destroy' });
  await bootGuest(env, guest);
  await stopGuest(env, guest);
  await makeVolumes(env, guest);
  await fixCfg(env, { spec: guest, disks: 'volume', onCrash: 'restart' });
  await bootGuest(env, guest);
  await dropImage(env, guest);
  await enableAutostart(env, guest);
  await takeBackup(env, guest);
  await sealGuest(env, guest);
  await stopGuest(env, guest);
  await setAsideVolumes(env, guest);
  await bringBackVolumes(env, guest);
  await bootGuest(env, guest);
  await destroyGuest(env, guest);
  await removeVolumes(env, guest);
  await removeImage(env, guest);
  await removeCfg(env, guest);
  await removeBackups(env, guest);
  await removeGuestState(env, guest);
}

/** In words, what differs from before and is named by none of these. */
function unnamed(before: DomainState, after: DomainState, things: readonly MarkedThing[]): string[] {
  const isNamed = (complaint: string): boolean => {
    const [, kind = '', key = ''] = /^(domain|volume|file|directory|loop device|mount) (.+) is left$/.exec(complaint) ?? [];
    if (/^-?\d+ bytes/.test(complaint)) return true;
    return things.some(({ what }) => {
      if (kind === 'volume') return what === `volume vg01/${key}`;
      if (kind === 'file' || kind === 'directory') return key === what || key.startsWith(`${what}/`);
      return kind !== '' && (what === `${kind} ${key}` || what.startsWith(`${kind} ${key} on `));
    });
  };
  return asBefore(before, after, settings()).filter((complaint) => !isNamed(complaint));
}

describe('an audit', () => {
  // Killed before a call is killed after the one before.
  it.each<FaultKind>(['kill-middle', 'kill-after'])(
    'names all that is left when a guest’s life is cut short at any call (%s)',
    async (kind) => {
      dom0 = await fakeDom0();
      await live(stepEnv(dom0.host()), GUEST);
      const { process, file } = dom0.faults.counts;
      const missed: string[] = [];
      for (const of of ['process', 'file'] as const) {
        for (let index = 0; index < (of === 'process' ? process : file); index += 1) {
          dom0.close();
          dom0 = await fakeDom0();
          const before = dom0.snapshot();
          dom0.faults.add({ kind, match: (call) => call.kind === of && call.index === index });
          await live(stepEnv(dom0.host()), GUEST).catch(() => undefined);
          const tool = dom0.faults.fired[0]?.tool ?? 'nothing';
          const things = await look();
          const strangers = things.filter(
            ({ guest, order }) =>
              !(guest === GUEST.name && [GUEST.order, UNKNOWN_ORDER].includes(order)) &&
              !(guest === 'golden/bookworm' && order === UNKNOWN_ORDER),
          );
          for (const what of [...unnamed(before, dom0.snapshot(), things), ...strangers.map((thing) => JSON.stringify(thing))])
            missed.push(`${of} ${String(index)} (${tool}): ${what}`);
        }
      }
      expect(missed).toEqual([]);
    },
    300_000,
  );

  it('names a directory that is half removed, by the mark in it, or by its place when the mark has gone', async () => {
    dom0 = await fakeDom0();
    const { machine } = dom0;
    mkdirSync(machine.at(stagingOf(PATHS.backups)), { recursive: true });
    machine.writeText(`${stagingOf(PATHS.backups)}/guestflow.json`, markerText(OURS));
    mkdirSync(machine.at(stagingOf(guestPaths(settings(), 'guest2').state)), { recursive: true });
    expect(await look()).toEqual([
      { what: '/var/lib/guestflow/guests/.guestflow/guest2', guest: 'guest2', order: UNKNOWN_ORDER },
      { what: '/var/backups/guestflow/.guestflow/guest1', ...OURS },
    ]);
  });

  it('gives what only its place tells to the one order of that guest that has marks here, and to none of two', async () => {
    dom0 = await fakeDom0();
    const { machine } = dom0;
    mkdirSync(machine.at(`${PATHS.unfinishedImages}/tmp`), { recursive: true });
    machine.writeText(`${PATHS.cfg}.0123abcd.guestflow-part`, cfgHeader(OURS).slice(0, 40));
    mkdirSync(machine.at(PATHS.state), { recursive: true });
    machine.writeText(`${PATHS.state}/guestflow.json`, markerText(OURS));
    const byPlace = [`${PATHS.cfg}.0123abcd.guestflow-part`, PATHS.unfinishedImages];
    const things = await look();
    expect(things.filter(({ what }) => byPlace.includes(what))).toEqual(byPlace.map((what) => ({ what, ...OURS })));

    mkdirSync(machine.at(PATHS.backups), { recursive: true });
    machine.writeText(`${PATHS.backups}/guestflow.json`, markerText({ ...OURS, order: 'another' }));
    const then = await look();
    expect(then.filter(({ what }) => byPlace.includes(what))).toEqual(
      byPlace.map((what) => ({ what, guest: GUEST.name, order: UNKNOWN_ORDER })),
    );
  });

  it('names loop devices and mounts of a half-made image, which a run that was not contained leaves', async () => {
    dom0 = await fakeDom0();
    const image = `${PATHS.unfinishedImages}/domains/${GUEST.name}/disk.img`;
    mkdirSync(dom0.machine.at(`${PATHS.unfinishedImages}/domains/${GUEST.name}`), { recursive: true });
    dom0.machine.writeText(image, '');
    dom0.state.loops.push({ name: '/dev/loop3', file: image, autoclear: false });
    dom0.state.loops.push({ name: '/dev/loop4', file: '/root/by-hand.img', autoclear: false });
    dom0.state.mounts.push({ source: '/dev/loop3', target: `${PATHS.unfinishedImages}/tmp/mnt` });
    expect((await look()).map(({ what }) => what)).toEqual([
      PATHS.unfinishedImages,
      `loop device /dev/loop3 on ${image}`,
      `mount ${PATHS.unfinishedImages}/tmp/mnt`,
    ]);
  });

  it('names what is half made of a golden tarball, and not a whole one', async () => {
    dom0 = await fakeDom0();
    await ensureGolden(stepEnv(dom0.host()), { dist: 'bookworm' });
    expect(await look()).toEqual([]);
    const { goldenDir } = settings();
    const halves = [`${goldenDir}/trixie.guestflow-part.tar`, `${goldenDir}/trixie.tar.json.0123abcd.guestflow-part`];
    for (const half of halves) dom0.machine.writeText(half, '');
    mkdirSync(dom0.machine.at(`${goldenDir}/trixie.guestflow-part.tar.work`));
    expect(await look()).toEqual(
      [halves[0], `${goldenDir}/trixie.guestflow-part.tar.work`, halves[1]].map((what) => ({
        what,
        guest: 'golden/trixie',
        order: UNKNOWN_ORDER,
      })),
    );
  });

  it('names nothing that somebody made by hand, whatever it is called', async () => {
    dom0 = await fakeDom0();
    const { machine, state } = dom0;
    for (const directory of [PATHS.state, PATHS.images, PATHS.backups, '/home/xen/.guestflow/lost+found', '/home/xen/guest1'])
      mkdirSync(machine.at(directory), { recursive: true });
    const { goldenDir } = settings();
    mkdirSync(machine.at(goldenDir), { recursive: true });
    for (const path of [
      PATHS.cfg,
      `${PATHS.cfg}.guestflow-part`,
      `${PATHS.cfg}.0123abcd.bak`,
      `${PATHS.cfg}.0123abcdef.guestflow-part`,
      `/etc/xen/xl.conf.0123abcd.guestflow-part`,
      `${PATHS.state}/notes.txt`,
      `${goldenDir}/mine.tar`,
      `${goldenDir}/Mine.guestflow-part.tar`,
    ])
      machine.writeText(path, `# by hand, not ${cfgHeader(OURS)}\n`);
    symlinkSync(PATHS.cfg, machine.at(PATHS.autostart));
    for (const [name, tags] of [
      [`${GUEST.name}-root`, []],
      [`${GUEST.name}-swap`, ['guestflow.guest=guest1', 'guestflow.order=order-guest1']],
      [`del-${GUEST.name}-root`, ['guestflow']],
    ] as const)
      state.volumes.push({
        name,
        extents: 1,
        tags: [...tags],
        content: { residue: [] },
        hidden: [],
        dataPercent: 0,
        invalid: false,
        minor: 0,
      });
    state.loops.push({ name: '/dev/loop0', file: PATHS.diskImage, autoclear: false });
    expect(await look()).toEqual([]);
  });

  it('names a copy of a cfg that carries our mark, and not the domain and the link twice', async () => {
    dom0 = await fakeDom0();
    const env = stepEnv(dom0.host());
    await ensureGolden(env, { dist: GUEST.os.dist });
    await createImage(env, { spec: GUEST });
    await fixCfg(env, { spec: GUEST, disks: 'image', onCrash: 'destroy' });
    await bootGuest(env, GUEST);
    await enableAutostart(env, GUEST);
    dom0.machine.writeText('/etc/xen/kept.cfg', dom0.machine.readText(PATHS.cfg) ?? '');
    dom0.state.volumes.push({
      name: 'kept',
      extents: 1,
      tags: volumeTags(OURS),
      content: { residue: [] },
      hidden: [],
      dataPercent: 0,
      invalid: false,
      minor: 7,
    });
    expect((await look()).map(({ what }) => what)).toEqual([
      'volume vg01/kept',
      'domain guest1',
      PATHS.cfg,
      '/etc/xen/kept.cfg',
      PATHS.autostart,
      PATHS.images,
      PATHS.state,
      `loop device /dev/loop0 on ${PATHS.diskImage}`,
      `loop device /dev/loop1 on ${PATHS.swapImage}`,
    ]);
  });
});
