/** What a dom0 may look like when an operation has ended: as ordered, as before, or with an exact list of what is left. Nothing else. */
import { guestPaths, guestVolumes } from '../guest-places.ts';
import { UNFINISHED_TAG } from '../../activities/dom0/storage/lvm/tags.ts';
import { stagingOf } from '../../activities/dom0/staging.ts';
import { cfgOwner, markerOwner } from '../../activities/dom0/marks.ts';
import type { Dom0Settings } from '../../order/dom0-settings.ts';
import type { GuestRef } from '../../contract/guest.ts';
import type { DomainState } from '../../fake/index.ts';
import { parseCfg, showCfg } from '../../xlcfg/index.ts';

/** In words, what is wrong; empty when all is well. */
export type Complaints = readonly string[];

export type Volume = DomainState['volumes'][number];

/** Directories of guestflow itself, not of one guest: they appear with the first guest, and stay. */
function ownDirectories({ imageDir, stateDir, backupDir, goldenDir }: Dom0Settings): string[] {
  return [
    `${imageDir}/.guestflow`,
    `${imageDir}/domains`,
    `${stateDir}/guests`,
    `${stateDir}/guests/.guestflow`,
    backupDir,
    `${backupDir}/.guestflow`,
    goldenDir,
    '/etc/xen/auto',
  ];
}

/** The tarballs and root file systems that guests are made from are kept, when they are whole: nobody's order made them. */
function goldenFiles(files: DomainState['files'], { goldenDir }: Dom0Settings): string[] {
  return Object.keys(files).filter((path) =>
    new RegExp(`^${goldenDir}/[a-z]+((\\.former)?\\.tar|-[0-9a-f]{16}\\.img\\.zst)(\\.json)?$`).test(path),
  );
}

function isTemplateName(name: string): boolean {
  return /^golden-[a-z]+-[0-9a-f]{16}$/.test(name);
}

/** What counts when two states of a dom0 are compared. */
export function comparable(state: DomainState, settings: Dom0Settings): Omit<DomainState, 'freeResidue'> {
  const golden = new Set(goldenFiles(state.files, settings));
  const own = new Set(ownDirectories(settings));
  const { freeResidue: _mayGrow, ...rest } = state;
  return {
    ...rest,
    files: Object.fromEntries(Object.entries(state.files).filter(([path]) => !golden.has(path))),
    directories: state.directories.filter((path) => !own.has(path)),
    // As with those files.
    volumes: state.volumes.filter(({ name, tags }) => !isTemplateName(name) || tags.includes(UNFINISHED_TAG)),
  };
}

