/** Puts right on the machine what is safe to put right. */
import { prepareDirectory } from '../storage/file/directory.ts';
import { withConsoleLog, withoutPygrub } from '../tools/dom0-files.ts';
import type { Work } from '../work.ts';

/** Makes directories of guestflow's own, and mends defaults of xen-tools and of Xen's console daemon. */
export async function prepareMachine({ host, settings }: Work): Promise<void> {
  const { files } = host;
  await files.makeDirectory(`${settings.imageDir}/domains`);
  await files.makeDirectory(settings.goldenDir, 0o700);
  if (settings.diskDir !== undefined) await prepareDirectory({ host, directory: settings.diskDir }, settings.stateDir);
  await files.makeDirectory('/etc/xen/auto');
  const path = '/etc/xen-tools/distributions.conf';
  const text = (await files.read(path))?.toString('utf8');
  if (text !== undefined && withoutPygrub(text) !== text) await files.writeAtomic(path, withoutPygrub(text), 0o644);
  const defaults = (await files.read('/etc/default/xen'))?.toString('utf8');
  if (defaults !== undefined && withConsoleLog(defaults) !== defaults)
    await files.writeAtomic('/etc/default/xen', withConsoleLog(defaults), 0o644);
}
