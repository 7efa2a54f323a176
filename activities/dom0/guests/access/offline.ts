/** The access to the system on a device that nothing has open: no kernel of dom0 mounts it. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { AccessPart } from '../../../../contract/access-parts.ts';
import type { GuestSpec } from '../../../../contract/guest.ts';
import { ensureGuestState } from '../../guest-paths.ts';
import type { Ref } from '../../marks.ts';
import { checkFs, fsInfo, verifyFs } from '../../tools/ext4.ts';
import { OfflineSystem } from '../../tools/offline-system.ts';
import { make, type PathState } from '../../tools/system-files.ts';
import type { Work } from '../../work.ts';
import { forgetFormer, formerOf, keepFormer } from './former.ts';
import { formerFor, wishesFor } from './wishes.ts';

/** The file system as it was before a killed attempt, and checked. */
async function opened(work: Work, ref: Ref, device: string): Promise<OfflineSystem> {
  const { host, signal } = work;
  const { name } = ref;
  const { accessWork } = await ensureGuestState(work, ref);
  const files = new OfflineSystem(host, device, signal, accessWork);
  await files.recover();
  await checkFs(host, device, { signal });
  // debugfs (1.47) removes names of a directory that lies in its inode only in part.
  if ((await fsInfo(host, device)).features.includes('inline_data'))
    throw new GuestflowError(
      'InvalidInput',
      `the file system of ${name} has inline_data: no file in it can be changed while ${name} is off`,
      { field: 'access', mend: 'change it in the guest' },
      false,
    );
  return files;
}

/** Makes it so, and looks through the whole file system then. */
async function write({ host, signal }: Work, files: OfflineSystem, device: string, states: readonly PathState[]): Promise<void> {
  for (const state of states) await make(files, state);
  await verifyFs(host, device, { signal });
}

/** Sets what the spec says of this part. What was there before is kept for `undoOffline`. */
export async function changeOffline(work: Work, spec: GuestSpec, device: string, part: AccessPart, change: string): Promise<void> {
  const files = await opened(work, spec, device);
  const former = await formerOf(work, spec, change);
  const wishes = await wishesFor(work, spec, part, files, former);
  if (former === undefined) await keepFormer(work, spec, change, await formerFor(files, wishes));
  await write(work, files, device, wishes);
}

/** Brings back what was there before this change, if it has changed anything, and wipes what was kept of it. */
export async function undoOffline(work: Work, ref: Ref, device: string, change: string): Promise<void> {
  const former = await formerOf(work, ref, change);
  if (former !== undefined) await write(work, await opened(work, ref, device), device, former.toReversed());
  await forgetFormer(work, ref);
}
