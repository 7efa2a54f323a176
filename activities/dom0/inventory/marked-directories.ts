/** Directories of guests that carry our mark, below one parent; and those that are half made or half removed. */
import type { HostFiles } from '../../../system/host.ts';
import { MARKER_FILE, markerOwner, type Owner } from '../marks.ts';
import { stagingIn } from '../staging.ts';
import { ownerByPlace, type Thing, type ThingKind } from './thing.ts';

/**
 * @param parent the directory that they are in
 * @param guest only that of the guest of this name. Default: all.
 * @param staging where half-made and half-removed ones are. Default: where `makeMarkedDirectory` puts them.
 */
export async function markedThings(
  files: HostFiles,
  kind: ThingKind,
  parent: string,
  guest: string | undefined,
  staging = stagingIn(parent),
): Promise<Thing[]> {
  const markIn = async (path: string): Promise<Owner | undefined> => markerOwner(await files.read(`${path}/${MARKER_FILE}`));
  const namesIn = async (directory: string): Promise<string[]> => {
    if (guest === undefined) return await files.list(directory);
    return (await files.info(`${directory}/${guest}`)) === undefined ? [] : [guest];
  };
  const found: Thing[] = [];
  for (const name of await namesIn(parent)) {
    const where = `${parent}/${name}`;
    found.push({ kind, where, owner: await markIn(where), placeOf: name });
  }
  for (const name of await namesIn(staging)) {
    const where = `${staging}/${name}`;
    found.push({ kind, where, owner: ownerByPlace(name, await markIn(where)), isHalf: true });
  }
  return found;
}
