/** audit: everything on this dom0 that carries guestflow's mark, and whose it is. Changes nothing. */
import type { MarkedThing } from '../../contract/types.ts';
import { listVolumes } from '../host/lvm.ts';
import { listDomains } from '../host/xl.ts';
import { guestPaths } from '../guest-paths.ts';
import { cfgOwner, MARKER_FILE, markerOwner, volumeOwner, type Owner } from '../marks.ts';
import type { StepEnv } from '../step.ts';

type Found = readonly (readonly [what: string, owner: Owner | undefined])[];

async function volumes(env: StepEnv): Promise<Found> {
  const vg = env.settings.volumeGroup;
  return (await listVolumes(env.host, vg)).map((volume) => [`volume ${vg}/${volume.name}`, volumeOwner(volume)]);
}

/** Cfg files with our header, the links to them, and the domains that run from them. */
async function cfgs(env: StepEnv): Promise<Found> {
  const { files } = env.host;
  const running = new Set((await listDomains(env.host)).map(({ name }) => name));
  const found: (readonly [string, Owner | undefined])[] = [];
  for (const file of (await files.list('/etc/xen')).filter((name) => name.endsWith('.cfg'))) {
    const path = `/etc/xen/${file}`;
    const owner = cfgOwner((await files.read(path)) ?? Buffer.alloc(0));
    found.push([path, owner]);
    if (owner === undefined) continue;
    if (running.has(owner.guest)) found.push([`domain ${owner.guest}`, owner]);
    const link = guestPaths(env.settings, owner.guest).autostart;
    if ((await files.readLink(link)) === path) found.push([link, owner]);
  }
  return found;
}

async function directories(env: StepEnv): Promise<Found> {
  const {
    settings,
    host: { files },
  } = env;
  const found: (readonly [string, Owner | undefined])[] = [];
  for (const parent of [`${settings.imageDir}/domains`, `${settings.stateDir}/guests`, settings.backupDir]) {
    for (const name of await files.list(parent))
      found.push([`${parent}/${name}`, markerOwner(await files.read(`${parent}/${name}/${MARKER_FILE}`))]);
  }
  return found;
}

/** Looks at the whole dom0. What carries no mark is not ours and is not listed. */
export async function audit(env: StepEnv): Promise<MarkedThing[]> {
  const all = [...(await volumes(env)), ...(await cfgs(env)), ...(await directories(env))];
  return all.flatMap(([what, owner]) => (owner === undefined ? [] : [{ what, guest: owner.guest, order: owner.order }]));
}
