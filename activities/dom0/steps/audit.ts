/**
 * audit: everything on this dom0 that carries guestflow's mark, or lies in a place that only guestflow makes, and whose it is. Changes
 * nothing.
 */
import { GOLDEN, UNKNOWN_ORDER, type MarkedThing } from '../../../contract/types.ts';
import { whyNotGuestName } from '../../../contract/guest-name.ts';
import { listLoopDevices } from '../tools/loop.ts';
import { listVolumes } from '../storage/lvm/lvm.ts';
import { mountsBelow } from '../images/xen-tools.ts';
import { savedStates } from '../toolstack/xl/xendomains.ts';
import { listDomains } from '../toolstack/xl/xl.ts';
import { guestPaths } from '../guest-paths.ts';
import { limboIn, wholeOf } from '../staging.ts';
import { cfgOwner, MARKER_FILE, markerOwner, volumeOwner, type Owner } from '../marks.ts';
import { asideParents, savedStateOwner } from '../toolstack/xl/saved-states.ts';
import type { StepEnv } from '../step.ts';
import { halfGolden } from './create-image.ts';

/** What nobody owns that we could name is not ours. */
type Found = readonly [what: string, owner: Owner | undefined];

/** Whose a thing is that lies in a place of ours: by the mark in it; one that is not this guest's, or has gone already, tells no order. */
function ownerByPlace(guest: string, mark: Owner | undefined): Owner | undefined {
  if (whyNotGuestName(guest) !== undefined) return undefined;
  return mark?.guest === guest ? mark : { guest, order: UNKNOWN_ORDER };
}

async function volumes(env: StepEnv): Promise<Found[]> {
  const vg = env.settings.volumeGroup;
  return (await listVolumes(env.host, vg)).map((volume) => [`volume ${vg}/${volume.name}`, volumeOwner(volume)]);
}

/** Cfg files with our header, the links to them, and the domains that run from them; parts of cfg files. */
async function cfgs(env: StepEnv): Promise<Found[]> {
  const { files } = env.host;
  const running = new Set((await listDomains(env.host)).map(({ name }) => name));
  const found: Found[] = [];
  for (const file of (await files.list('/etc/xen')).sort()) {
    const path = `/etc/xen/${file}`;
    const whole = wholeOf(file);
    if (!(whole ?? file).endsWith('.cfg')) continue;
    const text = (await files.read(path)) ?? Buffer.alloc(0);
    if (whole !== undefined) {
      // Half a line may be half an order.
      found.push([path, ownerByPlace(whole.slice(0, -'.cfg'.length), text.includes('\n') ? cfgOwner(text) : undefined)]);
      continue;
    }
    const owner = cfgOwner(text);
    found.push([path, owner]);
    // Under another name it is somebody's copy: the domain and the link are the original's.
    if (owner === undefined || file !== `${owner.guest}.cfg`) continue;
    if (running.has(owner.guest)) found.push([`domain ${owner.guest}`, owner]);
    const link = guestPaths(env.settings, owner.guest).autostart;
    if ((await files.readLink(link)) === path) found.push([link, owner]);
  }
  return found;
}

/** Directories with our mark, and those that are half made or half removed. */
async function directories({ host: { files }, settings }: StepEnv): Promise<Found[]> {
  const markIn = async (path: string): Promise<Owner | undefined> => markerOwner(await files.read(`${path}/${MARKER_FILE}`));
  const found: Found[] = [];
  for (const parent of [`${settings.imageDir}/domains`, `${settings.stateDir}/guests`, settings.backupDir])
    for (const name of await files.list(parent)) found.push([`${parent}/${name}`, await markIn(`${parent}/${name}`)]);
  for (const parent of [settings.imageDir, `${settings.stateDir}/guests`, settings.backupDir]) {
    for (const name of await files.list(limboIn(parent))) {
      const path = `${limboIn(parent)}/${name}`;
      found.push([path, ownerByPlace(name, await markIn(path))]);
    }
  }
  return found;
}

/** Memory of guests that xendomains has saved, and what was put aside of it. */
async function savedMemory({ host }: StepEnv): Promise<Found[]> {
  const found: Found[] = [];
  for (const state of await savedStates(host)) found.push([state.path, await savedStateOwner(host, state)]);
  for (const parent of await asideParents(host))
    for (const name of await host.files.list(parent)) {
      const path = `${parent}/${name}`;
      // The half of a removal lies in a directory of its own.
      if (name.startsWith('.'))
        for (const half of await host.files.list(path)) found.push([`${path}/${half}`, ownerByPlace(half, undefined)]);
      else found.push([path, ownerByPlace(name, markerOwner(await host.files.read(`${path}/${MARKER_FILE}`)))]);
    }
  return found;
}

/** Loop devices and mounts on the images among these directories. */
async function usersOf(env: StepEnv, images: readonly Found[]): Promise<Found[]> {
  const ownerOf = (path: string): Owner | undefined => images.find(([directory]) => path.startsWith(`${directory}/`))?.[1];
  const loops = (await listLoopDevices(env.host)).map(({ device, file }): Found => [`loop device ${device} on ${file}`, ownerOf(file)]);
  const mountinfo = String((await env.host.files.read('/proc/self/mountinfo')) ?? '');
  const mounts = mountsBelow(mountinfo, env.settings.imageDir).map((point): Found => [`mount ${point}`, ownerOf(point)]);
  return [...loops, ...mounts];
}

/** What is half made of golden tarballs. Whole ones are kept: the next guest is made from them. */
async function goldenHalves(env: StepEnv): Promise<Found[]> {
  const names = await env.host.files.list(env.settings.goldenDir);
  const dists = new Set(names.flatMap((name) => /^[a-z][a-z0-9-]{0,30}(?=\.)/.exec(name) ?? []));
  const found: Found[] = [];
  for (const dist of dists)
    for (const path of await halfGolden(env, dist)) found.push([path, { guest: `${GOLDEN}${dist}`, order: UNKNOWN_ORDER }]);
  return found;
}

/** What only its place tells belongs to the order of that guest that has marks here, when that is one. */
function settled({ guest, order }: Owner, all: readonly Owner[]): Owner {
  if (order !== UNKNOWN_ORDER) return { guest, order };
  const orders = new Set(all.filter((owner) => owner.guest === guest && owner.order !== UNKNOWN_ORDER).map((owner) => owner.order));
  const [only] = orders;
  return { guest, order: orders.size === 1 && only !== undefined ? only : order };
}

/** Looks at the whole dom0. What is neither marked nor in a place of ours is not ours, and is not listed. */
export async function audit(env: StepEnv): Promise<MarkedThing[]> {
  const places = await directories(env);
  const all = [
    ...(await volumes(env)),
    ...(await cfgs(env)),
    ...places,
    ...(await usersOf(env, places)),
    ...(await savedMemory(env)),
    ...(await goldenHalves(env)),
  ];
  const ours = all.flatMap(([what, owner]) => (owner === undefined ? [] : [{ what, ...owner }]));
  return ours.map(({ what, ...owner }) => ({ what, ...settled(owner, ours) }));
}
