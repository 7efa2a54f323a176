import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRunner } from '../../../system/run.ts';
import { layoutOf } from '../../../lab/layout.ts';
import { dom0Packages } from '../../../lab/packages.ts';
import { piecesOf, prunePieces } from '../../../lab/pieces.ts';
import { labKind, releaseNamed, type Release } from '../../../lab/releases.ts';
import { kindFor } from '../../../lab/up.ts';

const sourcesOf = (release: Release) => Promise.resolve([{ uri: 'http://mirror.example', suite: release }]);

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'lab-release-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('what a lab is made of', () => {
  test('without a word it is bookworm, and carries what the plans order', () => {
    expect(labKind()).toEqual({ release: 'bookworm', dists: ['bookworm'] });
  });

  test('a dom0 of trixie carries guests of its own release, too', () => {
    expect(labKind('trixie')).toEqual({ release: 'trixie', dists: ['bookworm', 'trixie'] });
    expect(labKind('bookworm', ['trixie'])).toEqual({ release: 'bookworm', dists: ['trixie'] });
  });

  test('a release that it is not built from is refused with those that it is', () => {
    expect(() => releaseNamed('lenny')).toThrow('"lenny" is no release that the lab is built from: use bookworm or trixie');
  });

  test("each release has its own Xen's packages", () => {
    expect(dom0Packages('bookworm')).toEqual(expect.arrayContaining(['xen-hypervisor-4.17-amd64', 'xen-utils-4.17', 'xen-tools']));
    expect(dom0Packages('trixie')).toEqual(expect.arrayContaining(['xen-hypervisor-4.20-amd64', 'xen-utils-4.20', 'xen-tools']));
    expect(dom0Packages('trixie').filter((name) => name.includes('4.17'))).toEqual([]);
  });

  test('a dom0 of trixie has a source of the release that has xen-tools; its guests have not', async () => {
    const [dom0, ...goldens] = await piecesOf(labKind('trixie'), sourcesOf);
    expect(dom0.sources.map(({ suite }) => suite)).toEqual(['trixie', 'bookworm']);
    expect(goldens.map(({ sources }) => sources.map(({ suite }) => suite))).toEqual([['bookworm'], ['trixie']]);
  });

  test('a golden tarball is the same piece on dom0s of both releases', async () => {
    const [, ofBookworm] = await piecesOf(labKind('bookworm'), sourcesOf);
    const [, sameOfTrixie, trixie] = await piecesOf(labKind('trixie'), sourcesOf);
    expect(ofBookworm?.name).toBe(sameOfTrixie?.name);
    expect(trixie?.name).not.toBe(ofBookworm?.name);
  });

  test("older pieces of the same things go; another release's stay", async () => {
    const pieces = await piecesOf(labKind('bookworm'), sourcesOf);
    const current = pieces.map(({ name }) => name);
    const others = ['dom0-trixie-0000', 'golden-trixie-0000', 'base-bookworm-0000', 'state-0000'];
    for (const name of [...current, ...others, 'dom0-bookworm-0000', 'golden-bookworm-0000']) await mkdir(path.join(folder, name));
    await prunePieces(createRunner(), folder, pieces);
    expect((await readdir(folder)).sort()).toEqual([...current, ...others].sort());
  });
});

describe('a lab that is kept', () => {
  async function keptLab(): Promise<ReturnType<typeof layoutOf>> {
    const layout = layoutOf({ stateDir: folder });
    await mkdir(layout.home, { recursive: true });
    for (const disk of [layout.rootDisk, layout.volumeDisk]) await writeFile(disk, '');
    await writeFile(layout.record, JSON.stringify({ release: 'trixie', dists: ['bookworm'], keep: true }));
    return layout;
  }

  test('is used as it is when nobody asks for another kind', async () => {
    expect(await kindFor(await keptLab(), {})).toEqual({ release: 'trixie', dists: ['bookworm'] });
    expect(await kindFor(await keptLab(), { release: 'trixie', dists: ['bookworm'] })).toEqual({ release: 'trixie', dists: ['bookworm'] });
  });

  test.each([
    [{ release: 'bookworm' as const }, /lab "lab" is there already, with a dom0 of trixie, not bookworm: .*--name.*guestflow lab clean/],
    [{ dists: ['trixie' as const] }, /lab "lab" is there already, with no golden tarball of trixie/],
  ])('is not taken for another: %j', async (asked, reason) => {
    await expect(kindFor(await keptLab(), asked)).rejects.toThrow(reason);
  });

  test('does not bind a new one when its disks are gone', async () => {
    const layout = await keptLab();
    await rm(layout.rootDisk);
    expect(await kindFor(layout, {})).toEqual(labKind());
  });
});