function differences(before: Record<string, unknown>, after: Record<string, unknown>, what: string): string[] {
  const changed = Object.keys(before).filter((key) => key in after && JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  return [
    ...Object.keys(after)
      .filter((key) => !(key in before))
      .map((key) => `${what} ${key} is left`),
    ...Object.keys(before)
      .filter((key) => !(key in after))
      .map((key) => `${what} ${key} has gone`),
    ...changed.map((key) => `${what} ${key} has changed: ${JSON.stringify(before[key])} → ${JSON.stringify(after[key])}`.slice(0, 600)),
  ];
}

function byName<T>(things: readonly T[], nameOf: (thing: T) => string): Record<string, T> {
  return Object.fromEntries(things.map((thing) => [nameOf(thing), thing]));
}

/** Whether the dom0 is as it was. */
export function asBefore(before: DomainState, after: DomainState, settings: Dom0Settings): Complaints {
  const [was, is] = [comparable(before, settings), comparable(after, settings)];
  return [
    ...differences(
      byName(was.domains, ({ name }) => name),
      byName(is.domains, ({ name }) => name),
      'domain',
    ),
    ...differences(
      byName(was.volumes, ({ name }) => name),
      byName(is.volumes, ({ name }) => name),
      'volume',
    ),
    ...differences(was.files, is.files, 'file'),
    ...differences(
      byName(was.directories, (path) => path),
      byName(is.directories, (path) => path),
      'directory',
    ),
    ...differences(
      byName(was.loops, ({ name }) => name),
      byName(is.loops, ({ name }) => name),
      'loop device',
    ),
    ...differences(
      byName(was.mounts, ({ target }) => target),
      byName(is.mounts, ({ target }) => target),
      'mount',
    ),
    ...(was.freeBytes === is.freeBytes ? [] : [`${String(was.freeBytes - is.freeBytes)} bytes of the volume group have not come back`]),
  ];
}

/** Its rescue system writes to its disks, too: the one who works there is its owner. */
export function isOwnLabel(label: string, guest: string): boolean {
  return label === guest || label === `rescue-${guest}`;
}

/** Whether the guest's disks hold its own bytes only. */
export function nobodyElsesBytes(after: DomainState, guest: string): Complaints {
  const own = after.volumes.filter(({ name }) => name === guestVolumes(guest).root || name === guestVolumes(guest).swap);
  return own.flatMap(({ name, residue }) =>
    residue.filter((label) => !isOwnLabel(label, guest)).map((label) => `volume ${name} holds bytes of ${label}`),
  );
}

/** Whether what is marked as unfinished is gone, and nothing half-made is left. */
export function nothingHalfMade(after: DomainState): Complaints {
  return [
    ...Object.keys(after.files)
      .filter((path) => path.includes('guestflow-part') || path.endsWith('candidate.cfg'))
      .map((path) => `half-made file ${path}`),
    ...after.volumes.filter(({ tags }) => tags.includes(UNFINISHED_TAG)).map(({ name }) => `unfinished volume ${name}`),
    ...after.volumes.filter(({ origin }) => origin !== undefined && !isTemplateName(origin)).map(({ name }) => `snapshot ${name}`),
    ...after.volumes.filter(({ name }) => name.startsWith('del-')).map(({ name }) => `volume ${name} on its way out`),
    ...after.loops.map(({ name, file }) => `loop device ${name} on ${file}`),
    ...after.mounts.map(({ target }) => `mount ${target}`),
  ];
}

function backupComplaints(after: DomainState, directory: string, ref: GuestRef): Complaints {
  const inside = Object.keys(after.files)
    .filter((path) => path.startsWith(`${directory}/`))
    .map((path) => path.slice(directory.length + 1));
  const images = inside.filter((name) => name.endsWith('.img.zst')).map((name) => name.slice(0, -'.img.zst'.length));
  const records = inside.filter((name) => /^\d.*\.json$/.test(name)).map((name) => name.slice(0, -'.json'.length));
  const owner = markerOwner(Buffer.from(after.files[`${directory}/guestflow.json`] ?? ''));
  return [
    ...(images.length > 0 ? [] : ['there is no backup']),
    ...(JSON.stringify(images) === JSON.stringify(records)
      ? []
      : [`images ${images.join(', ')} and records ${records.join(', ')} are no pairs`]),
    ...(owner?.order === ref.order ? [] : [`${directory} is not marked as ours`]),
  ];
}

function cfgComplaints(after: DomainState, path: string, ref: GuestRef, disks: readonly string[]): Complaints {
  const text = after.files[path];
  if (text === undefined) return [`${path} is missing`];
  const owner = cfgOwner(Buffer.from(text));
  const shown = showCfg(parseCfg(Buffer.from(text)));
  return [
    ...(owner?.guest === ref.name && owner.order === ref.order ? [] : [`${path} is not marked as ours`]),
    ...shown.problems.map(({ reason }) => `${path}: ${reason}`),
    ...(JSON.stringify(shown.disks.map(({ target }) => target).sort()) === JSON.stringify([...disks].sort())
      ? []
      : [`${path} names other disks: ${JSON.stringify(shown.disks)}`]),
    ...(shown.keys['on_crash'] === 'restart' ? [] : [`${path}: on_crash is ${String(shown.keys['on_crash'])}`]),
  ];
}

/** Everything on a dom0 but what belongs to a guest that runs from its volumes. */
export function withoutGuest(state: DomainState, ref: GuestRef, settings: Dom0Settings): DomainState {
  const paths = guestPaths(settings, ref.name);
  const files = new Set([paths.cfg, paths.autostart]);
  const isMine = (path: string): boolean =>
    files.has(path) || [paths.state, paths.backups].some((directory) => path === directory || path.startsWith(`${directory}/`));
  return {
    ...state,
    domains: state.domains.filter(({ name }) => name !== ref.name),
    volumes: state.volumes.filter(({ name }) => name !== guestVolumes(ref.name).root && name !== guestVolumes(ref.name).swap),
    files: Object.fromEntries(Object.entries(state.files).filter(([path]) => !isMine(path))),
    directories: state.directories.filter((path) => !isMine(path)),
  };
}

/** Whether the guest is there as it was ordered, and everything beside it as before. */
export function asOrdered(before: DomainState, after: DomainState, ref: GuestRef, settings: Dom0Settings): Complaints {
  const paths = guestPaths(settings, ref.name);
  const names = guestVolumes(ref.name);
  const devices = [names.root, names.swap].map((name) => `/dev/${settings.volumeGroup}/${name}`);
  const domain = after.domains.find(({ name }) => name === ref.name);
  const root = after.volumes.find(({ name }) => name === names.root);
  const swap = after.volumes.find(({ name }) => name === names.swap);
  const others = { ...withoutGuest(after, ref, settings), freeBytes: before.freeBytes };
  return [
    ...(domain?.state === 'running' && JSON.stringify([...domain.disks].sort()) === JSON.stringify([...devices].sort())
      ? []
      : [`the domain is ${JSON.stringify(domain)}`]),
    ...(root?.holds === 'ext4' && root.label === ref.name && !root.damaged ? [] : [`the root volume is ${JSON.stringify(root)}`]),
    ...(swap?.holds === 'swap' ? [] : [`the swap volume is ${JSON.stringify(swap)}`]),
    ...cfgComplaints(after, paths.cfg, ref, devices),
    ...(after.files[paths.autostart] === `link: ${paths.cfg}`
      ? []
      : [`the autostart link is ${after.files[paths.autostart] ?? 'missing'}`]),
    ...backupComplaints(after, paths.backups, ref),
    ...(Object.keys(after.files).some((path) => path.startsWith(paths.provisionKey)) ? ['the provisioning key is still there'] : []),
    ...nobodyElsesBytes(after, ref.name),
    ...nothingHalfMade(after),
    ...asBefore(before, others, settings),
  ];
}

/** What is left of a guest, in the words of `leftoversOf`, found independently of it; `unlisted`: what no such list could name. */
export function leftOn(
  before: DomainState,
  after: DomainState,
  ref: GuestRef,
  settings: Dom0Settings,
): { left: string[]; unlisted: Complaints } {
  const paths = guestPaths(settings, ref.name);
  const isPart = (path: string): boolean => [paths.cfg, paths.trialCfg].some((cfg) => path.startsWith(`${cfg}.`));
  const parts = Object.keys(after.files).filter(isPart);
  const roots = [
    paths.cfg,
    paths.trialCfg,
    paths.autostart,
    paths.images,
    paths.unfinishedImages,
    paths.backups,
    stagingOf(paths.backups),
    paths.state,
    stagingOf(paths.state),
    ...parts,
  ];
  const golden = Object.keys(after.files)
    .concat(after.directories)
    .filter((path) => path.startsWith(`${settings.goldenDir}/`) && path.includes('guestflow-part'));
  roots.push(
    ...golden.map((path) =>
      path
        .split('/')
        .slice(0, settings.goldenDir.split('/').length + 1)
        .join('/'),
    ),
  );
  const below = (path: string): string | undefined => roots.find((root) => path === root || path.startsWith(`${root}/`));
  const isNew = (path: string): boolean => !(path in before.files) && !before.directories.includes(path);
  const found = [...Object.keys(after.files), ...after.directories]
    .filter(isNew)
    .map(below)
    .filter((root) => root !== undefined);
  const isOwnVolume = ({ tags }: Volume): boolean =>
    tags.includes(`guestflow.guest=${ref.name}`) && tags.includes(`guestflow.order=${ref.order}`);
  const own = after.volumes.filter(isOwnVolume);
  const domains = after.domains.filter(
    ({ name }) => [ref.name, `${ref.name}+trial`].includes(name) && !before.domains.some((other) => other.name === name),
  );
  const rest: DomainState = {
    ...after,
    domains: after.domains.filter((domain) => !domains.includes(domain)),
    volumes: after.volumes.filter((volume) => !isOwnVolume(volume)),
    files: Object.fromEntries(Object.entries(after.files).filter(([path]) => !(isNew(path) && below(path) !== undefined))),
    directories: after.directories.filter((path) => !(isNew(path) && below(path) !== undefined)),
    loops: after.loops.filter(({ file }) => below(file) === undefined),
    freeBytes: before.freeBytes,
  };
  return {
    left: [
      ...new Set([
        ...domains.map(({ name }) => `domain ${name}`),
        ...found,
        ...own.map(({ name }) => `volume ${settings.volumeGroup}/${name}`),
      ]),
    ].sort(),
    unlisted: asBefore(before, rest, settings),
  };
}
