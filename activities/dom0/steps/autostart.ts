/** autostart: the link by which xendomains starts the guest with its dom0 (row 12 of the how-to). */
import type { GuestRef } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { guestPaths } from '../guest-paths.ts';
import { cfgOwner, isOwner } from '../marks.ts';
import type { StepEnv } from '../step.ts';

/** Links the guest's cfg into /etc/xen/auto. */
export async function enableAutostart(env: StepEnv, ref: GuestRef): Promise<{ link: string }> {
  const { files } = env.host;
  const paths = guestPaths(env.settings, ref.name);
  const there = await files.readLink(paths.autostart);
  if (there === paths.cfg) return { link: paths.autostart };
  if (there !== undefined || (await files.info(paths.autostart)) !== undefined) {
    throw new GuestflowError(
      'NotOurs',
      `${paths.autostart} exists and is not the link to ${paths.cfg} that guestflow makes. It is left alone; move it away.`,
      { field: 'name', value: ref.name },
    );
  }
  await files.makeDirectory('/etc/xen/auto');
  await files.symlink(paths.cfg, paths.autostart);
  return { link: paths.autostart };
}

/**
 * Undo of autostart. The link is known as ours by the cfg that it points to: somebody's own cfg of this name may have one just like it, and it
 * stays. So does a link to a cfg that is missing: nothing says whose it was. It is no half of a removal of ours either: the link goes before the
 * cfg, and each removal is on the disk before the next begins.
 */
export async function disableAutostart(env: StepEnv, ref: GuestRef): Promise<void> {
  const { files } = env.host;
  const paths = guestPaths(env.settings, ref.name);
  if ((await files.readLink(paths.autostart)) !== paths.cfg) return;
  const cfg = await files.read(paths.cfg);
  if (cfg !== undefined && isOwner(cfgOwner(cfg), ref)) await files.remove(paths.autostart);
}
