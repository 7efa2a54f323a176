/** Root's password in the system on a device that nothing has open: no kernel of dom0 mounts it. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { GuestSpec } from '../../../../contract/guest.ts';
import { ensureGuestState } from '../../guest-paths.ts';
import type { Ref } from '../../marks.ts';
import { checkFs, fsInfo, verifyFs } from '../../tools/ext4.ts';
import { OfflineFile, type OfflineContent } from '../../tools/offline-file.ts';
import type { Work } from '../../work.ts';
import { forgetFormer, formerOf, keepFormer } from './former.ts';
import { newPasswordHash } from './new-password.ts';
import { dayOf, withRootPassword } from './shadow.ts';

const SHADOW = '/etc/shadow';

/** The file system as it was before a killed attempt, and checked. */
async function opened(work: Work, ref: Ref, device: string): Promise<OfflineFile> {
  const { host, signal } = work;
  const { name } = ref;
  const { accessWork } = await ensureGuestState(work, ref);
  const file = new OfflineFile(host, device, signal, accessWork);
  await file.recover();
  await checkFs(host, device, { signal });
  // debugfs (1.47) removes names of a directory that lies in its inode only in part.
  if ((await fsInfo(host, device)).features.includes('inline_data'))
    throw new GuestflowError(
      'InvalidInput',
      `the file system of ${name} has inline_data: no file in it can be changed while ${name} is off`,
      { field: 'access', mend: 'change it in the guest' },
      false,
    );
  return file;
}

/** Writes the file, and looks through the whole file system then. */
async function write({ host, signal }: Work, file: OfflineFile, device: string, content: OfflineContent | undefined): Promise<void> {
  await file.replace(SHADOW, content);
  await verifyFs(host, device, { signal });
}

/** Sets what the spec says. What was there before is kept for `undoOffline`. */
export async function changeOffline(work: Work, spec: GuestSpec, device: string, change: string): Promise<void> {
  const hash = await newPasswordHash(work, spec);
  const file = await opened(work, spec, device);
  const found = await file.read(SHADOW);
  const former = await formerOf(work, spec, change);
  // A killed attempt that could not be taken back may have left it without its name.
  const before = found ?? former?.file;
  if (before === undefined) throw new GuestflowError('InvalidInput', `${spec.name} has no ${SHADOW}`, { field: 'access' }, false);
  if (former === undefined) await keepFormer(work, spec, change, { file: before });
  await write(work, file, device, { ...before, bytes: withRootPassword(before.bytes, hash, dayOf(Date.now())) });
}

/** Brings back the file of before this change, if it has changed anything, and wipes what was kept of it. */
export async function undoOffline(work: Work, ref: Ref, device: string, change: string): Promise<void> {
  const former = await formerOf(work, ref, change);
  if (former !== undefined) await write(work, await opened(work, ref, device), device, former.file);
  await forgetFormer(work, ref);
}
