/** Puts right on the machine what is safe to put right. */
import { withConsoleLog, withoutPygrub } from '../tools/dom0-files.ts';
import type { Work } from '../work.ts';

/** Makes directories of guestflow's own, and mends defaults of xen-tools and of Xen's console daemon. */
export async function prepareMachine({ host: { files }, settings }: Work): Promise<void> {
  await files.makeDirectory(`${settings.imageDir}/domains`);
  await files.makeDirectory(settings.goldenDir, 0o700);
  if (settings.diskDir !== undefined) await files.makeDirectory(settings.diskDir, 0o700);
  await files.makeDirectory('/etc/xen/auto');
  const path = '/etc/xen-tools/distributions.conf';
  const text = (await files.read(path))?.toString('utf8');
  if (text !== undefined && withoutPygrub(text) !== text) await files.writeAtomic(path, withoutPygrub(text), 0o644);
  const defaults = (await files.read('/etc/default/xen'))?.toString('utf8');
  if (defaults !== undefined && withConsoleLog(defaults) !== defaults)
    await files.writeAtomic('/etc/default/xen', withConsoleLog(defaults), 0o644);
}
