/** What a dom0 may look like when an operation on a guest has ended: as the operation wanted it, or as it was. */
import { guestPaths } from '../guest-places.ts';
import type { Dom0Settings } from '../../order/dom0-settings.ts';
import type { DomainState } from '../../fake/index.ts';
import { asBefore, isOwnLabel, leftOn, nobodyElsesBytes, nothingHalfMade, type Complaints } from './invariants.ts';
import type { OperationRow } from './operation-rows.ts';
import type { Entry } from './tape.ts';
import { orderOf, refOf } from './world.ts';

/** Each backup by its time, in a file or in the fake's borg: whether its record is there. */
export function backupsOn(state: DomainState, directory: string): Map<string, { image: string | undefined; record: string | undefined }> {
  const times = new Set(
    Object.keys(state.files).flatMap((path) =>
      path.startsWith(`${directory}/`) ? (/\/(\d{8}T\d{6}Z)(?:\.[^/]*)?$/.exec(path)?.[1] ?? []) : [],
    ),
  );
  return new Map(
    [...times].map((time) => [
      time,
      {
        image: state.files[`${directory}/${time}.img.zst`] ?? state.files[`${directory}/borg/data/0/${time}`],
        record: state.files[`${directory}/${time}.json`],
      },
    ]),
  );
}

/** Calls that name a backup by its id. */
const OF_BACKUP = ['fillRestored', 'makeTrial', 'recordProof', 'setProtected'];

/** A call that names a backup, of the last backup of the dom0 that it is played on; any other call as it is. */
export function ofLastBackup(entry: Entry, state: DomainState, directory: string): Entry {
  if (!OF_BACKUP.includes(entry.activity)) return entry;
  return { ...entry, input: { ...(entry.input as object), id: [...backupsOn(state, directory).keys()].sort().at(-1) } };
}

function isProtection(path: string): boolean {
  return path.endsWith('.protected.json');
}

/**
 * A dom0 without what no two runs have in common: ids of domains, and the backups. A domain that is dying goes by itself, and has lost the
 * name by which a later attempt could wait for it; what it holds cannot be taken from it meanwhile (LVM says that it is in use).
 */
export function settled(state: DomainState, settings: Dom0Settings, guest: string): DomainState {
  const { backups } = guestPaths(settings, guest);
  return {
    ...state,
    domains: state.domains.filter(({ state: condition }) => condition !== 'dying').map((domain) => ({ ...domain, id: 0 })),
    // Its own bytes on its own disk are nobody else's.
    volumes: state.volumes.map((volume) => ({ ...volume, residue: volume.residue.filter((label) => !isOwnLabel(label, guest)) })),
    files: Object.fromEntries(
      Object.entries(state.files).flatMap(([path, content]) => {
        if (isBorgs(path, backups)) return [];
        if (!path.startsWith(`${backups}/2`)) return [[path, content]];
        // That one is protected is in common, not which.
        return isProtection(path) ? [[`${backups}/protected`, '']] : [];
      }),
    ),
    directories: state.directories.filter((path) => !isBorgs(path, backups)),
  };
}

/** A repository is made by the first backup, and stays when that is undone. The archives in it are compared as backups. */
function isBorgs(path: string, backups: string): boolean {
  return /^\/borg(?:$|[./])/.test(path.slice(backups.length)) && path.startsWith(backups);
}

type Backups = ReturnType<typeof backupsOn>;

/** Of those that were there some may be gone, or half gone: without a record. At least one is whole, and none is another than it was. */
function prunedComplaints(was: Backups, is: Backups): Complaints {
  const whole = [...is].filter(([, { record }]) => record !== undefined);
  return [
    ...whole.flatMap(([time, backup]) => {
      const before = was.get(time);
      const isSame = before === undefined || JSON.stringify(before) === JSON.stringify(backup);
      return isSame && backup.image !== undefined ? [] : [`backup ${time} is not what it was`];
    }),
    ...(whole.length > 0 ? [] : ['no backup is left']),
  ];
}

