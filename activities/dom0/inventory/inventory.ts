/**
 * One list of all things on a dom0 that are ours, or stand where ours would be. Four answers are filters of it: the audit, what is left of a guest, what
 * is in a new guest's way, and what the ledger counts. A new kind of thing is added only here.
 */
import { GOLDEN, UNKNOWN_ORDER } from '../../../contract/dom0.ts';
import { distOfTrial } from '../../../contract/golden.ts';
import type { StepEnv } from '../env.ts';
import { halfMadeGolden } from '../images/golden-half.ts';
import { nextFiles } from '../images/golden-next.ts';
import { usersOfImages } from '../images/image-users.ts';
import { isOwner, type Ref } from '../marks.ts';
import { stagingIn } from '../staging.ts';
import { markedThings } from './marked-directories.ts';
import type { Thing } from './thing.ts';

/**
 * Looks at the whole dom0; with a guest's name, only at what concerns it.
 */
export async function things(env: StepEnv, guest?: string): Promise<Thing[]> {
  const { files } = env.host;
  const { imageDir, stateDir } = env.settings;
  return [
    ...(await takers(env, guest)),
    ...(await markedThings(files, 'image', `${imageDir}/domains`, guest, stagingIn(imageDir))),
    ...(await markedThings(files, 'state', `${stateDir}/guests`, guest)).map(ofGolden),
    ...(await env.repository.things(guest)),
  ];
}

/** The things of the pool and of the toolstack. All that take memory, vcpus or disk are among them. */
export async function takers(env: StepEnv, guest?: string): Promise<Thing[]> {
  return [...(await disks(env, guest)), ...(await env.toolstack.things(guest))].map(ofGolden);
}

/** What is of the trial of a golden image is of its distribution, as what is half made of that. */
function ofGolden(thing: Thing): Thing {
  const dist = thing.owner === undefined ? undefined : distOfTrial(thing.owner.guest);
  return thing.owner === undefined || dist === undefined ? thing : { ...thing, owner: { ...thing.owner, guest: `${GOLDEN}${dist}` } };
}

/** All things, and what only an audit needs: users of images, and what is half made of golden ones. */
export async function everything(env: StepEnv): Promise<Thing[]> {
  const all = await things(env);
  const images = all.filter(({ kind }) => kind === 'image');
  return [...all, ...(await usersOfImages(env, images)), ...(await halfGoldens(env))];
}

async function disks({ storage }: StepEnv, guest: string | undefined): Promise<Thing[]> {
  const ofGuest = new Set(guest === undefined ? [] : storage.names(guest));
  const found: Thing[] = [];
  for (const { name, where, owner, bytes, pool } of await storage.list()) {
    if (guest !== undefined && !ofGuest.has(name) && owner?.guest !== guest) continue;
    const placeOf = ofGuest.has(name) ? guest : undefined;
    const takes = { memoryBytes: 0, vcpus: 0, diskBytes: bytes };
    found.push({ kind: 'disk', where, owner, takes, pool, ...(placeOf === undefined ? {} : { placeOf }) });
  }
  return found;
}

/** Half-made golden tarballs and root file systems, and those that wait to be used. Those in use are kept: the next guest is made from them. */
async function halfGoldens(env: StepEnv): Promise<Thing[]> {
  const names = await env.host.files.list(env.settings.goldenDir);
  const dists = new Set(names.flatMap((name) => /^[a-z]{1,30}(?=[.-])/.exec(name) ?? []));
  const found: Thing[] = [];
  for (const dist of dists)
    for (const where of [...(await halfMadeGolden(env, dist)), ...(await nextFiles(env, dist))])
      found.push({ kind: 'golden', where, owner: { guest: `${GOLDEN}${dist}`, order: UNKNOWN_ORDER }, isHalf: true });
  return found;
}

/** The things that stand in the way of a new guest: those in its place that are whole. */
export function inTheWayOf(name: string, all: readonly Thing[]): Thing[] {
  return all.filter((thing) => thing.placeOf === name && thing.isHalf !== true && thing.kind !== 'user');
}

/**
 * The things that are left of a guest: those with its mark; half-made ones in its place; and a domain of its name that has no cfg, so that nothing tells
 * whose it is.
 */
export function leftOf(ref: Ref, all: readonly Thing[]): Thing[] {
  return all.filter(({ kind, owner, placeOf }) => {
    if (kind === 'user') return false;
    if (owner === undefined) return kind === 'domain' && placeOf === ref.name;
    return isOwner(owner, ref) || (owner.guest === ref.name && owner.order === UNKNOWN_ORDER);
  });
}
