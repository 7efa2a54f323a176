/** autostart: the link by which xendomains starts the guest with its dom0 (row 12 of the how-to). */
import type { GuestRef } from '../../contract/types.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { guestPaths } from '../guest-paths.ts';
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

/** Undo of autostart. */
export async function disableAutostart(env: StepEnv, ref: GuestRef): Promise<void> {
  const paths = guestPaths(env.settings, ref.name);
  if ((await env.host.files.readLink(paths.autostart)) === paths.cfg) await env.host.files.remove(paths.autostart);
}