/** The guest's backups of before are there, untouched, all of them whole. `more`: whether there is at least another one. */
function backupComplaints(
  { row }: Pick<Wanted, 'row'>,
  before: DomainState,
  after: DomainState,
  directory: string,
  more: boolean | undefined,
): Complaints {
  const [was, is] = [backupsOn(before, directory), backupsOn(after, directory)];
  if (row.prunes === true) return prunedComplaints(was, is);
  return [
    ...[...was].flatMap(([time, backup]) =>
      JSON.stringify(is.get(time)) === JSON.stringify(backup) ? [] : [`backup ${time} is not what it was`],
    ),
    ...[...is].flatMap(([time, { image, record }]) => (image === undefined || record === undefined ? [`backup ${time} is not whole`] : [])),
    ...(more === undefined || is.size > was.size === more ? [] : [`there were ${String(was.size)} backups, and are ${String(is.size)}`]),
  ];
}

/** How an operation should end, by a run of it that nothing disturbed. */
export interface Wanted {
  readonly row: OperationRow;
  readonly guest: string;
  readonly settings: Dom0Settings;
  readonly before: DomainState;
  readonly after: DomainState;
}

/**
 * What an earlier change of the cfg kept for its own undo is of no use once another change begins, and goes when that one is undone. What this
 * change kept is another text: it is a leftover.
 */
function withoutSpentCfg({ row, guest, settings, before }: Wanted, now: DomainState): DomainState {
  const { formerCfg } = guestPaths(settings, guest);
  if (row.kind !== 'changePlan' || formerCfg in now.files) return before;
  return { ...before, files: Object.fromEntries(Object.entries(before.files).filter(([path]) => path !== formerCfg)) };
}

/** A first backup that was whole when the answer was lost stays, and with it the directory that was made for it. */
export function withItsDirectory({ guest, settings, after }: Wanted, before: DomainState, now: DomainState): DomainState {
  const { backups } = guestPaths(settings, guest);
  if (backupsOn(before, backups).size > 0 || backupsOn(now, backups).size === 0) return before;
  const mark = `${backups}/guestflow.json`;
  return {
    ...before,
    files: { ...before.files, [mark]: after.files[mark] ?? 'no mark' },
    directories: [...before.directories, backups].sort(),
  };
}

function takesBackup({ kind, takesBackup: takes }: OperationRow): boolean {
  return kind === 'backup' || takes === true;
}

export function asItWas(wanted: Wanted, now: DomainState): Complaints {
  const { row, guest, settings, before } = wanted;
  // A backup that was whole when the answer was lost is one, whoever asked for it; a half one may not stay.
  const isMore = takesBackup(row) ? undefined : false;
  return [
    ...asBefore(
      settled(withItsDirectory(wanted, withoutSpentCfg(wanted, now), now), settings, guest),
      settled(now, settings, guest),
      settings,
    ),
    ...backupComplaints(wanted, before, now, guestPaths(settings, guest).backups, isMore),
    ...nobodyElsesBytes(now, guest),
  ];
}

/** A system that is made anew has a host key that no other attempt makes. */
function withoutHostKey({ kind }: OperationRow, state: DomainState, settings: Dom0Settings, guest: string): DomainState {
  const { knownHosts, rescueHosts } = guestPaths(settings, guest);
  const made = [...(kind === 'reinstall' ? [knownHosts] : []), rescueHosts].filter((path) => path in state.files);
  return { ...state, files: { ...state.files, ...Object.fromEntries(made.map((path) => [path, 'its host key'])) } };
}

export function asWanted(wanted: Wanted, now: DomainState): Complaints {
  const { row, guest, settings, before, after } = wanted;
  const isGone = row.end === 'gone';
  const [wantedState, found] = [after, now].map((state) => withoutHostKey(row, settled(state, settings, guest), settings, guest)) as [
    DomainState,
    DomainState,
  ];
  return [
    ...asBefore(wantedState, found, settings),
    ...(isGone ? [] : backupComplaints(wanted, before, now, guestPaths(settings, guest).backups, takesBackup(row))),
    ...(row.kind === 'prove' && !Object.keys(now.files).some((path) => path.endsWith('.proof.json')) ? ['no proof was recorded'] : []),
    ...(row.kind === 'protect' && !Object.keys(now.files).some(isProtection) ? ['no backup is protected'] : []),
    ...nobodyElsesBytes(now, guest),
    ...(row.end === 'terminating' ? [] : nothingHalfMade(now)),
  ];
}

/**
 * What there is of a guest on its dom0, as the list of it has to name it.
 *
 * @param empty the dom0 before the guest's order
 */
export function leftOf({ guest, settings }: Wanted, empty: DomainState, now: DomainState): string[] {
  return leftOn(empty, now, refOf(orderOf(guest, settings.host)), settings).left;
}
