/**
 * Saved states of a guest: images of its memory that xendomains would bring back over whatever its disks hold by then. Once a guest is started
 * from its disks, or is to stay off, they are put aside, where xendomains does not look; with the guest they are wiped.
 */
import type { WipeFile } from '../../../../system/overwrite.ts';
import type { Host } from '../../../../system/host.ts';
import { ownCfg } from './cfg-files.ts';
import { saveDirectories, savedStates, type SavedState } from './xendomains.ts';
import { stagingIn, makeMarkedDirectory, removeMarkedDirectory } from '../../staging.ts';
import { domainNameOf, isOwner, MARKER_FILE, markerOwner, type DomainRef, type Owner } from '../../marks.ts';

/** Where a guest's are put aside: on the same file system, so that one step does it, and out of xendomains' sight. */
function asideOf(directory: string, name: string): string {
  return `${stagingIn(directory)}/${name}`;
}

/** The directories of those that were put aside, and of those that are half removed. */
export async function asideParents(host: Host): Promise<string[]> {
  return (await saveDirectories(host)).map(stagingIn);
}

/** Whose a saved state is, by the cfg of the domain that it would make. It carries no mark itself. */
export async function savedStateOwner(host: Host, { domain }: SavedState): Promise<Owner | undefined> {
  return (await ownCfg(host, domain))?.owner;
}

/** The guest's own saved states that xendomains would restore. */
async function statesOf(host: Host, ref: DomainRef): Promise<SavedState[]> {
  const own: SavedState[] = [];
  for (const state of await savedStates(host))
    if (state.domain === domainNameOf(ref) && isOwner(await savedStateOwner(host, state), ref)) own.push(state);
  // The newest comes last, whatever the files are called.
  return own.sort((a, b) => a.savedAt.getTime() - b.savedAt.getTime());
}

async function ownAsides(host: Host, ref: DomainRef): Promise<string[]> {
  const own: string[] = [];
  for (const directory of await saveDirectories(host)) {
    const aside = asideOf(directory, domainNameOf(ref));
    if (isOwner(markerOwner(await host.files.read(`${aside}/${MARKER_FILE}`)), ref)) own.push(aside);
  }
  return own;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/**
 * Puts the guest's saved states aside: from now on its disks are newer, or it is to stay off. Of those put aside the newest is kept, until the
 * guest goes. A restore that reads one just now has it open, and goes on.
 *
 * @returns where they were
 * @throws NotOurs when another order's is where it would go
 */
export async function putSavedAside(host: Host, ref: DomainRef): Promise<string[]> {
  const moved: string[] = [];
  for (const { path, directory, savedAt } of await statesOf(host, ref)) {
    const aside = asideOf(directory, domainNameOf(ref));
    const to = `${String(savedAt.getTime())}.${path.slice(directory.length + 1)}`;
    await makeMarkedDirectory(host.files, aside, ref);
    // Before, not after: killed in between, nobody would come back for the older ones.
    for (const name of await host.files.list(aside)) if (name !== MARKER_FILE && name !== to) await host.files.wipe(`${aside}/${name}`);
    try {
      await host.files.rename(path, `${aside}/${to}`);
    } catch (error) {
      // xendomains has restored it, or it was put aside meanwhile.
      if (isMissing(error)) continue;
      throw error;
    }
    moved.push(path);
  }
  return moved;
}

/** Overwrites and removes all saved states of the guest. Put aside first: one that is half overwritten no longer tells whose it was. */
export async function wipeSaved(host: Host, ref: DomainRef, how: WipeFile): Promise<void> {
  await putSavedAside(host, ref);
  await wipeAsides(host, ref, how);
}

/** Overwrites and removes what was put aside of the guest. */
export async function wipeAsides(host: Host, ref: DomainRef, how: WipeFile): Promise<void> {
  for (const aside of await ownAsides(host, ref))
    for (const name of await host.files.list(aside)) if (name !== MARKER_FILE) await host.files.wipe(`${aside}/${name}`, how);
  for (const directory of await saveDirectories(host)) await removeMarkedDirectory(host.files, asideOf(directory, domainNameOf(ref)), ref);
}
