/** What the toolstack has of guests: domains, cfg files, the links by which they start, saved memory. */
import type { Amounts } from '../../../../contract/capacity.ts';
import { xenOverheadBytes } from '../../../../contract/overhead.ts';
import { MiB } from '../../../../contract/sizes.ts';
import type { DomainRow } from '../../../../contract/dom0.ts';
import { parseCfg, showCfg } from '../../../../xlcfg/index.ts';
import type { Host } from '../../../../system/host.ts';
import { ownerByPlace, type Thing } from '../../inventory/thing.ts';
import { guestOfDomain } from '../../../../contract/trial.ts';
import { cfgOwner, MARKER_FILE, markerOwner } from '../../marks.ts';
import { wholeOf } from '../../staging.ts';
import { AUTOSTART_DIRECTORY, autostartPath, CFG_DIRECTORY, hasOwnLink, ownCfg, readCfg } from './cfg-files.ts';
import { asideParents, savedStateOwner } from './saved-states.ts';
import { savedStates } from './xendomains.ts';
import { listDomains } from './xl.ts';

const SUFFIX = '.cfg';

/** All that the toolstack has; with a guest's name, what concerns it. */
export async function xlThings(host: Host, guest?: string): Promise<Thing[]> {
  const all = [...(await domains(host, guest)), ...(await cfgs(host, guest)), ...(await links(host, guest)), ...(await savedMemory(host))];
  return guest === undefined ? all : all.filter(({ placeOf, owner }) => placeOf === guest || owner?.guest === guest);
}

/** All domains but dom0 itself. A domain is ours if the cfg of its name is ours. */
async function domains(host: Host, guest: string | undefined): Promise<Thing[]> {
  const found: Thing[] = [];
  for (const row of await listDomains(host)) {
    if (row.id === 0 || (guest !== undefined && guestOfDomain(row.name) !== guest)) continue;
    const cfg = await ownCfg(host, row.name);
    const taken: Amounts = { memoryBytes: row.memoryMiB * MiB, vcpus: row.vcpus, diskBytes: 0 };
    found.push({
      kind: 'domain',
      where: `domain ${row.name === '' ? row.id : row.name}`,
      owner: cfg?.owner,
      placeOf: guestOfDomain(row.name),
      takes: cfg === undefined ? taken : { ...taken, overheadBytes: overheadOf(cfg.bytes, row) },
    });
  }
  return found;
}

/** What Xen needs for a domain that was made of this cfg; 0 where the cfg cannot be read: it counts as Xen's own memory then. */
function overheadOf(cfg: Uint8Array, { memoryMiB, vcpus }: DomainRow): number {
  try {
    const { keys } = showCfg(parseCfg(cfg));
    const number = (key: string, least: number): number => Math.max(least, typeof keys[key] === 'number' ? keys[key] : 0);
    const memoryBytes = number('maxmem', number('memory', memoryMiB)) * MiB;
    return xenOverheadBytes({
      type: keys['type'] === 'pvh' ? 'pvh' : 'pv',
      memoryBytes,
      vcpus: number('maxvcpus', number('vcpus', vcpus)),
    });
  } catch {
    return 0;
  }
}

/** Cfg files, and parts of them that are not whole. */
async function cfgs(host: Host, guest: string | undefined): Promise<Thing[]> {
  const found: Thing[] = [];
  for (const file of (await host.files.list(CFG_DIRECTORY)).sort()) {
    const whole = wholeOf(file);
    const name = guestOfDomain((whole ?? file).slice(0, -SUFFIX.length));
    if (!(whole ?? file).endsWith(SUFFIX) || (guest !== undefined && name !== guest)) continue;
    const cfg = await readCfg(host, `${CFG_DIRECTORY}/${file}`);
    const { path, bytes, owner } = cfg ?? { path: `${CFG_DIRECTORY}/${file}`, bytes: Buffer.alloc(0), owner: undefined };
    // The header of an unfinished part may be cut off, so its order is not read.
    if (whole !== undefined)
      found.push({ kind: 'cfg', where: path, owner: ownerByPlace(name, bytes.includes('\n') ? cfgOwner(bytes) : undefined), isHalf: true });
    else found.push({ kind: 'cfg', where: path, owner, placeOf: name });
  }
  return found;
}

/** The links by which xendomains starts guests. A link is ours if it leads to a cfg of ours: somebody's own cfg may have a link that looks the same. */
async function links(host: Host, guest: string | undefined): Promise<Thing[]> {
  const files = guest === undefined ? (await host.files.list(AUTOSTART_DIRECTORY)).sort() : [`${guest}${SUFFIX}`];
  const found: Thing[] = [];
  for (const name of files.filter((file) => file.endsWith(SUFFIX)).map((file) => file.slice(0, -SUFFIX.length))) {
    const where = autostartPath(name);
    if ((await host.files.info(where)) === undefined) continue;
    const owner = (await hasOwnLink(host, name)) ? (await ownCfg(host, name))?.owner : undefined;
    found.push({ kind: 'autostart', where, owner, placeOf: name });
  }
  return found;
}

/** Memory of guests that xendomains has saved, and what was put aside of it. */
async function savedMemory(host: Host): Promise<Thing[]> {
  const found: Thing[] = [];
  const add = (thing: Omit<Thing, 'kind'>): void => void found.push({ kind: 'saved memory', ...thing });
  for (const state of await savedStates(host))
    add({ where: state.path, owner: await savedStateOwner(host, state), placeOf: guestOfDomain(state.domain) });
  for (const parent of await asideParents(host))
    for (const name of await host.files.list(parent)) {
      const where = `${parent}/${name}`;
      const of = guestOfDomain(name);
      // The half of a removal lies in a directory of its own.
      if (name.startsWith('.'))
        for (const half of await host.files.list(where))
          add({ where: `${where}/${half}`, owner: ownerByPlace(guestOfDomain(half), undefined), isHalf: true });
      else add({ where, owner: ownerByPlace(of, markerOwner(await host.files.read(`${where}/${MARKER_FILE}`))), placeOf: of });
    }
  return found;
}

/** Guests of ours that start with their dom0: those whose domain is there, with its id, and those without one. */
export interface Started {
  readonly running: readonly { readonly guest: string; readonly order: string; readonly id: number }[];
  readonly missing: readonly { readonly guest: string; readonly order: string }[];
}

/** Looks at the guests that start with their dom0: one that was stopped or suspended has no link, and is not among them. */
export async function startedWithDom0(host: Host): Promise<Started> {
  const ids = new Map((await listDomains(host)).map(({ name, id }) => [name, id]));
  const owners = (await links(host, undefined)).flatMap(({ owner }) => owner ?? []);
  return {
    running: owners.flatMap((owner) => {
      const id = ids.get(owner.guest);
      return id === undefined ? [] : [{ ...owner, id }];
    }),
    missing: owners.filter(({ guest }) => !ids.has(guest)),
  };
}
